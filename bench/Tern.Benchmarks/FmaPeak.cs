using System.Runtime.CompilerServices;
using Tern.Compute.Cpu;

namespace Tern.Benchmarks;

/// <summary>The most multiply-adds that one core can do: twelve independent chains that never leave the registers.</summary>
internal static unsafe class FmaPeak
{
    /// <summary>Operations of one round: a multiply and an add are two.</summary>
    public static double RoundFlops<TVector>()
        where TVector : unmanaged, IFloatVector<TVector> => 2.0 * 12 * TVector.Count;

    /// <summary>GFLOP/s of one thread, the best of a few short runs.</summary>
    public static double Measure<TVector>()
        where TVector : unmanaged, IFloatVector<TVector>
    {
        const int Rounds = 1_000_000;
        Run<TVector>(Rounds / 10);
        double best = double.MaxValue;
        for (int repeat = 0; repeat < 10; repeat++)
        {
            double start = ThreadClock.Seconds;
            Run<TVector>(Rounds);
            best = Math.Min(best, ThreadClock.Seconds - start);
        }

        return RoundFlops<TVector>() * Rounds / best / 1e9;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TVector>(int rounds)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        float* sink = stackalloc float[TVector.Count];
        TVector x = TVector.Broadcast(0.999f), y = TVector.Broadcast(0.001f);
        TVector a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (; rounds > 0; rounds--)
        {
            a.AddProduct(x, y);
            b.AddProduct(x, y);
            c.AddProduct(x, y);
            d.AddProduct(x, y);
            e.AddProduct(x, y);
            f.AddProduct(x, y);
            g.AddProduct(x, y);
            h.AddProduct(x, y);
            i.AddProduct(x, y);
            j.AddProduct(x, y);
            k.AddProduct(x, y);
            l.AddProduct(x, y);
        }

        TVector sum = TVector.Add(TVector.Add(TVector.Add(a, b), TVector.Add(c, d)), TVector.Add(TVector.Add(e, f), TVector.Add(g, h)));
        TVector.Add(sum, TVector.Add(TVector.Add(i, j), TVector.Add(k, l))).Store(sink);
    }
}
