using System.Runtime.CompilerServices;
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
            static (task, s) => Forward(s.chunks.Start(s.gate, task), s.chunks.Start(s.up, task), s.chunks.Start(s.destination, task), s.chunks.Length(task)));
    }

    /// <summary>As the other overload, for <paramref name="count"/> elements.</summary>
    public static void Forward(float* gate, float* up, float* destination, int count) => SimdPaths.Current.Elements.SwiGluForward(gate, up, destination, count);

    /// <summary>As the other overload, on one vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward<TVector>(float* gate, float* up, float* destination, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int i = 0;
        for (; i <= count - TVector.Count; i += TVector.Count)
        {
            Gate(TVector.Load(gate + i), TVector.Load(up + i)).Store(destination + i);
        }

        if (i < count)
        {
            int left = count - i;
            VectorMath.Store(Gate(VectorMath.Load<TVector>(gate + i, left), VectorMath.Load<TVector>(up + i, left)), destination + i, left);
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
            static (task, s) => SimdPaths.Current.Elements.SwiGluBackward(
                s.chunks.Start(s.dOutput, task),
                s.chunks.Start(s.gate, task),
                s.chunks.Start(s.up, task),
                s.chunks.Start(s.dGate, task),
                s.chunks.Start(s.dUp, task),
                s.chunks.Length(task)));
    }

    /// <summary>As the other overload, for <paramref name="count"/> elements on one vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<TVector>(float* dOutput, float* gate, float* up, float* dGate, float* dUp, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int i = 0;
        for (; i <= count - TVector.Count; i += TVector.Count)
        {
            Differentiate(TVector.Load(dOutput + i), TVector.Load(gate + i), TVector.Load(up + i), out TVector towardsGate, out TVector towardsUp);
            towardsGate.Store(dGate + i);
            towardsUp.Store(dUp + i);
        }

        if (i < count)
        {
            int left = count - i;
            Differentiate(VectorMath.Load<TVector>(dOutput + i, left), VectorMath.Load<TVector>(gate + i, left), VectorMath.Load<TVector>(up + i, left), out TVector towardsGate, out TVector towardsUp);
            VectorMath.Store(towardsGate, dGate + i, left);
            VectorMath.Store(towardsUp, dUp + i, left);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Gate<TVector>(TVector gate, TVector up)
        where TVector : unmanaged, IFloatVector<TVector> => TVector.Multiply(TVector.Multiply(gate, VectorMath.Sigmoid(gate)), up);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Differentiate<TVector>(TVector dy, TVector gate, TVector up, out TVector dGate, out TVector dUp)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector one = TVector.Broadcast(1f), sigmoid = VectorMath.Sigmoid(gate), common = TVector.Multiply(dy, sigmoid);
        dGate = TVector.Multiply(TVector.Multiply(common, up), VectorMath.MultiplyAdd(gate, TVector.Subtract(one, sigmoid), one));
        dUp = TVector.Multiply(common, gate);
    }
}
