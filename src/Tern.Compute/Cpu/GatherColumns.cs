using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Picks columns of each row by index: the query's own candidates out of the scores against all.</summary>
internal static unsafe class GatherColumns
{
    public static void Forward(WorkerPool pool, Tensor source, Tensor columns, Tensor destination)
    {
        Operand.Check(source);
        Operand.Check(destination, source.Rows, destination.Columns);
        Operand.CheckIndices(columns, source.Rows, destination.Columns, source.Columns);
        RowChunks chunks = new(destination.Rows, destination.Columns);
        pool.Run(
            chunks.Count,
            (chunks, source, columns, destination),
            static (task, s) =>
            {
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    float* source = s.source.Floats(row);
                    int* columns = s.columns.Ints(row);
                    float* destination = s.destination.Floats(row);
                    for (int j = 0; j < s.destination.Columns; j++)
                    {
                        destination[j] = source[columns[j]];
                    }
                }
            });
    }

    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor columns, Tensor accumulateDSource)
    {
        Operand.Check(accumulateDSource);
        Operand.Check(dOutput, accumulateDSource.Rows, dOutput.Columns);
        Operand.CheckIndices(columns, accumulateDSource.Rows, dOutput.Columns, accumulateDSource.Columns);
        RowChunks chunks = new(dOutput.Rows, dOutput.Columns);
        pool.Run(
            chunks.Count,
            (chunks, dOutput, columns, accumulateDSource),
            static (task, s) =>
            {
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    float* dOutput = s.dOutput.Floats(row);
                    int* columns = s.columns.Ints(row);
                    float* dSource = s.accumulateDSource.Floats(row);
                    for (int j = 0; j < s.dOutput.Columns; j++)
                    {
                        dSource[columns[j]] += dOutput[j];
                    }
                }
            });
    }
}
