using Tern.Compute;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;

namespace Tern.Kernels.Tests.Checks;

internal static class LossChecks
{
    private const float Inverse = 1.7f;
    private const float Weight = 0.4f;

    private static readonly (int Rows, int Columns)[] Shapes = [(1, 2), (3, 7), (2, 300)];

    public static void InfoNce(EmulatedKernels kernels)
    {
        foreach ((int rows, int columns) in Shapes)
        {
            using HostMatrix scores = KernelValues.Normal(1, rows, columns, scale: 5), d = KernelValues.Normal(2, rows, columns), losses = new(1, rows), totals = new(1, rows);
            int[] targets = TestValues.Integers(rows, columns, 3);
            using HostMatrix labels = HostMatrix.Integers(targets);
            double[] x = scores.Doubles(), total = new double[rows], before = d.Doubles();
            double[] Forward() => LossOracles.InfoNce(x, targets, Inverse, total);
            double[] expected = Forward();
            kernels.Launch("tern_info_nce_forward_f32", scores, labels, Inverse, rows, columns, totals, losses);
            totals.ShouldBe("log Σ exp", total, Tolerance.For(DType.Float32, columns));
            losses.ShouldBe("losses", expected, Tolerance.For(DType.Float32, columns).Times(4));
            kernels.Launch("tern_info_nce_backward_f32", scores, labels, totals, Inverse, Weight, rows, columns, d);
            d.ShouldBe("dScores", before.Plus(CentralDifferences.Gradient(Forward, x, Weights(rows))), Tolerance.For(DType.Float32, columns).Times(4));
        }
    }

    public static void KlDivergence(EmulatedKernels kernels)
    {
        foreach ((int rows, int columns) in Shapes)
        {
            using HostMatrix student = KernelValues.Normal(1, rows, columns), teacher = KernelValues.Normal(2, rows, columns, scale: 2), d = KernelValues.Normal(3, rows, columns), losses = new(1, rows);
            double[] x = student.Doubles(), t = teacher.Doubles(), before = d.Doubles();
            double[] Forward() => LossOracles.KlDivergence(x, t, Inverse, columns);
            kernels.Launch("tern_kl_divergence_forward_f32", student, teacher, Inverse, rows, columns, losses);
            losses.ShouldBe("losses", Forward(), Tolerance.For(DType.Float32, columns).Times(4));
            kernels.Launch("tern_kl_divergence_backward_f32", student, teacher, Inverse, Weight, rows, columns, d);
            d.ShouldBe("dStudent", before.Plus(CentralDifferences.Gradient(Forward, x, Weights(rows))), Tolerance.For(DType.Float32, columns).Times(4));
        }

        using HostMatrix even = KernelValues.Of([1f, 1, 1], 1, 3), excluded = KernelValues.Of([0f, 0, float.NegativeInfinity], 1, 3), loss = new(1, 1);
        kernels.Launch("tern_kl_divergence_forward_f32", even, excluded, 1f, 1, 3, loss);
        loss.ShouldBe("loss with an excluded candidate", [Math.Log(1.5)], Tolerance.For(DType.Float32, 16).Times(4));
    }

    public static void MarginMse(EmulatedKernels kernels)
    {
        foreach ((int rows, int columns) in Shapes)
        {
            using HostMatrix student = KernelValues.Normal(1, rows, columns), teacher = KernelValues.Normal(2, rows, columns, scale: 2), d = KernelValues.Normal(3, rows, columns), losses = new(1, rows);
            double[] x = student.Doubles(), t = teacher.Doubles(), before = d.Doubles();
            double[] Forward() => LossOracles.MarginMse(x, t, Inverse, columns);
            kernels.Launch("tern_margin_mse_forward_f32", student, teacher, Inverse, rows, columns, losses);
            losses.ShouldBe("losses", Forward(), Tolerance.For(DType.Float32, columns));
            kernels.Launch("tern_margin_mse_backward_f32", student, teacher, Inverse, Weight, rows, columns, d);
            d.ShouldBe("dStudent", before.Plus(CentralDifferences.Gradient(Forward, x, Weights(rows))), Tolerance.For(DType.Float32, columns));
        }
    }

    public static void GatherColumns(EmulatedKernels kernels)
    {
        foreach ((int rows, int columns, int count) in new[] { (1, 1, 1), (3, 7, 9), (2, 40, 300) })
        {
            int[] picks = TestValues.Integers(rows * count, columns, 4);
            using HostMatrix source = KernelValues.Normal(1, rows, columns, pitch: columns + 3), gathered = new(rows, count), d = KernelValues.Normal(2, rows, count), dSource = KernelValues.Normal(3, rows, columns, pitch: columns + 1);
            using HostMatrix indices = HostMatrix.Integers(picks);
            kernels.Launch("tern_gather_columns_forward_f32", source, columns + 3, indices, rows, count, gathered);
            gathered.ShouldBe("columns", LossOracles.GatherColumns(source.Doubles(), picks, rows), new Tolerance(0));
            double[] expected = dSource.Doubles();
            for (int i = 0; i < picks.Length; i++)
            {
                expected[(i / count * columns) + picks[i]] += d.Doubles()[i];
            }

            kernels.Launch("tern_gather_columns_backward_f32", d, indices, rows, count, columns + 1, dSource);
            dSource.ShouldBe("dSource", expected, Tolerance.For(DType.Float32, count));
        }
    }

    public static void Flops(EmulatedKernels kernels)
    {
        foreach ((int rows, int columns) in new[] { (1, 1), (3, 7), (5, 300) })
        {
            using HostMatrix values = KernelValues.Normal(1, rows, columns, pitch: columns + 3), means = new(1, columns), d = KernelValues.Normal(2, rows, columns, pitch: columns + 1);
            double[] x = values.Doubles(), expected = new double[columns], before = d.Doubles();
            double flops = LossOracles.Flops(x, rows, columns, expected);
            kernels.Launch("tern_column_means_f32", values, columns + 3, rows, columns, means);
            means.ShouldBe("means", expected, Tolerance.For(DType.Float32, rows));
            OptimizerChecks.SumOfSquaresShouldBe(kernels, means, flops, Tolerance.For(DType.Float32, rows).Relative);
            kernels.Launch("tern_flops_backward_f32", values, columns + 3, means, Weight, rows, columns, columns + 1, d);
            d.ShouldBe("dValues", before.Plus([.. x.Select((v, i) => Weight * 2 / rows * expected[i % columns] * Math.Sign(v))]), Tolerance.For(DType.Float32, rows));
        }
    }

    private static double[] Weights(int rows) => [.. Enumerable.Repeat((double)Weight, rows)];
}
