using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>The vectors of an index as they lie in its file: float32 rows, and the narrow copy with its bounds where there is one.</summary>
internal sealed unsafe class DenseVectors
{
    public DenseVectors(SectionFile file, int count, int dimension)
    {
        Count = count;
        Dimension = dimension;
        Rows = file.Pointer<float>("vectors", (long)count * dimension);
        Scan = file.Has("scan8") ? DenseScan.Int8 : file.Has("scan16") ? DenseScan.BFloat16 : DenseScan.Float32;
        if (Scan != DenseScan.Float32)
        {
            RowByteCount = ScanQuantizer.RowByteCount(Scan, dimension);
            Narrow = file.Pointer<byte>(Scan == DenseScan.Int8 ? "scan8" : "scan16", (long)count * RowByteCount);
            Scales = file.Pointer<float>("scanscal", count);
            Errors = file.Pointer<float>("scanerr", count);
            Norms = file.Pointer<float>("scannorm", count);
        }
    }

    public int Count { get; }

    public int Dimension { get; }

    public DenseScan Scan { get; }

    /// <summary>[Count, Dimension].</summary>
    public float* Rows { get; }

    /// <summary>[Count] rows of <see cref="RowByteCount"/>.</summary>
    public byte* Narrow { get; }

    public int RowByteCount { get; }

    /// <summary>The parts of each row's <see cref="ScanBound"/>.</summary>
    public float* Scales { get; }

    public float* Errors { get; }

    public float* Norms { get; }

    public float* Row(int document) => Rows + ((nint)document * Dimension);
}
