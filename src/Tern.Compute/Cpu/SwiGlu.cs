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
            static (task, s) =>
            {
                float* gate = s.chunks.Start(s.gate, task);
                float* up = s.chunks.Start(s.up, task);
                float* destination = s.chunks.Start(s.destination, task);
                int count = s.chunks.Length(task);
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    Vector256<float> g = VectorMath.Load(gate + i, count - i);
                    VectorMath.Store(g * VectorMath.Sigmoid(g) * VectorMath.Load(up + i, count - i), destination + i, count - i);
                }
            });
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
            static (task, s) =>
            {
                float* dOutput = s.chunks.Start(s.dOutput, task);
                float* gate = s.chunks.Start(s.gate, task);
                float* up = s.chunks.Start(s.up, task);
                float* dGate = s.chunks.Start(s.dGate, task);
                float* dUp = s.chunks.Start(s.dUp, task);
                int count = s.chunks.Length(task);
                Vector256<float> one = Vector256<float>.One;
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    int left = count - i;
                    Vector256<float> dy = VectorMath.Load(dOutput + i, left);
                    Vector256<float> g = VectorMath.Load(gate + i, left);
                    Vector256<float> u = VectorMath.Load(up + i, left);
                    Vector256<float> sigmoid = VectorMath.Sigmoid(g);
                    VectorMath.Store(dy * u * sigmoid * VectorMath.MultiplyAdd(g, one - sigmoid, one), dGate + i, left);
                    VectorMath.Store(dy * g * sigmoid, dUp + i, left);
                }
            });
    }
}
