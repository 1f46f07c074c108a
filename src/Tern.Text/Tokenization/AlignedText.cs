namespace Tern.Text;

/// <summary>
/// A text on its way through the normalizers, in memory that is used again. Where offsets are asked for, character i came
/// from the characters <c>Starts[i] .. Ends[i]</c> of the original; an inserted character has an empty range.
/// </summary>
internal sealed class AlignedText
{
    private char[] _characters = new char[256];
    private int[] _starts = [];
    private int[] _ends = [];

    public int Length { get; private set; }

    public bool HasOffsets { get; private set; }

    /// <summary>Valid until the text changes.</summary>
    public ReadOnlySpan<char> Text => _characters.AsSpan(0, Length);

    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, HasOffsets ? Length : 0);

    public ReadOnlySpan<int> Ends => _ends.AsSpan(0, HasOffsets ? Length : 0);

    /// <summary>Starts over with an original text.</summary>
    public void Set(ReadOnlySpan<char> text, bool withOffsets)
    {
        Clear(withOffsets);
        Reserve(text.Length);
        text.CopyTo(_characters);
        Length = text.Length;
        for (int i = 0; withOffsets && i < text.Length; i++)
        {
            _starts[i] = i;
            _ends[i] = i + 1;
        }
    }

    public void Clear(bool hasOffsets)
    {
        Length = 0;
        HasOffsets = hasOffsets;
    }

    /// <summary>Appends characters of <paramref name="source"/> with where they came from.</summary>
    public void Append(AlignedText source, int start, int end)
    {
        Reserve(end - start);
        source.Text[start..end].CopyTo(_characters.AsSpan(Length));
        if (HasOffsets)
        {
            source.Starts[start..end].CopyTo(_starts.AsSpan(Length));
            source.Ends[start..end].CopyTo(_ends.AsSpan(Length));
        }

        Length += end - start;
    }

    /// <summary>Appends <paramref name="replacement"/>, each character of which comes from the whole range of <paramref name="source"/>.</summary>
    public void AppendReplacement(AlignedText source, int start, int end, ReadOnlySpan<char> replacement)
    {
        Reserve(replacement.Length);
        replacement.CopyTo(_characters.AsSpan(Length));
        if (HasOffsets)
        {
            int from = start < source.Length ? source.Starts[start] : source.Length == 0 ? 0 : source.Ends[^1];
            int to = end > start ? source.Ends[end - 1] : from;
            _starts.AsSpan(Length, replacement.Length).Fill(from);
            _ends.AsSpan(Length, replacement.Length).Fill(to);
        }

        Length += replacement.Length;
    }

    /// <summary>Lower-cases in place; characters correspond one to one.</summary>
    public void ToLower()
    {
        Span<char> block = stackalloc char[256]; // The runtime does not lower a span into itself.
        for (int i = 0; i < Length;)
        {
            int count = Math.Min(block.Length, Length - i);
            count -= count < Length - i && char.IsHighSurrogate(_characters[i + count - 1]) ? 1 : 0;
            _characters.AsSpan(i, count).CopyTo(block);
            ((ReadOnlySpan<char>)block[..count]).ToLowerInvariant(_characters.AsSpan(i, count));
            i += count;
        }
    }

    private void Reserve(int count)
    {
        int needed = Length + count;
        if (needed > _characters.Length)
        {
            Array.Resize(ref _characters, Math.Max(needed, 2 * _characters.Length));
        }

        if (HasOffsets && needed > _starts.Length)
        {
            Array.Resize(ref _starts, _characters.Length);
            Array.Resize(ref _ends, _characters.Length);
        }
    }
}
