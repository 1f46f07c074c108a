using System.Runtime.InteropServices;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// Sorts any number of (major, minor, value) triples by major, then minor, in bounded memory: full buffers are sorted and
/// go to temporary files, which are merged when read. Turns documents into postings and back. Not thread-safe.
/// </summary>
internal sealed class PostingSorter(int bufferCount = PostingSorter.DefaultBufferCount) : IDisposable
{
    /// <summary>Triples held in memory: 12 bytes each.</summary>
    public const int DefaultBufferCount = 1 << 24;

    // What a merge reads ahead of each file.
    private const int RunBufferCount = 1 << 14;

    private readonly List<FileStream> _runs = [];
    private ulong[] _keys = new ulong[Math.Min(bufferCount, 1 << 16)];
    private int[] _values = new int[Math.Min(bufferCount, 1 << 16)];
    private int _count;

    public void Add(int major, int minor, int value)
    {
        if (_count == _keys.Length)
        {
            if (_count < bufferCount)
            {
                int size = Math.Min(bufferCount, 2 * _count);
                Array.Resize(ref _keys, size);
                Array.Resize(ref _values, size);
            }
            else
            {
                Spill();
            }
        }

        _keys[_count] = ((ulong)(uint)major << 32) | (uint)minor;
        _values[_count++] = value;
    }

    /// <summary>All triples in ascending order; to be read once, after the last <see cref="Add"/>.</summary>
    public IEnumerable<(int Major, int Minor, int Value)> Sorted()
    {
        Array.Sort(_keys, _values, 0, _count);
        if (_runs.Count == 0)
        {
            for (int i = 0; i < _count; i++)
            {
                yield return Triple(_keys[i], _values[i]);
            }

            yield break;
        }

        Spill();
        _keys = [];
        _values = [];
        Run[] runs = [.. _runs.Select(file => new Run(file))];
        var queue = new PriorityQueue<Run, ulong>();
        foreach (Run run in runs)
        {
            if (run.MoveNext())
            {
                queue.Enqueue(run, run.Key);
            }
        }

        while (queue.TryPeek(out Run? run, out ulong key))
        {
            yield return Triple(key, run.Value);
            if (run.MoveNext())
            {
                queue.DequeueEnqueue(run, run.Key);
            }
            else
            {
                queue.Dequeue();
            }
        }
    }

    public void Dispose() => _runs.ForEach(run => run.Dispose());

    private static (int, int, int) Triple(ulong key, int value) => ((int)(key >> 32), (int)(uint)key, value);

    private void Spill()
    {
        Array.Sort(_keys, _values, 0, _count);
        var file = new FileStream(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        _runs.Add(file);
        for (int start = 0; start < _count; start += RunBufferCount)
        {
            int length = Math.Min(RunBufferCount, _count - start);
            file.Write(MemoryMarshal.AsBytes(_keys.AsSpan(start, length)));
            file.Write(MemoryMarshal.AsBytes(_values.AsSpan(start, length)));
        }

        file.Position = 0;
        _count = 0;
    }

    /// <summary>A sorted file: blocks of keys, each followed by its values.</summary>
    private sealed class Run(FileStream file)
    {
        private readonly ulong[] _keys = new ulong[RunBufferCount];
        private readonly int[] _values = new int[RunBufferCount];
        private int _at = -1;
        private int _length;

        public ulong Key => _keys[_at];

        public int Value => _values[_at];

        public bool MoveNext()
        {
            if (++_at < _length)
            {
                return true;
            }

            _length = (int)Math.Min(RunBufferCount, (file.Length - file.Position) / (sizeof(ulong) + sizeof(int)));
            _at = 0;
            file.ReadExactly(MemoryMarshal.AsBytes(_keys.AsSpan(0, _length)));
            file.ReadExactly(MemoryMarshal.AsBytes(_values.AsSpan(0, _length)));
            return _length > 0;
        }
    }
}
