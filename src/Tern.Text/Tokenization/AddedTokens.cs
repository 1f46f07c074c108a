using System.Buffers;
using System.Text;

namespace Tern.Text;

/// <summary>An entry of tokenizer.json's added_tokens.</summary>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized, bool IsSingleWord, bool StripsLeft, bool StripsRight);

/// <summary>Finds added tokens in a text: leftmost, then longest.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<char, (string Content, AddedToken Token)[]> _byFirst;
    private readonly SearchValues<string> _contents;

    private AddedTokens((string Content, AddedToken Token)[] tokens)
    {
        _contents = SearchValues.Create([.. tokens.Select(t => t.Content)], StringComparison.Ordinal);
        _byFirst = tokens.GroupBy(t => t.Content[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Content.Length).ToArray());
    }

    /// <summary>A finder of these tokens, written as <paramref name="content"/> says; null for none.</summary>
    public static AddedTokens? Of(IEnumerable<AddedToken> tokens, Func<string, string> content)
    {
        (string, AddedToken)[] written = [.. tokens.Select(t => (content(t.Content), t)).Where(t => t.Item1.Length > 0)];
        return written.Length == 0 ? null : new AddedTokens(written);
    }

    /// <summary>The next token at or after <paramref name="from"/>, with the range it takes.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int from, out AddedToken token, out int start, out int end)
    {
        int search = from;
        while (search < text.Length)
        {
            int at = text[search..].IndexOfAny(_contents);
            if (at < 0)
            {
                break;
            }
            at += search;
            foreach ((string content, AddedToken candidate) in _byFirst[text[at]])
            {
                if (text[at..].StartsWith(content, StringComparison.Ordinal) && Accepts(candidate, text, at, at + content.Length))
                {
                    (token, start, end) = (candidate, at, at + content.Length);
                    while (candidate.StripsLeft && start > from && char.IsWhiteSpace(text[start - 1]))
                    {
                        start--;
                    }
                    while (candidate.StripsRight && end < text.Length && char.IsWhiteSpace(text[end]))
                    {
                        end++;
                    }
                    return true;
                }
            }
            search = at + 1;
        }
        (token, start, end) = (null!, text.Length, text.Length);
        return false;
    }

    private static bool Accepts(AddedToken token, ReadOnlySpan<char> text, int start, int end) =>
        !token.IsSingleWord || !(IsWordEnd(text[..start]) || IsWordStart(text[end..]));

    private static bool IsWordEnd(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool IsWordStart(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || rune.Value == '_';
}
