using System.Runtime.InteropServices;

namespace Tern.Benchmarks.Retrieval;

/// <summary>A flat index of Faiss through the library that bench/peers/dense.sh builds.</summary>
internal sealed unsafe class FaissPeer : IDisposable
{
    private readonly delegate* unmanaged<void*, int, float*, int, float*, long*, void> _search;
    private readonly delegate* unmanaged<int, void> _threads;
    private readonly delegate* unmanaged<void*, void> _close;
    private readonly void* _index;

    public FaissPeer(string path, float* rows, int count, int dimension, int bits)
    {
        nint library = NativeLibrary.Load(path);
        var open = (delegate* unmanaged<int, long, int, float*, void*>)NativeLibrary.GetExport(library, "peer_open");
        _search = (delegate* unmanaged<void*, int, float*, int, float*, long*, void>)NativeLibrary.GetExport(library, "peer_search");
        _threads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "peer_threads");
        _close = (delegate* unmanaged<void*, void>)NativeLibrary.GetExport(library, "peer_close");
        _index = open(bits, count, dimension, rows);
    }

    public void Search(float[][] queries, int k, int threads)
    {
        float[] packed = queries.Length == 1 ? queries[0] : [.. queries.SelectMany(query => query)];
        var scores = new float[queries.Length * k];
        var ids = new long[queries.Length * k];
        _threads(threads);
        fixed (float* q = packed, s = scores)
        fixed (long* i = ids)
        {
            _search(_index, queries.Length, q, k, s, i);
        }
    }

    public void Dispose() => _close(_index);
}
