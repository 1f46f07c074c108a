using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Tern.Text.Tests.Tokenization;

/// <summary>
/// The slow, obvious tokenizer: words found by walking code points, then in each word the pair of the earliest merge is merged
/// until none is left. Shares nothing with the product.
/// </summary>
internal sealed class NaiveBytePairs
{
    private readonly Dictionary<string, int> _vocabulary = [];
    private readonly List<(string Left, string Right)> _merges = [];
    private readonly List<(string Content, int Id)> _special = [];
    private readonly bool _words;
    private readonly bool _ignoreMerges;

    public NaiveBytePairs(string path, bool words)
    {
        _words = words;
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(path));
        JsonElement model = file.RootElement.GetProperty("model");
        _ignoreMerges = model.GetProperty("ignore_merges").GetBoolean();
        foreach (JsonProperty entry in model.GetProperty("vocab").EnumerateObject())
        {
            _vocabulary.Add(entry.Name, entry.Value.GetInt32());
        }
        foreach (JsonElement merge in model.GetProperty("merges").EnumerateArray())
        {
            string[] parts = merge.ValueKind == JsonValueKind.String ? merge.GetString()!.Split(' ') : [merge[0].GetString()!, merge[1].GetString()!];
            _merges.Add((parts[0], parts[1]));
        }
        foreach (JsonElement token in file.RootElement.GetProperty("added_tokens").EnumerateArray())
        {
            _special.Add((token.GetProperty("content").GetString()!, token.GetProperty("id").GetInt32()));
        }
    }

    public List<int> Encode(string text, bool parseSpecial)
    {
        var ids = new List<int>();
        int start = 0;
        for (int i = 0; parseSpecial && i < text.Length; i++)
        {
            foreach ((string content, int id) in _special)
            {
                if (string.CompareOrdinal(text, i, content, 0, content.Length) == 0)
                {
                    EncodePlain(text[start..i], ids);
                    ids.Add(id);
                    start = i + content.Length;
                    i = start - 1;
                    break;
                }
            }
        }
        EncodePlain(text[start..], ids);
        return ids;
    }

    private void EncodePlain(string text, List<int> ids)
    {
        foreach (string word in _words ? Words(SplitCases(text)) : SpacedWords(text))
        {
            List<string> symbols = [.. Encoding.UTF8.GetBytes(word).Select(b => Alphabet(b).ToString())];
            if (_ignoreMerges && _vocabulary.TryGetValue(string.Concat(symbols), out int whole))
            {
                ids.Add(whole);
                continue;
            }
            foreach ((string left, string right) in _merges)
            {
                for (int i = 0; i + 1 < symbols.Count; i++)
                {
                    if (symbols[i] == left && symbols[i + 1] == right)
                    {
                        symbols[i] = left + right;
                        symbols.RemoveAt(i + 1);
                    }
                }
            }
            ids.AddRange(symbols.Select(s => _vocabulary[s]));
        }
    }

    // One pass over the merges is enough only if no merge makes possible an earlier one; the vocabularies of these tests are
    // trained or drawn so that the parts of a merge exist before it.
    private static char Alphabet(byte b)
    {
        if (b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174)
        {
            return (char)b;
        }
        int shift = Enumerable.Range(0, b).Count(x => x is not ((>= 33 and <= 126) or (>= 161 and <= 172) or >= 174));
        return (char)(256 + shift);
    }

    private enum Kind
    {
        Space,
        Letter,
        Mark,
        Number,
        Upper,
        Other,
    }

    private static Kind KindOf(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Kind.Mark,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
        _ => Rune.IsWhiteSpace(rune) ? Kind.Space : Kind.Other,
    };

    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    private static IEnumerable<string> SpacedWords(string text)
    {
        Rune[] runes = [.. text.EnumerateRunes()];
        Kind At(int i) => i >= runes.Length ? Kind.Space : KindOf(runes[i]) == Kind.Mark ? Kind.Other : KindOf(runes[i]);
        string Take(int from, int to) => string.Concat(runes[from..to].Select(r => r.ToString()));
        for (int i = 0; i < runes.Length;)
        {
            string rest = Take(i, Math.Min(i + 3, runes.Length));
            string? contraction = new[] { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" }.FirstOrDefault(c => rest.StartsWith(c, StringComparison.Ordinal));
            int end = i;
            if (contraction != null)
            {
                end += contraction.Length;
            }
            else
            {
                int first = runes[i].Value == ' ' && At(i + 1) != Kind.Space ? i + 1 : i;
                Kind kind = At(first);
                end = first;
                while (end < runes.Length && At(end) == kind)
                {
                    end++;
                }
                if (kind == Kind.Space && end < runes.Length && end - i > 1)
                {
                    end--;
                }
            }
            yield return Take(i, end);
            i = end;
        }
    }

    private static IEnumerable<string> Words(string text)
    {
        string run = "";
        foreach (Rune rune in text.EnumerateRunes())
        {
            Kind kind = KindOf(rune);
            if (kind is Kind.Letter or Kind.Mark)
            {
                run += rune;
                continue;
            }
            if (run.Length > 0)
            {
                yield return run;
                run = "";
            }
            if (kind != Kind.Space)
            {
                yield return rune.ToString();
            }
        }
        if (run.Length > 0)
        {
            yield return run;
        }
    }

    private static string SplitCases(string text)
    {
        Rune[] runes = [.. text.EnumerateRunes()];
        var result = new StringBuilder();
        for (int i = 0; i < runes.Length; i++)
        {
            bool upper = Rune.IsUpper(runes[i]);
            bool afterLower = i > 0 && upper && (Rune.IsLower(runes[i - 1]) || KindOf(runes[i - 1]) == Kind.Number);
            bool lastOfAcronym = i > 0 && upper && Rune.IsUpper(runes[i - 1]) && i + 1 < runes.Length && Rune.IsLower(runes[i + 1]);
            result.Append(afterLower || lastOfAcronym ? " " : "");
            result.Append(runes[i].Value == 0x130 ? "i\u0307" : Rune.ToLowerInvariant(runes[i]).ToString());
        }
        return result.ToString();
    }
}
