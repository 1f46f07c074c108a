using Tern.Compute.Cpu;
using Tern.Compute.Threading;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public class MaxPoolProductTests
{
    // Lengths around the heights of register tiles and blocks of rows, and empty sequences first, last and between.
    private static readonly int[] Lengths = [0, 1, 5, 0, 0, 13, 6, 14, 2, 33, 1, 0];

    public static TheoryData<string> PathNames() => MatrixProductTests.PathNames();

    [Theory]
    [MemberData(nameof(PathNames))]
    public void MaximaAreThoseOfTheOracle(string path)
    {
        using WorkerPool pool = new(2);
        foreach ((int vocabulary, int depth, DType type, bool biased) in new[] { (1, 1, DType.Float32, true), (31, 17, DType.BFloat16, false), (100, 33, DType.Float32, true), (257, 8, DType.BFloat16, true) })
        {
            using Case c = new(vocabulary, depth, type, biased);
            c.Forward(path, pool);

            double Logit(int i, int v) => Enumerable.Range(0, depth).Sum(k => (double)c.Hidden[i, k] * c.Weight[v, k]);
            double Magnitude(int i, int v) => Enumerable.Range(0, depth).Sum(k => Math.Abs((double)c.Hidden[i, k] * c.Weight[v, k]));
            IEnumerable<int> Rows(int b) => Enumerable.Range(c.Starts.Integer(0, b), c.Starts.Integer(0, b + 1) - c.Starts.Integer(0, b));
            double Bias(int v) => biased ? c.Bias[0, v] : 0;

            OracleAssert.Close(
                $"{path} V={vocabulary} H={depth}",
                c.Maxima,
                (b, v) => Rows(b).Any() ? (Case.Scale * Rows(b).Max(i => Logit(i, v))) + Bias(v) : double.NegativeInfinity,
                (b, v) => Tolerance.OfSum(DType.Float32, depth + 2, (Case.Scale * Rows(b).Select(i => Magnitude(i, v)).DefaultIfEmpty().Max()) + Math.Abs(Bias(v))));
            c.Maxima.AssertGapsUntouched();
            c.ArgMax.AssertGapsUntouched();
        }
    }

    [Theory]
    [MemberData(nameof(PathNames))]
    public void MaximaAndRowsAreThoseOfTheMatrixProductBitForBit(string path)
    {
        (int vocabulary, int depth) = (530, 70);
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using WorkerPool pool = new(threads);
            using Case c = new(vocabulary, depth, DType.Float32, biased: true);
            c.Forward(path, pool);
            using HostMatrix logits = new(c.Hidden.Tensor.Rows, vocabulary);
            MatrixProduct.Multiply(SimdPaths.Available[0].Kernels.Products, pool, c.Hidden.Tensor, false, c.Weight.Tensor, true, false, logits.Tensor);
            for (int b = 0; b < Lengths.Length; b++)
            {
                for (int v = 0; v < vocabulary; v++)
                {
                    int start = c.Starts.Integer(0, b);
                    int best = Lengths[b] == 0 ? -1 : start;
                    for (int i = start; i < c.Starts.Integer(0, b + 1); i++)
                    {
                        best = logits[i, v] > logits[best, v] ? i : best;
                    }

                    float expected = best < 0 ? float.NegativeInfinity : (Case.Scale * logits[best, v]) + c.Bias[0, v];
                    Assert.Equal(best, c.ArgMax.Integer(b, v));
                    Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(c.Maxima[b, v]));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(PathNames))]
    public void EqualLogitsTakeTheFirstRow(string path)
    {
        using WorkerPool pool = new(2);
        using Case c = new(65, 3, DType.Float32, biased: false);
        for (int i = 0; i < c.Hidden.Tensor.Rows; i++)
        {
            for (int k = 0; k < 3; k++)
            {
                c.Hidden[i, k] = 0.5f;
            }
        }

        c.Forward(path, pool);
        for (int b = 0; b < Lengths.Length; b++)
        {
            int first = Lengths[b] == 0 ? -1 : c.Starts.Integer(0, b);
            Assert.All(Enumerable.Range(0, 65), v => Assert.Equal(first, c.ArgMax.Integer(b, v)));
        }
    }

    [Theory]
    [MemberData(nameof(PathNames))]
    public void ANaNLogitIsTheMaximumOfItsSequenceOnly(string path)
    {
        using WorkerPool pool = new(2);
        using Case c = new(65, 9, DType.Float32, biased: true);
        int sequence = Array.IndexOf(Lengths, 33);
        int row = c.Starts.Integer(0, sequence) + 20;
        c.Hidden[row, 4] = float.NaN;
        c.Hidden[row + 2, 4] = float.NaN;
        c.Forward(path, pool);
        for (int v = 0; v < 65; v++)
        {
            for (int b = 0; b < Lengths.Length; b++)
            {
                Assert.Equal(b == sequence, float.IsNaN(c.Maxima[b, v]));
            }

            Assert.Equal(row, c.ArgMax.Integer(sequence, v));
        }

        // And a NaN in one vocabulary entry's weights touches that entry alone.
        using Case d = new(65, 9, DType.Float32, biased: true);
        d.Weight[40, 0] = float.NaN;
        d.Forward(path, pool);
        Assert.All(Enumerable.Range(0, 65), v => Assert.Equal(v == 40, float.IsNaN(d.Maxima[sequence, v])));
    }

    [Theory]
    [MemberData(nameof(PathNames))]
    public void ASequenceAloneHasTheBitsOfTheSequenceInABatch(string path)
    {
        using WorkerPool pool = new(2);
        using Case c = new(300, 40, DType.BFloat16, biased: true);
        c.Forward(path, pool);
        for (int b = 0; b < Lengths.Length; b++)
        {
            int start = c.Starts.Integer(0, b);
            using HostMatrix starts = HostMatrix.Integers(start, start + Lengths[b]);
            using HostMatrix maxima = new(1, 300);
            using HostMatrix argMax = new(1, 300, DType.Int32);
            MaxPoolProduct.Forward(MatrixProductTests.Path(path).Kernels.Products, pool, c.Hidden.Tensor, c.Weight.Tensor, c.Bias.Tensor, starts.Tensor, Case.Scale, maxima.Tensor, argMax.Tensor);
            Assert.Equal(c.Maxima.Bits().AsSpan(b * 300, 300).ToArray(), maxima.Bits());
            Assert.Equal(c.ArgMax.Bits().AsSpan(b * 300, 300).ToArray(), argMax.Bits());
        }
    }

    [Theory]
    [MemberData(nameof(PathNames))]
    public void GradientsAreThoseOfTheOracle(string path)
    {
        foreach ((int vocabulary, int depth, DType type, double density) in new[] { (1, 1, DType.Float32, 1.0), (300, 35, DType.BFloat16, 0.1), (600, 64, DType.Float32, 0.02), (70, 9, DType.Float32, 1.0) })
        {
            using WorkerPool pool = new(2);
            using Case c = new(vocabulary, depth, type, biased: true);
            c.Forward(path, pool);
            using HostMatrix dMaxima = c.SparseGradient(density);
            using HostMatrix dHidden = HostMatrix.Random(5, c.Hidden.Tensor.Rows, depth, pitch: depth + 3);
            using HostMatrix dWeight = HostMatrix.Random(6, vocabulary, depth, pitch: depth + 1);
            using HostMatrix dBias = HostMatrix.Random(7, 1, vocabulary);
            using HostMatrix startHidden = dHidden.Clone(), startWeight = dWeight.Clone(), startBias = dBias.Clone();
            MaxPoolProduct.Backward(MatrixProductTests.Path(path), pool, dMaxima.Tensor, c.ArgMax.Tensor, c.Hidden.Tensor, c.Weight.Tensor, Case.Scale, dHidden.Tensor, dWeight.Tensor, dBias.Tensor);

            Terms hidden = new(startHidden), weight = new(startWeight), bias = new(startBias);
            for (int b = 0; b < Lengths.Length; b++)
            {
                for (int v = 0; v < vocabulary; v++)
                {
                    int i = c.ArgMax.Integer(b, v);
                    double gradient = dMaxima[b, v];
                    if (i >= 0)
                    {
                        bias.Add(0, v, gradient);
                        for (int k = 0; k < depth; k++)
                        {
                            hidden.Add(i, k, Case.Scale * gradient * c.Weight[v, k]);
                            weight.Add(v, k, Case.Scale * gradient * c.Hidden[i, k]);
                        }
                    }
                }
            }

            hidden.AssertClose($"{path} dHidden", dHidden);
            weight.AssertClose($"{path} dWeight", dWeight);
            bias.AssertClose($"{path} dBias", dBias);
        }
    }

    [Fact]
    public void GradientsHaveTheSameBitsOnEveryPathAndThreadCount()
    {
        (int vocabulary, int depth) = (700, 50);
        int[]? expected = null;
        foreach (SimdPath path in SimdPaths.All)
        {
            foreach (int threads in new[] { 1, 2, 4 })
            {
                using WorkerPool pool = new(threads);
                using Case c = new(vocabulary, depth, DType.Float32, biased: true);
                c.Forward(path.Name, pool);
                using HostMatrix dMaxima = c.SparseGradient(0.3);
                using HostMatrix dHidden = HostMatrix.Random(5, c.Hidden.Tensor.Rows, depth);
                using HostMatrix dWeight = HostMatrix.Random(6, vocabulary, depth);
                using HostMatrix dBias = HostMatrix.Random(7, 1, vocabulary);
                MaxPoolProduct.Backward(path, pool, dMaxima.Tensor, c.ArgMax.Tensor, c.Hidden.Tensor, c.Weight.Tensor, Case.Scale, dHidden.Tensor, dWeight.Tensor, dBias.Tensor);
                int[] bits = [.. dHidden.Bits(), .. dWeight.Bits(), .. dBias.Bits()];
                expected ??= bits;
                Assert.Equal(expected, bits);
            }
        }
    }

    [Fact]
    public void FrozenWeightsGetNoGradient()
    {
        using WorkerPool pool = new(2);
        using Case c = new(100, 20, DType.Float32, biased: true);
        c.Forward(SimdPaths.Current.Name, pool);
        using HostMatrix dMaxima = c.SparseGradient(0.2);
        using HostMatrix all = HostMatrix.Random(5, c.Hidden.Tensor.Rows, 20);
        using HostMatrix frozen = all.Clone();
        using HostMatrix dWeight = HostMatrix.Random(6, 100, 20);
        MaxPoolProduct.Backward(pool, dMaxima.Tensor, c.ArgMax.Tensor, c.Hidden.Tensor, c.Weight.Tensor, Case.Scale, all.Tensor, dWeight.Tensor, default);
        MaxPoolProduct.Backward(pool, dMaxima.Tensor, c.ArgMax.Tensor, c.Hidden.Tensor, c.Weight.Tensor, Case.Scale, frozen.Tensor, default, default);
        Assert.Equal(all.Bits(), frozen.Bits());
    }

    [Fact]
    public void NothingIsAllocatedInSteadyState()
    {
        using WorkerPool pool = new(2);
        using Case c = new(500, 20, DType.Float32, biased: true);
        using HostMatrix dMaxima = c.SparseGradient(0.2);
        using HostMatrix dHidden = HostMatrix.Random(5, c.Hidden.Tensor.Rows, 20);
        using HostMatrix dWeight = HostMatrix.Random(6, 500, 20);
        SimdPath path = SimdPaths.Current;
        for (int round = 0; round < 10; round++)
        {
            Round();
        }

        Assert.Equal(0, Allocations.Fewest(Round));

        void Round()
        {
            MaxPoolProduct.Forward(path.Kernels.Products, pool, c.Hidden.Tensor, c.Weight.Tensor, c.Bias.Tensor, c.Starts.Tensor, Case.Scale, c.Maxima.Tensor, c.ArgMax.Tensor);
            MaxPoolProduct.Backward(path, pool, dMaxima.Tensor, c.ArgMax.Tensor, c.Hidden.Tensor, c.Weight.Tensor, Case.Scale, dHidden.Tensor, dWeight.Tensor, default);
        }
    }

    [Fact]
    public void BadOperandsAreRefused()
    {
        using WorkerPool pool = new(1);
        using Case c = new(30, 4, DType.Float32, biased: true);
        using HostMatrix backwards = HostMatrix.Integers([.. Enumerable.Range(0, Lengths.Length + 1).Select(i => i == 3 ? 1000 : i)]);
        void Forward(Tensor weight, Tensor starts, float scale) => MaxPoolProduct.Forward(SimdPaths.Current.Kernels.Products, pool, c.Hidden.Tensor, weight, c.Bias.Tensor, starts, scale, c.Maxima.Tensor, c.ArgMax.Tensor);
        Assert.Contains("sequence start 3 is 1000", Assert.Throws<ArgumentException>(() => Forward(c.Weight.Tensor, backwards.Tensor, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Forward(c.Weight.Tensor, c.Starts.Tensor, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Forward(c.Weight.Tensor, c.Starts.Tensor, float.NaN));
        Assert.Throws<ArgumentException>(() => Forward(c.Weight.Tensor with { Rows = 29 }, c.Starts.Tensor, 1));

        c.Forward(SimdPaths.Current.Name, pool);
        using HostMatrix dMaxima = c.SparseGradient(1);
        using HostMatrix dHidden = c.Hidden.Clone();
        c.ArgMax.SetInteger(1, 7, c.Hidden.Tensor.Rows);
        ArgumentException row = Assert.Throws<ArgumentException>(
            () => MaxPoolProduct.Backward(pool, dMaxima.Tensor, c.ArgMax.Tensor, c.Hidden.Tensor, c.Weight.Tensor, 1, dHidden.Tensor, default, default));
        Assert.Contains("argMax[1, 7]", row.Message, StringComparison.Ordinal);
    }

    /// <summary>Operands of one forward, with a row before the first sequence and two after the last.</summary>
    private sealed class Case : IDisposable
    {
        public const float Scale = 0.75f;

        public Case(int vocabulary, int depth, DType type, bool biased)
        {
            int[] starts = new int[Lengths.Length + 1];
            starts[0] = 1;
            for (int b = 0; b < Lengths.Length; b++)
            {
                starts[b + 1] = starts[b] + Lengths[b];
            }

            Starts = HostMatrix.Integers(starts);
            Hidden = HostMatrix.Random(1, starts[^1] + 2, depth, pitch: depth + 1);
            Weight = HostMatrix.Random(2, vocabulary, depth, type, depth + 2);
            Bias = HostMatrix.Random(3, 1, vocabulary);
            Maxima = new HostMatrix(Lengths.Length, vocabulary, pitch: vocabulary + 3);
            ArgMax = new HostMatrix(Lengths.Length, vocabulary, DType.Int32, vocabulary + 5);
            _biased = biased;
        }

        private readonly bool _biased;

        public HostMatrix Starts { get; }

        public HostMatrix Hidden { get; }

        public HostMatrix Weight { get; }

        public HostMatrix Bias { get; }

        public HostMatrix Maxima { get; }

        public HostMatrix ArgMax { get; }

        public void Forward(string path, WorkerPool pool) =>
            MaxPoolProduct.Forward(MatrixProductTests.Path(path).Kernels.Products, pool, Hidden.Tensor, Weight.Tensor, _biased ? Bias.Tensor : default, Starts.Tensor, Scale, Maxima.Tensor, ArgMax.Tensor);

        /// <summary>A gradient with about that share of entries other than zero.</summary>
        public HostMatrix SparseGradient(double density)
        {
            HostMatrix gradient = HostMatrix.Random(4, Maxima.Tensor.Rows, Maxima.Tensor.Columns, pitch: Maxima.Tensor.Columns + 1);
            Random random = new(8);
            for (int b = 0; b < gradient.Tensor.Rows; b++)
            {
                for (int v = 0; v < gradient.Tensor.Columns; v++)
                {
                    gradient[b, v] = random.NextDouble() < density ? gradient[b, v] : 0;
                }
            }

            return gradient;
        }

        public void Dispose()
        {
            foreach (HostMatrix matrix in new[] { Starts, Hidden, Weight, Bias, Maxima, ArgMax })
            {
                matrix.Dispose();
            }
        }
    }

    /// <summary>Sums in double precision with their count of terms and their magnitudes, which set the tolerance.</summary>
    private sealed class Terms(HostMatrix start)
    {
        private readonly Dictionary<(int Row, int Column), (double Sum, double Magnitude, int Count)> _sums = [];

        public void Add(int row, int column, double term)
        {
            if (term == 0)
            {
                return;
            }

            (double sum, double magnitude, int count) = _sums.GetValueOrDefault((row, column));
            _sums[(row, column)] = (sum + term, magnitude + Math.Abs(term), count + 1);
        }

        public void AssertClose(string what, HostMatrix actual)
        {
            OracleAssert.Close(
                what,
                actual,
                (i, j) => start[i, j] + _sums.GetValueOrDefault((i, j)).Sum,
                (i, j) => Tolerance.OfSum(DType.Float32, 2 * _sums.GetValueOrDefault((i, j)).Count, Math.Abs(start[i, j]) + _sums.GetValueOrDefault((i, j)).Magnitude));
            actual.AssertGapsUntouched();
        }
    }
}
