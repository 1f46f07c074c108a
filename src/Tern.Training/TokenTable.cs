namespace Tern.Training;

/// <summary>Token ids of many texts in one array: text i is <c>tokens[starts[i] .. starts[i + 1]]</c>.</summary>
internal sealed class TokenTable
{
    private int[] _tokens = new int[1024];
    private readonly List<int> _starts = [0];

    public int Count => _starts.Count - 1;

    public int TokenCount => _starts[^1];

    public ReadOnlySpan<int> this[int index] => _tokens.AsSpan(_starts[index].._starts[index + 1]);

    public ReadOnlySpan<int> AllTokens => _tokens.AsSpan(0, TokenCount);

    public ReadOnlySpan<int> Starts => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_starts);

    public void Add(ReadOnlySpan<int> tokens)
    {
        int end = checked(TokenCount + tokens.Length);
        if (end > _tokens.Length)
        {
            Array.Resize(ref _tokens, (int)Math.Min(Math.Max((long)end, 2L * _tokens.Length), Array.MaxLength));
        }

        tokens.CopyTo(_tokens.AsSpan(TokenCount));
        _starts.Add(end);
    }
}
