using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Tern.Retrieval;

namespace Tern.Benchmarks.Retrieval;

/// <summary>
/// The rows of the dense bench: everything runs in turns, each row's time is the best and the median of its calls. Where one
/// thread works it is that thread's processor time, which other programs disturb less.
/// </summary>
internal sealed unsafe class DenseTable : IDisposable
{
    private const int BatchSize = 64;

    private readonly int _count;
    private readonly int _dimension;
    private readonly int _k;
    private readonly int _threads;
    private readonly NativeMatrix _rows;
    private readonly float[][] _queries;
    private readonly DenseIndex _int8;
    private readonly DenseIndex _bfloat16;
    private int _next;

    public DenseTable(int count, int dimension, int k, int threads, string directory)
    {
        (_count, _dimension, _k, _threads) = (count, dimension, k, threads);
        _rows = new NativeMatrix(count, dimension);
        var random = new Random(7);
        for (nint i = 0; i < (nint)count * dimension; i++)
        {
            // Sums of three: near a normal distribution, as the elements of embeddings are.
            _rows.Address[i] = (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5);
        }

        _queries = [.. Enumerable.Range(0, BatchSize).Select(_ => Enumerable.Range(0, dimension).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5)).ToArray())];
        _int8 = Build(Path.Combine(directory, "int8"), DenseScan.Int8);
        _bfloat16 = Build(Path.Combine(directory, "bf16"), DenseScan.BFloat16);
    }

    public void Write(TextWriter output, string? faissPath, string faissVersion, string openBlasPath, TimeSpan budget)
    {
        output.WriteLine(Machine.Description);
        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_count:N0} vectors of {_dimension} elements, k = {_k}; single queries on one thread, batches of {BatchSize} on {_threads}; Faiss {(faissPath is null ? "is not here" : faissVersion)}. One thread: its processor time; more: wall time."));
        output.WriteLine();
        using FaissPeer? faiss = faissPath is null ? null : new FaissPeer(faissPath, _rows.Address, _count, _dimension, 32);
        using FaissPeer? faissBytes = faissPath is null ? null : new FaissPeer(faissPath, _rows.Address, _count, _dimension, 8);
        OpenBlasGemm? openBlas = OpenBlasGemm.TryLoad(openBlasPath);
        long elements = (long)_count * _dimension;
        var hits = new Hit[_k];
        var single = new List<(string Name, long Bytes, Action Run)>
        {
            ("memory, read", elements * 4, () => Read(_rows.Address, (nint)elements)),
            ("Tern, float32", elements * 4, () => _int8.Search(Query(), hits, default, DenseScan.Float32)),
            ("Tern, bfloat16 then float32", (elements * 2) + (8L * _count), () => _bfloat16.Search(Query(), hits)),
            ("Tern, int8 then float32", elements + (12L * _count), () => _int8.Search(Query(), hits)),
        };
        if (faiss is not null)
        {
            single.Add(("Faiss, IndexFlatIP", elements * 4, () => faiss.Search([Query()], _k, 1)));
            single.Add(("Faiss, scalar quantizer 8 bit (approximate)", elements, () => faissBytes!.Search([Query()], _k, 1)));
        }

        double[][] times = Interleaved.Measure([.. single.Select(row => (row.Run, 0))], () => ThreadClock.Seconds, budget, 5);
        double bandwidth = single[0].Bytes / times[0][0];
        output.WriteLine("| single query | best ms | median ms | GB/s | of the read bandwidth | Faiss's flat index ÷ this |");
        output.WriteLine("|---|---:|---:|---:|---:|---:|");
        for (int i = 0; i < single.Count; i++)
        {
            double speed = single[i].Bytes / times[i][0];
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {single[i].Name} | {1e3 * times[i][0]:0.00} | {1e3 * Interleaved.Median(times[i]):0.00} | {speed / 1e9:0.0} | {speed / bandwidth:0.00} | {(faiss is null || i == 0 ? "" : $"{times[4][0] / times[i][0]:0.0}")} |"));
        }

        output.WriteLine();
        WriteBatches(output, faiss, openBlas, budget);
    }

    public void Dispose()
    {
        _rows.Dispose();
        _int8.Dispose();
        _bfloat16.Dispose();
    }

    private void WriteBatches(TextWriter output, FaissPeer? faiss, OpenBlasGemm? openBlas, TimeSpan budget)
    {
        var batches = new List<(string Name, int Spin, Action Run)> { ("Tern, float32", 0, () => _int8.SearchBatch(_queries, _k, _threads)) };
        float[] packed = [.. _queries.SelectMany(query => query)];
        if (openBlas is not null)
        {
            batches.Add((openBlas.Name + ", the product alone", 60, () => openBlas.Multiply(packed, BatchSize, _rows.Address, _count, _dimension, _threads)));
        }

        if (faiss is not null)
        {
            batches.Add(("Faiss, IndexFlatIP", 60, () => faiss.Search(_queries, _k, _threads)));
        }

        double[][] times = Interleaved.Measure([.. batches.Select(row => (row.Run, row.Spin))], _threads == 1 ? () => ThreadClock.Seconds : Interleaved.WallSeconds, budget, 5);
        output.WriteLine($"| batch of {BatchSize} | best ms | median ms | GFLOP/s | Tern ÷ this |");
        output.WriteLine("|---|---:|---:|---:|---:|");
        double operations = 2.0 * BatchSize * _count * _dimension;
        for (int i = 0; i < batches.Count; i++)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {batches[i].Name} | {1e3 * times[i][0]:0.0} | {1e3 * Interleaved.Median(times[i]):0.0} | {operations / times[i][0] / 1e9:0} | {times[0][0] / times[i][0]:0.00} |"));
        }
    }

    private float[] Query() => _queries[_next++ % BatchSize];

    private DenseIndex Build(string directory, DenseScan scan)
    {
        using (var builder = new DenseIndexBuilder(directory, _dimension, "", scan))
        {
            for (int i = 0; i < _count; i++)
            {
                builder.Add(i.ToString("D8", CultureInfo.InvariantCulture), new ReadOnlySpan<float>(_rows.Address + ((nint)i * _dimension), _dimension));
            }

            builder.Complete();
        }

        return DenseIndex.Open(directory);
    }

    /// <summary>What reading costs when nothing else is done: sixteen loads and additions a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Read(float* values, nint count)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (nint i = 0; i <= count - 64; i += 64)
        {
            a += Vector512.Load(values + i);
            b += Vector512.Load(values + i + 16);
            c += Vector512.Load(values + i + 32);
            d += Vector512.Load(values + i + 48);
        }

        return Vector512.Sum(a + b + c + d);
    }

    /// <summary>OpenBLAS's product of the queries with blocks of rows.</summary>
    private sealed class OpenBlasGemm
    {
        private const int RowMajor = 101, Plain = 111, Transposed = 112, BlockRows = 4096;

        private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _sgemm;
        private readonly delegate* unmanaged<int, void> _setThreads;
        private readonly float[] _scores = new float[BatchSize * BlockRows];

        private OpenBlasGemm(nint library)
        {
            _sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)NativeLibrary.GetExport(library, "cblas_sgemm");
            _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
            var name = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, "openblas_get_corename");
            Name = $"OpenBLAS ({Marshal.PtrToStringUTF8((nint)name())})";
        }

        public string Name { get; }

        public static OpenBlasGemm? TryLoad(string path) => NativeLibrary.TryLoad(path, out nint library) ? new OpenBlasGemm(library) : null;

        public void Multiply(float[] queries, int queryCount, float* rows, int count, int dimension, int threads)
        {
            _setThreads(threads);
            fixed (float* q = queries, scores = _scores)
            {
                for (int row = 0; row < count; row += BlockRows)
                {
                    int n = Math.Min(BlockRows, count - row);
                    _sgemm(RowMajor, Plain, Transposed, queryCount, n, dimension, 1f, q, dimension, rows + ((nint)row * dimension), dimension, 0f, scores, n);
                }
            }
        }
    }
}
