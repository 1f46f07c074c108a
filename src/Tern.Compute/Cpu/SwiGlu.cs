using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>y = gate · σ(gate) · up, elementwise.</summary>
internal static unsafe class SwiGlu
{
    public static void Forward(WorkerPool pool, Tensor gate, Tensor up, Tensor destination)
    {
        Operand.Check(gate);
        Operand.Check(up, gate.Rows, gate.Columns);
        Operand.Check(destination, gate.Rows, gate.Columns);
        ElementChunks chunks = new(gate, gate.IsContiguous && up.IsContiguous && destination.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, gate, up, destination),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                float* gate = s.chunks.Start(s.gate, task);
                float* up = s.chunks.Start(s.up, task);
                float* destination = s.chunks.Start(s.destination, task);
                Forward(gate, up, destination, s.chunks.Length(task));
            });
    }

    /// <summary>As the other overload, for <paramref name="count"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward(float* gate, float* up, float* destination, int count)
    {
        int i = 0;
        for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
        {
            Gate(Vector256.Load(gate + i), Vector256.Load(up + i)).Store(destination + i);
        }

        if (i < count)
        {
            VectorMath.Store(Gate(VectorMath.Load(gate + i, count - i), VectorMath.Load(up + i, count - i)), destination + i, count - i);
        }
    }

    /// <summary>With σ = σ(gate): dUp = dy · gate · σ; dGate = dy · up · σ · (1 + gate · (1 − σ)).</summary>
    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp)
    {
        Operand.Check(gate);
        Operand.Check(dOutput, gate.Rows, gate.Columns);
        Operand.Check(up, gate.Rows, gate.Columns);
        Operand.Check(dGate, gate.Rows, gate.Columns);
        Operand.Check(dUp, gate.Rows, gate.Columns);
        ElementChunks chunks = new(gate, dOutput.IsContiguous && gate.IsContiguous && up.IsContiguous && dGate.IsContiguous && dUp.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, dOutput, gate, up, dGate, dUp),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                float* dOutput = s.chunks.Start(s.dOutput, task);
                float* gate = s.chunks.Start(s.gate, task);
                float* up = s.chunks.Start(s.up, task);
                float* dGate = s.chunks.Start(s.dGate, task);
                float* dUp = s.chunks.Start(s.dUp, task);
                int count = s.chunks.Length(task);
                int i = 0;
                for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
                {
                    (Vector256<float> towardsGate, Vector256<float> towardsUp) = Differentiate(Vector256.Load(dOutput + i), Vector256.Load(gate + i), Vector256.Load(up + i));
                    towardsGate.Store(dGate + i);
                    towardsUp.Store(dUp + i);
                }

                if (i < count)
                {
                    int left = count - i;
                    (Vector256<float> towardsGate, Vector256<float> towardsUp) = Differentiate(VectorMath.Load(dOutput + i, left), VectorMath.Load(gate + i, left), VectorMath.Load(up + i, left));
                    VectorMath.Store(towardsGate, dGate + i, left);
                    VectorMath.Store(towardsUp, dUp + i, left);
                }
            });
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Gate(Vector256<float> gate, Vector256<float> up) => gate * VectorMath.Sigmoid(new FloatVector256(gate)).Value * up;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> DGate, Vector256<float> DUp) Differentiate(Vector256<float> dy, Vector256<float> gate, Vector256<float> up)
    {
        Vector256<float> one = Vector256<float>.One, sigmoid = VectorMath.Sigmoid(new FloatVector256(gate)).Value, common = dy * sigmoid;
        return (common * up * VectorMath.MultiplyAdd(gate, one - sigmoid, one), common * gate);
    }
}
