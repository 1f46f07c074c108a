using Tern.Compute;
using Tern.TestKit;

namespace Tern.Kernels.Tests.Checks;

internal static class SwiGluChecks
{
    public static void Check(EmulatedKernels kernels, DType type)
    {
        foreach ((int rows, int columns, int pitch) in new[] { (1, 1, 1), (3, 7, 9), (2, 40, 48), (2, 2056, 4112) })
        {
            using HostMatrix gate = KernelValues.Normal(1, rows, columns, type, pitch, scale: 12), up = KernelValues.Normal(2, rows, columns, type, pitch);
            using HostMatrix d = KernelValues.Normal(3, rows, columns, type), output = new(rows, columns, type, pitch);
            double[] g = gate.Doubles(), u = up.Doubles(), dh = d.Doubles(), h = new double[g.Length], dg = new double[g.Length], du = new double[g.Length];
            for (int i = 0; i < g.Length; i++)
            {
                double s = 1 / (1 + Math.Exp(-g[i]));
                h[i] = g[i] * s * u[i];
                dg[i] = dh[i] * u[i] * s * (1 + (g[i] * (1 - s)));
                du[i] = dh[i] * g[i] * s;
            }

            kernels.Launch($"tern_swiglu_forward_{type.Suffix()}", gate, pitch, up, pitch, rows, columns, pitch, output);
            Tolerance tolerance = type.Tolerance(8).Times(2); // where 1 + g · (1 − s) cancels
            output.ShouldBe($"h [{rows}, {columns}]", h, tolerance);

            // In place: the gradients overwrite what the forward kept.
            kernels.Launch($"tern_swiglu_backward_{type.Suffix()}", d, columns, gate, pitch, up, pitch, rows, columns, pitch, pitch, gate, up);
            gate.ShouldBe("dGate", dg, tolerance);
            up.ShouldBe("dUp", du, tolerance);
        }
    }
}
