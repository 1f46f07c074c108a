using System.Runtime.InteropServices;

namespace Tern.Compute.Cpu;

/// <summary>All panels of a weight in full depth.</summary>
internal sealed unsafe class CpuPreparedWeight : PreparedWeight
{
    public CpuPreparedWeight(ProductKernels kernels, int rows, int columns)
    {
        Kernels = kernels;
        Rows = rows;
        Columns = columns;
        ByteCount = (long)MatrixProductPlan.CeilingDivide(rows, kernels.TileColumns) * kernels.PanelByteCount(columns);
        Panels = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(ByteCount, 64), 64);
        GC.AddMemoryPressure(Math.Max(ByteCount, 64));
    }

    ~CpuPreparedWeight() => Dispose(false);

    public override int Rows { get; }

    public override int Columns { get; }

    public override long ByteCount { get; }

    public ProductKernels Kernels { get; }

    public byte* Panels { get; private set; }

    protected override void Dispose(bool disposing)
    {
        if (Panels != null)
        {
            NativeMemory.AlignedFree(Panels);
            Panels = null;
            GC.RemoveMemoryPressure(Math.Max(ByteCount, 64));
        }
    }
}
