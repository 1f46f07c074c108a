using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Cli.Benches.Kernels;

/// <summary>
/// One call of one operation at one shape: what it reads, what it writes, and what it must at least move and calculate.
/// Owns its tensors.
/// </summary>
internal sealed class KernelCase(string operation, IBackend backend, int seed) : IDisposable
{
    private const int LargestBlock = 1 << 20;

    private readonly List<IDisposable> _owned = [];
    private readonly List<KernelOperand> _operands = [];
    private int _drawn;

    public string Operation { get; } = operation;

    public IReadOnlyList<KernelOperand> Operands => _operands;

    /// <summary>Numbers that a check needs beside the tensors.</summary>
    public Dictionary<string, double> Scalars { get; } = [];

    /// <summary>Bytes that must be read and written once.</summary>
    public double ByteCount { get; set; }

    /// <summary>Multiplications and additions of matrix products.</summary>
    public double FlopCount { get; set; }

    /// <summary>Makes what the operation reads of another operation's results.</summary>
    public Action? Prepare { get; set; }

    public Action Run { get; set; } = () => { };

    /// <summary>A source of normally distributed numbers.</summary>
    public Tensor Input(string name, int rows, int columns, double scale = 1) => Add(name, KernelRole.Input, rows, columns, DType.Float32, scale);

    /// <summary>As <see cref="Input"/>, in the type in which the backend keeps what lies between the products.</summary>
    public Tensor Activation(string name, int rows, int columns, double scale = 1) => Add(name, KernelRole.Input, rows, columns, backend.ActivationType, scale);

    /// <summary>As <see cref="Input"/>, in the type of a frozen weight.</summary>
    public Tensor Weight(string name, int rows, int columns, double scale = 1) =>
        Add(name, KernelRole.Input, rows, columns, backend.Precision == ProductPrecision.BFloat16 ? DType.BFloat16 : DType.Float32, scale);

    /// <summary>A source of these numbers.</summary>
    public Tensor Given(string name, float[] values, int rows, int columns)
    {
        Tensor tensor = Allocate(DType.Float32, rows, columns);
        backend.Upload<float>(values, tensor);
        _operands.Add(new KernelOperand(name, KernelRole.Input, tensor, values));
        return tensor;
    }

    /// <summary>A weight as a frozen model has it.</summary>
    public ProjectionWeight Prepared(Tensor weight)
    {
        PreparedWeight prepared = backend.Prepare(weight);
        _owned.Add(prepared);
        return new ProjectionWeight(weight, prepared);
    }

    public Tensor Integers(string name, int[] values)
    {
        Tensor tensor = Allocate(DType.Int32, 1, values.Length);
        backend.Upload<int>(values, tensor);
        _operands.Add(new KernelOperand(name, KernelRole.Input, tensor, []));
        return tensor;
    }

    /// <summary>A destination, NaN until the operation writes it.</summary>
    public Tensor Output(string name, int rows, int columns, DType type = DType.Float32) => Add(name, KernelRole.Output, rows, columns, type, double.NaN);

    /// <summary>As <see cref="Output"/>, in the type in which the backend keeps what lies between the products.</summary>
    public Tensor ActivationOutput(string name, int rows, int columns) => Output(name, rows, columns, backend.ActivationType);

    /// <summary>As <see cref="Changed"/>, in the type in which the backend keeps what lies between the products.</summary>
    public Tensor ActivationChanged(string name, int rows, int columns) => Add(name, KernelRole.Changed, rows, columns, backend.ActivationType, 1);

    /// <summary>A destination that is added to or changed in place.</summary>
    public Tensor Changed(string name, int rows, int columns, double scale = 1, double least = double.NegativeInfinity) => Add(name, KernelRole.Changed, rows, columns, DType.Float32, scale, least);

    /// <summary>Destinations as they were before the first run.</summary>
    public void Reset()
    {
        foreach (KernelOperand operand in _operands.Where(o => o.Role != KernelRole.Input))
        {
            Fill(operand);
        }

        Prepare?.Invoke();
    }

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private Tensor Add(string name, KernelRole role, int rows, int columns, DType type, double scale, double least = double.NegativeInfinity)
    {
        Tensor tensor = Allocate(type, rows, columns);
        float[] values = [];
        if (role != KernelRole.Output)
        {
            // Large tensors repeat a block of rows: a million numbers of each are as good as a thousand million.
            int rowCount = Math.Clamp(LargestBlock / Math.Max(1, columns), 1, Math.Max(1, rows));
            var random = new Random((seed * 31) + _drawn++);
            values = new float[rowCount * columns];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)Math.Max(least, scale * Normal(random));
            }
        }

        var operand = new KernelOperand(name, role, tensor, values);
        _operands.Add(operand);
        Fill(operand);
        return tensor;
    }

    private void Fill(KernelOperand operand)
    {
        Tensor tensor = operand.Tensor;
        if (tensor.DType == DType.Int32)
        {
            backend.Upload<int>(new int[tensor.ElementCount], tensor);
        }
        else if (operand.Role == KernelRole.Output && tensor.DType == DType.Float32)
        {
            backend.Fill(float.NaN, tensor);
        }
        else if (operand.Role == KernelRole.Output)
        {
            float[] unset = new float[tensor.Columns];
            Array.Fill(unset, float.NaN);
            ushort[] row = Rounded(unset);
            for (int t = 0; t < tensor.Rows; t++)
            {
                backend.Upload<ushort>(row, tensor.SliceRows(t, 1));
            }
        }
        else
        {
            int step = Math.Max(1, operand.Values.Length / Math.Max(1, tensor.Columns));
            for (int row = 0; row < tensor.Rows; row += step)
            {
                Tensor block = tensor.SliceRows(row, Math.Min(step, tensor.Rows - row));
                Span<float> values = operand.Values.AsSpan(0, (int)block.ElementCount);
                if (tensor.DType == DType.BFloat16)
                {
                    backend.Upload<ushort>(Rounded(values), block);
                }
                else
                {
                    backend.Upload<float>(values, block);
                }
            }
        }
    }

    private Tensor Allocate(DType type, int rows, int columns)
    {
        TensorMemory memory = backend.Allocate(type, (nint)rows * columns);
        _owned.Add(memory);
        return memory.Shape(rows, columns);
    }

    private static ushort[] Rounded(ReadOnlySpan<float> values)
    {
        ushort[] rounded = new ushort[values.Length];
        BFloat16Rounding.Round(values, rounded);
        return rounded;
    }

    /// <summary>Box and Muller's transform.</summary>
    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

/// <summary>A tensor of a case; <paramref name="Values"/> is what its rows hold before the operation, over and over.</summary>
internal sealed record KernelOperand(string Name, KernelRole Role, Tensor Tensor, float[] Values);

internal enum KernelRole
{
    Input,
    Output,
    Changed,
}
