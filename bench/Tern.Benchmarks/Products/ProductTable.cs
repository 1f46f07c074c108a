using System.Globalization;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks.Products;

/// <summary>What the <c>products</c> verb is told on its command line.</summary>
internal sealed record ProductTableOptions(SimdPath Path, string Shapes, int[] ThreadCounts, double Seconds, int Rounds, bool Best, string? OpenBlas, string? OneDnn, string? PeakLibrary)
{
    public ProductPrecision Precision { get; init; } = ProductPrecision.Float32;

    /// <summary>Only shapes whose use and sizes contain this.</summary>
    public string Use { get; init; } = "";

    public ProductKernels Kernels => Precision == ProductPrecision.BFloat16 ? ProductKernels.BFloat16 : Path.Kernels.Products;
}

/// <summary>
/// The <c>products</c> verb: GFLOP/s of products, of the other libraries' on the same operands, and of bare multiply-adds,
/// all measured in turns. One thread is timed by its processor time, more by the wall clock.
/// </summary>
internal sealed class ProductTable : IDisposable
{
    private readonly TextWriter _output;
    private readonly ProductTableOptions _options;
    private readonly TernProduct _tern;
    private readonly List<IProductLibrary> _libraries;
    private readonly PeakProbe _peak;

    private ProductTable(TextWriter output, ProductTableOptions options)
    {
        _output = output;
        _options = options;
        _tern = new TernProduct(options.Kernels, options.Path.Name);
        _libraries = [_tern, .. PeerLibraries.Load(options.OpenBlas, options.OneDnn, output)];
        _peak = options.Precision == ProductPrecision.BFloat16 ? PeakProbe.BFloat16() : PeakProbe.Managed(options.Path);
    }

    public static void Write(TextWriter output, ProductTableOptions options)
    {
        using ProductTable table = new(output, options);
        table.WriteHeading();
        ProductShape[] shapes = [.. options.Shapes switch { "all" => ProductShapes.All, "few" => ProductShapes.Few, _ => ProductShapes.Selection }];
        shapes = [.. shapes.Where(s => $"{s.Use} {s.M} x {s.N} x {s.K}".Contains(options.Use, StringComparison.Ordinal))];
        foreach (int threads in options.ThreadCounts)
        {
            table._libraries.ForEach(l => l.SetThreads(threads));
            table.WriteProducts(threads, shapes);
            if (options.Use.Length == 0)
            {
                MaxPoolTable.Write(output, options, table._tern.Pool, table._libraries, table._peak);
            }
        }
    }

    public void Dispose() => _libraries.ForEach(l => l.Dispose());

    private void WriteHeading()
    {
        _output.WriteLine($"# Products, {_options.Precision.ToName()}\n");
        _output.WriteLine(Machine.Description);
        foreach (IProductLibrary library in _libraries)
        {
            _output.WriteLine($"{library.Name}: {library.Description}.");
        }

        using WorkerPool one = new(1);
        IEnumerable<PeakProbe> probes = [.. SimdPaths.Available.Select(PeakProbe.Managed), .. PeakProbe.Native(_options.PeakLibrary)];
        foreach (PeakProbe probe in probes)
        {
            double[] seconds = Interleaved.Measure([(() => probe.Run(one), 0)], () => ThreadClock.Seconds, TimeSpan.FromSeconds(0.3), 3)[0];
            _output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Multiply-add peak of one core, {probe.Name}: median {probe.FlopCount / Interleaved.Median(seconds) / 1e9:F0}, best {probe.FlopCount / seconds[0] / 1e9:F0} GFLOP/s."));
        }

        _output.WriteLine($"Figures are GFLOP/s, {(_options.Best ? "best" : "median")} of all calls, packing included; layout: N as stored, T transposed, left then right; TN adds to its destination.");
        _output.WriteLine("Shares are of the multiply-add peak measured between these calls, ratios of Tern's rate to the other library's.");
    }

    private void WriteProducts(int threads, ProductShape[] shapes)
    {
        _output.WriteLine($"\n## {threads} {(threads == 1 ? "thread, its processor time" : "threads, wall clock")}\n");
        IProductLibrary[] peers = [.. _libraries.Skip(1)];
        _output.WriteLine($"| use | M x N x K | layout | peak | Tern | of peak |{string.Concat(peers.Select(p => $" {p.Name} | Tern / {p.Name} |"))}");
        _output.WriteLine($"| --- | --- | --- | ---: | ---: | ---: |{string.Concat(peers.Select(_ => " ---: | ---: |"))}");
        List<(ProductShape Shape, double Share, double[] Ratios)> rows = [];
        foreach (ProductShape shape in shapes)
        {
            using ProductOperands operands = new(shape);
            foreach (IProductLibrary library in _libraries)
            {
                operands.Check(library.Name, library == _tern && _options.Precision == ProductPrecision.BFloat16 ? 8e-3 : 1e-5, () => library.Multiply(operands));
            }

            double[] rates = Rates(threads, shape.FlopCount, _libraries.Select(l => ((Action)(() => l.Multiply(operands)), l.SpinMilliseconds)), _peak, _tern.Pool, _options);
            double share = rates[1] / rates[0];
            double[] ratios = [.. rates.Skip(2).Select(r => rates[1] / r)];
            rows.Add((shape, share, ratios));
            string peerCells = string.Concat(rates.Skip(2).Zip(ratios, (rate, ratio) => string.Create(CultureInfo.InvariantCulture, $" {rate:F0} | {ratio:F2} |")));
            _output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {shape.Use} | {shape.M} x {shape.N} x {shape.K} | {shape.Layout} | {rates[0]:F0} | {rates[1]:F0} | {share:P0} |{peerCells}"));
            _output.Flush();
        }

        WriteSummary("K ≥ 256", rows.Where(r => r.Shape.K >= 256), peers);
        WriteSummary("K < 256", rows.Where(r => r.Shape.K < 256), peers);
    }

    private void WriteSummary(string which, IEnumerable<(ProductShape Shape, double Share, double[] Ratios)> rows, IProductLibrary[] peers)
    {
        var all = rows.ToArray();
        if (all.Length == 0)
        {
            return;
        }

        double[] shares = [.. all.Select(r => r.Share).Order()];
        string ratios = string.Concat(peers.Select((peer, i) =>
        {
            double[] ratio = [.. all.Select(r => r.Ratios[i]).Order()];
            return string.Create(CultureInfo.InvariantCulture, $"; of {peer.Name}'s rate: least {ratio[0]:F2}, median {ratio[ratio.Length / 2]:F2}, {ratio.Count(r => r >= 0.95)} of {ratio.Length} at 0.95 or more");
        }));
        _output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{which}: share of the peak: least {shares[0]:P0}, median {shares[shares.Length / 2]:P0}{ratios}."));
    }

    /// <summary>GFLOP/s of the peak on the pool's threads, then of each action.</summary>
    internal static double[] Rates(int threads, double flopCount, IEnumerable<(Action Run, int SpinMilliseconds)> actions, PeakProbe peak, WorkerPool pool, ProductTableOptions options)
    {
        (Action, int)[] turns = [(() => peak.Run(pool), 0), .. actions.Select(a => (a.Run, threads == 1 ? 0 : a.SpinMilliseconds))];
        double[][] seconds = Interleaved.Measure(turns, threads == 1 ? () => ThreadClock.Seconds : Interleaved.WallSeconds, TimeSpan.FromSeconds(options.Seconds), options.Rounds);
        return [.. seconds.Select((s, i) => (i == 0 ? peak.FlopCount * threads : flopCount) / (options.Best ? s[0] : Interleaved.Median(s)) / 1e9)];
    }
}
