using System.Globalization;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks.Products;

/// <summary>
/// The sparse head's product, whose epilogue takes the maximum over each sequence, beside the same product without any
/// epilogue as the other libraries do it, writing all logits.
/// </summary>
internal static class MaxPoolTable
{
    private static readonly (string Use, int Sequences, int Length, int Vocabulary, int Depth)[] Heads =
    [
        ("documents", 64, 40, 8000, 192),
        ("documents", 64, 40, 8000, 128),
        ("one short query", 1, 8, 8000, 192),
        ("Llama's vocabulary", 16, 64, 128_256, 256),
    ];

    public static void Write(TextWriter output, ProductTableOptions options, WorkerPool pool, IReadOnlyList<IProductLibrary> libraries, PeakProbe peak)
    {
        output.WriteLine("\nThe sparse head. Forward: the product with its maximum; the others' figures are their product alone, writing all logits. Backward: a gradient in which every fiftieth entry counts.\n");
        output.WriteLine($"| use | tokens x vocabulary x H | peak | Tern forward | of peak |{string.Concat(libraries.Skip(1).Select(l => $" {l.Name} | ratio |"))} Tern backward |");
        output.WriteLine($"| --- | --- | ---: | ---: | ---: |{string.Concat(libraries.Skip(1).Select(_ => " ---: | ---: |"))} ---: |");
        foreach ((string use, int sequences, int length, int vocabulary, int depth) in Heads)
        {
            using MaxPoolOperands o = new(sequences, length, vocabulary, depth);
            ProductShape shape = new(use, sequences * length, vocabulary, depth, false, true);
            using ProductOperands operands = new(shape);
            double[] rates = ProductTable.Rates(
                pool.ThreadCount,
                shape.FlopCount,
                [(() => MaxPoolProduct.Forward(options.Kernels, pool, o.Hidden.Tensor, o.Weight.Tensor, default, o.Starts.Tensor, 1, o.Maxima.Tensor, o.ArgMax.Tensor), 0), .. libraries.Skip(1).Select(l => ((Action)(() => l.Multiply(operands)), l.SpinMilliseconds))],
                peak,
                pool,
                options);
            double backward = ProductTable.Rates(
                pool.ThreadCount,
                4.0 * (sequences * vocabulary / 50) * depth,
                [(() => MaxPoolProduct.Backward(options.Path, pool, o.Gradient.Tensor, o.ArgMax.Tensor, o.Hidden.Tensor, o.Weight.Tensor, 1, o.DHidden.Tensor, o.DWeight.Tensor, default), 0)],
                peak,
                pool,
                options)[1];
            string peers = string.Concat(rates.Skip(2).Select(r => string.Create(CultureInfo.InvariantCulture, $" {r:F0} | {rates[1] / r:F2} |")));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {use} | {shape.M} x {vocabulary} x {depth} | {rates[0]:F0} | {rates[1]:F0} | {rates[1] / rates[0]:P0} |{peers} {backward:F1} |"));
        }
    }

    /// <summary>Sequences of one length, and a gradient in which every fiftieth entry counts.</summary>
    private sealed class MaxPoolOperands : IDisposable
    {
        public MaxPoolOperands(int sequences, int length, int vocabulary, int depth)
        {
            Hidden = new NativeMatrix(sequences * length, depth);
            Weight = new NativeMatrix(vocabulary, depth);
            Starts = new NativeMatrix(1, sequences + 1, DType.Int32);
            Maxima = new NativeMatrix(sequences, vocabulary);
            ArgMax = new NativeMatrix(sequences, vocabulary, DType.Int32);
            Gradient = new NativeMatrix(sequences, vocabulary);
            DHidden = new NativeMatrix(sequences * length, depth);
            DWeight = new NativeMatrix(vocabulary, depth);
            for (int b = 0; b <= sequences; b++)
            {
                Starts.Tensor.Span<int>()[b] = b * length;
            }

            Span<float> gradient = Gradient.Tensor.Span<float>();
            for (int i = 0; i < gradient.Length; i++)
            {
                gradient[i] = i % 50 == 0 ? 1e-6f : 0;
            }
        }

        public NativeMatrix Hidden { get; }

        public NativeMatrix Weight { get; }

        public NativeMatrix Starts { get; }

        public NativeMatrix Maxima { get; }

        public NativeMatrix ArgMax { get; }

        public NativeMatrix Gradient { get; }

        public NativeMatrix DHidden { get; }

        public NativeMatrix DWeight { get; }

        public void Dispose()
        {
            foreach (NativeMatrix matrix in new[] { Hidden, Weight, Starts, Maxima, ArgMax, Gradient, DHidden, DWeight })
            {
                matrix.Dispose();
            }
        }
    }
}
