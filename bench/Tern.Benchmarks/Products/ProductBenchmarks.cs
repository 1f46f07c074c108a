using BenchmarkDotNet.Attributes;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks.Products;

/// <summary>One projection of a batch and of a query, and a loop with nothing to do, on every path and on one and two threads.</summary>
public class ProductBenchmarks
{
    private WorkerPool _pool = null!;
    private NativeMatrix _input = null!;
    private NativeMatrix _weight = null!;
    private NativeMatrix _output = null!;
    private SimdPath _path = null!;

    public static IEnumerable<string> PathNames => SimdPaths.Available.Select(p => p.Name);

    [ParamsSource(nameof(PathNames))]
    public string Path { get; set; } = "";

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _path = SimdPaths.Available.Single(p => p.Name == Path);
        _pool = new WorkerPool(Threads);
        _input = new NativeMatrix(2048, 192);
        _weight = new NativeMatrix(512, 192);
        _output = new NativeMatrix(2048, 512);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _pool.Dispose();
        _input.Dispose();
        _weight.Dispose();
        _output.Dispose();
    }

    [Benchmark]
    public void ProjectBatch() => Project(2048);

    [Benchmark]
    public void ProjectQuery() => Project(8);

    [Benchmark]
    public void EmptyLoop() => _pool.Run(2, static _ => { });

    private void Project(int rows) =>
        MatrixProduct.Multiply(_path.Kernels.Products, _pool, _input.Tensor.SliceRows(0, rows), false, _weight.Tensor, true, false, _output.Tensor.SliceRows(0, rows));
}
