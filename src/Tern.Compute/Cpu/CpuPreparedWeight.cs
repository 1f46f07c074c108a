namespace Tern.Compute.Cpu;

/// <summary>All panels of a weight in full depth, as the kernels multiply with them; or narrow, in BFloat16 where they multiply in Float32.</summary>
internal sealed unsafe class CpuPreparedWeight : PreparedWeight
{
    public CpuPreparedWeight(ProductKernels kernels, int rows, int columns, bool narrow)
    {
        Kernels = kernels;
        IsNarrow = narrow;
        Rows = rows;
        Columns = columns;
        ByteCount = (long)Rounding.CeilingDivide(rows, kernels.TileColumns) * kernels.PanelByteCount(columns) / (narrow ? 2 : 1);
        Panels = (byte*)AlignedMemory.Allocate((nuint)ByteCount);
        GC.AddMemoryPressure(Math.Max(ByteCount, 64));
    }

    ~CpuPreparedWeight() => Dispose(false);

    public override int Rows { get; }

    public override int Columns { get; }

    public override long ByteCount { get; }

    public ProductKernels Kernels { get; }

    public bool IsNarrow { get; }

    public byte* Panels { get; private set; }

    protected override void Dispose(bool disposing)
    {
        if (Panels != null)
        {
            AlignedMemory.Free(Panels);
            Panels = null;
            GC.RemoveMemoryPressure(Math.Max(ByteCount, 64));
        }
    }
}
