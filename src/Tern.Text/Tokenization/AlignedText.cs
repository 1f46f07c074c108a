namespace Tern.Text;

/// <summary>
/// A text on its way through the normalizers. Where offsets are asked for, character i came from the characters
/// <c>Starts[i] .. Ends[i]</c> of the original; an inserted character has an empty range.
/// </summary>
internal sealed class AlignedText
{
    private AlignedText(string text, int[]? starts, int[]? ends)
    {
        Text = text;
        Starts = starts;
        Ends = ends;
    }

    public string Text { get; }

    public int[]? Starts { get; }

    public int[]? Ends { get; }

    public static AlignedText Of(string text, bool withOffsets) => withOffsets
        ? new(text, [.. Enumerable.Range(0, text.Length)], [.. Enumerable.Range(1, text.Length)])
        : new(text, null, null);

    /// <summary>A text of the same length whose characters correspond one to one.</summary>
    public AlignedText WithText(string text) => new(text, Starts, Ends);

    /// <summary>Collects the characters of a rewritten text and where they came from.</summary>
    public sealed class Builder(AlignedText source)
    {
        private readonly System.Text.StringBuilder _text = new(source.Text.Length + 16);
        private readonly List<int>? _starts = source.Starts == null ? null : new(source.Text.Length + 16);
        private readonly List<int>? _ends = source.Starts == null ? null : new(source.Text.Length + 16);

        public void Copy(int start, int end)
        {
            _text.Append(source.Text, start, end - start);
            _starts?.AddRange(source.Starts.AsSpan(start, end - start));
            _ends?.AddRange(source.Ends.AsSpan(start, end - start));
        }

        /// <summary>Every character of <paramref name="replacement"/> comes from the whole range.</summary>
        public void Replace(int start, int end, string replacement)
        {
            _text.Append(replacement);
            if (_starts == null)
            {
                return;
            }
            int from = start < source.Text.Length ? source.Starts![start] : source.Text.Length == 0 ? 0 : source.Ends![^1];
            int to = end > start ? source.Ends![end - 1] : from;
            for (int i = 0; i < replacement.Length; i++)
            {
                _starts.Add(from);
                _ends!.Add(to);
            }
        }

        public AlignedText Build() => new(_text.ToString(), _starts?.ToArray(), _ends?.ToArray());
    }
}
