using System.Runtime.InteropServices;
using Tern.Compute;

namespace Tern.Benchmarks;

/// <summary>A matrix of small numbers in native memory.</summary>
internal sealed unsafe class NativeMatrix : IDisposable
{
    public NativeMatrix(int rows, int columns, DType type = DType.Float32)
    {
        nint count = (nint)rows * columns;
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        uint state = 1;
        for (nint i = 0; i < count; i++)
        {
            state = (state * 1664525) + 1013904223;
            memory[i] = ((state >> 9) / 4194304f) - 1;
        }

        Tensor = new Tensor((nint)memory, type, rows, columns);
    }

    public Tensor Tensor { get; }

    public float* Address => (float*)Tensor.Address;

    public void Dispose() => NativeMemory.AlignedFree((void*)Tensor.Address);
}
