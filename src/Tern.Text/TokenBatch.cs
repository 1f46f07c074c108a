using System.Runtime.InteropServices;

namespace Tern.Text;

/// <summary>
/// Token ids of several texts, one behind the other without padding: sequence b is
/// <c>Tokens[SequenceStarts[b] .. SequenceStarts[b + 1]]</c>. Reusable: <see cref="Clear"/> keeps the memory.
/// </summary>
public sealed class TokenBatch
{
    private readonly List<int> _tokens = [];
    private readonly List<int> _starts = [0];

    public int SequenceCount => _starts.Count - 1;

    public int TokenCount => _tokens.Count;

    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>SequenceCount + 1 offsets into <see cref="Tokens"/>, the first of which is 0.</summary>
    public ReadOnlySpan<int> SequenceStarts => CollectionsMarshal.AsSpan(_starts);

    public void Add(ReadOnlySpan<int> tokens)
    {
        _tokens.AddRange(tokens);
        _starts.Add(_tokens.Count);
    }

    /// <summary>Appends the sequences of another batch.</summary>
    public void Add(TokenBatch other)
    {
        foreach (int end in other.SequenceStarts[1..])
        {
            _starts.Add(_tokens.Count + end);
        }

        _tokens.AddRange(other.Tokens);
    }

    public void Clear()
    {
        _tokens.Clear();
        _starts.RemoveRange(1, _starts.Count - 1);
    }
}
