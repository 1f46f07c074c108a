using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Tern.Text;

/// <summary>Refuses an id seen before, naming both lines. Keeps 128-bit hashes, so that 10^7 ids take a third of a gigabyte.</summary>
internal sealed class UniqueIds(LineReader reader)
{
    private readonly Dictionary<UInt128, int> _lines = [];

    public void Add(string id)
    {
        UInt128 key = XxHash128.HashToUInt128(MemoryMarshal.AsBytes(id.AsSpan()));
        if (!_lines.TryAdd(key, reader.LineNumber))
        {
            throw reader.Malformed($"id '{id}' was already used in line {_lines[key]}");
        }
    }
}
