using System.Text.Json;
using System.Text.RegularExpressions;

namespace Tern.Text;

/// <summary>What a tokenizer.json says, checked.</summary>
internal sealed record TokenizerDefinition(
    BytePairVocabulary Vocabulary,
    AddedToken[] AddedTokens,
    INormalizer[] Normalizers,
    SplitSteps Splits,
    int? BosId,
    int? EosId);

/// <summary>Reads a tokenizer.json; whatever it asks for that is not supported is named, never passed over.</summary>
internal sealed class TokenizerFile(string path)
{
    private const string GptPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public TokenizerDefinition Read()
    {
        using JsonDocument document = Parse();
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException($"{path}: expected a JSON object");
        }
        AddedToken[] added = ReadAddedTokens(root);
        BytePairVocabulary vocabulary = ReadModel(root);
        (INormalizer[] normalizers, SplitSteps splits) = ReadSteps(root);
        (int? bos, int? eos) = ReadTemplate(Member(root, "post_processor"), "post_processor");
        return new TokenizerDefinition(vocabulary, added, normalizers, splits, bos, eos);
    }

    /// <summary>The steps before the model: "normalizer" and "pre_tokenizer".</summary>
    public (INormalizer[] Normalizers, SplitSteps Splits) ReadSteps(JsonElement root)
    {
        var normalizers = new List<INormalizer>();
        ReadNormalizer(Member(root, "normalizer"), "normalizer", normalizers);
        var steps = new List<SplitStep>();
        if (!ReadPreTokenizer(Member(root, "pre_tokenizer"), "pre_tokenizer", steps))
        {
            throw Unsupported("pre_tokenizer", "there is no ByteLevel step, and only byte-level vocabularies are supported");
        }
        return ([.. normalizers], new SplitSteps([.. steps]));
    }

    private JsonDocument Parse()
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return JsonDocument.Parse(file);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber + 1}: not valid JSON at byte {e.BytePositionInLine} of the line", e);
        }
    }

    private BytePairVocabulary ReadModel(JsonElement root)
    {
        JsonElement model = Member(root, "model") ?? throw Malformed("model", "is missing");
        string type = OptionalText(model, "type", "model.type") ?? "BPE";
        if (type != "BPE")
        {
            throw Unsupported("model.type", $"'{type}' (only byte-level BPE is)");
        }
        if (Member(model, "dropout") is { ValueKind: JsonValueKind.Number } dropout && dropout.GetDouble() != 0)
        {
            throw Unsupported("model.dropout", "random merges");
        }
        foreach (string name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (!string.IsNullOrEmpty(OptionalText(model, name, $"model.{name}")))
            {
                throw Unsupported($"model.{name}", "a vocabulary that is not byte-level");
            }
        }
        if (Flag(model, "byte_fallback", "model.byte_fallback", false))
        {
            throw Unsupported("model.byte_fallback", "a SentencePiece vocabulary");
        }
        Dictionary<string, int> ids = ReadVocabulary(model);
        return new BytePairVocabulary(ids, ReadMerges(model, ids), Flag(model, "ignore_merges", "model.ignore_merges", false));
    }

    private Dictionary<string, int> ReadVocabulary(JsonElement model)
    {
        if (Member(model, "vocab") is not { ValueKind: JsonValueKind.Object } vocabulary)
        {
            throw Malformed("model.vocab", "is not an object");
        }
        var ids = new Dictionary<string, int>(vocabulary.GetPropertyCount(), StringComparer.Ordinal);
        var used = new HashSet<int>(ids.Capacity);
        foreach (JsonProperty entry in vocabulary.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id < 0)
            {
                throw Malformed("model.vocab", $"the id of '{entry.Name}' is not a whole number of 0 or more");
            }
            if (!ids.TryAdd(entry.Name, id) || !used.Add(id))
            {
                throw Malformed("model.vocab", $"'{entry.Name}' or its id {id} is there twice");
            }
        }
        for (int b = 0; b < 256; b++)
        {
            if (!ids.ContainsKey(ByteAlphabet.CharOf((byte)b).ToString()))
            {
                throw Unsupported("model.vocab", $"byte 0x{b:X2} ('{ByteAlphabet.CharOf((byte)b)}') has no entry");
            }
        }
        return ids;
    }

    private List<(string Left, string Right)> ReadMerges(JsonElement model, Dictionary<string, int> ids)
    {
        if (Member(model, "merges") is not { ValueKind: JsonValueKind.Array } array)
        {
            throw Malformed("model.merges", "is not an array");
        }
        var merges = new List<(string Left, string Right)>(array.GetArrayLength());
        foreach (JsonElement merge in array.EnumerateArray())
        {
            string[] parts = merge.ValueKind switch
            {
                JsonValueKind.String => merge.GetString()!.Split(' '),
                JsonValueKind.Array when merge.EnumerateArray().All(p => p.ValueKind == JsonValueKind.String) =>
                    [.. merge.EnumerateArray().Select(p => p.GetString()!)],
                _ => [],
            };
            if (parts.Length != 2 || !ids.ContainsKey(parts[0]) || !ids.ContainsKey(parts[1]) || !ids.ContainsKey(parts[0] + parts[1]))
            {
                throw Malformed($"model.merges[{merges.Count}]", $"{merge.GetRawText()} is not a pair of entries that make an entry");
            }
            merges.Add((parts[0], parts[1]));
        }
        return merges;
    }

    private AddedToken[] ReadAddedTokens(JsonElement root)
    {
        if (Member(root, "added_tokens") is not { } array)
        {
            return [];
        }
        if (array.ValueKind != JsonValueKind.Array)
        {
            throw Malformed("added_tokens", "is not an array");
        }
        var tokens = new List<AddedToken>();
        foreach (JsonElement item in array.EnumerateArray())
        {
            string field = $"added_tokens[{tokens.Count}]";
            if (Member(item, "id") is not { ValueKind: JsonValueKind.Number } number || !number.TryGetInt32(out int id) || id < 0)
            {
                throw Malformed(field + ".id", "is not a whole number of 0 or more");
            }
            string content = Text(item, "content", field + ".content");
            bool special = Flag(item, "special", field + ".special", false);
            tokens.Add(new AddedToken(id, content, special,
                Flag(item, "normalized", field + ".normalized", !special),
                Flag(item, "single_word", field + ".single_word", false),
                Flag(item, "lstrip", field + ".lstrip", false),
                Flag(item, "rstrip", field + ".rstrip", false)));
        }
        if (tokens.GroupBy(t => t.Id).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw Malformed("added_tokens", $"id {twice.Key} is there twice");
        }
        return [.. tokens];
    }

    private void ReadNormalizer(JsonElement? element, string field, List<INormalizer> steps)
    {
        if (element is not { } normalizer)
        {
            return;
        }
        string type = Text(normalizer, "type", field + ".type");
        switch (type)
        {
            case "Sequence":
                foreach ((JsonElement item, string itemField) in Items(normalizer, "normalizers", field))
                {
                    ReadNormalizer(item, itemField, steps);
                }
                break;
            case "Lowercase":
                steps.Add(new LowercaseNormalizer());
                break;
            case "NFC":
                steps.Add(CompositionNormalizer.IsAvailable
                    ? new CompositionNormalizer()
                    : throw Unsupported(field, "NFC needs a process that does not run with invariant globalization (set InvariantGlobalization to false and install ICU)"));
                break;
            case "Replace":
                steps.Add(new ReplaceNormalizer(Pattern(normalizer, field), Text(normalizer, "content", field + ".content")));
                break;
            default:
                throw Unsupported(field + ".type", $"'{type}' (Lowercase, NFC, Replace and Sequence are)");
        }
    }

    /// <summary>Adds the steps; true when the last of them was ByteLevel, after which nothing may follow.</summary>
    private bool ReadPreTokenizer(JsonElement? element, string field, List<SplitStep> steps)
    {
        if (element is not { } splitter)
        {
            return false;
        }
        string type = Text(splitter, "type", field + ".type");
        switch (type)
        {
            case "Sequence":
                bool ended = false;
                foreach ((JsonElement item, string itemField) in Items(splitter, "pretokenizers", field))
                {
                    ended = ended ? throw Unsupported(itemField, "a step behind ByteLevel") : ReadPreTokenizer(item, itemField, steps);
                }
                return ended;
            case "ByteLevel":
                if (Flag(splitter, "add_prefix_space", field + ".add_prefix_space", true))
                {
                    throw Unsupported(field + ".add_prefix_space", "true (a space put before the text)");
                }
                if (Flag(splitter, "use_regex", field + ".use_regex", true))
                {
                    steps.Add(new SplitStep(Compile(GptPattern, field), SplitBehavior.Isolated));
                }
                return true;
            case "Split":
                string behavior = Text(splitter, "behavior", field + ".behavior");
                bool invert = Flag(splitter, "invert", field + ".invert", false);
                steps.Add(new SplitStep(Pattern(splitter, field), behavior switch
                {
                    "Isolated" => SplitBehavior.Isolated,
                    "Removed" => invert ? SplitBehavior.RemoveOthers : SplitBehavior.RemoveMatches,
                    _ => throw Unsupported(field + ".behavior", $"'{behavior}' (Isolated and Removed are)"),
                }));
                return false;
            case "Digits":
                bool single = Flag(splitter, "individual_digits", field + ".individual_digits", false);
                steps.Add(new SplitStep(Compile(single ? @"\p{N}" : @"\p{N}+", field), SplitBehavior.Isolated));
                return false;
            default:
                throw Unsupported(field + ".type", $"'{type}' (ByteLevel, Split, Digits and Sequence are)");
        }
    }

    private (int? Bos, int? Eos) ReadTemplate(JsonElement? element, string field)
    {
        if (element is not { } processor)
        {
            return (null, null);
        }
        string type = Text(processor, "type", field + ".type");
        switch (type)
        {
            case "ByteLevel":
                return (null, null);
            case "Sequence":
                (int? bos, int? eos) = (null, null);
                foreach ((JsonElement item, string itemField) in Items(processor, "processors", field))
                {
                    (int? itemBos, int? itemEos) = ReadTemplate(item, itemField);
                    (bos, eos) = (itemBos ?? bos, itemEos ?? eos);
                }
                return (bos, eos);
            case "TemplateProcessing":
                return ReadSingleTemplate(processor, field);
            default:
                throw Unsupported(field + ".type", $"'{type}' (ByteLevel, TemplateProcessing and Sequence are)");
        }
    }

    private (int? Bos, int? Eos) ReadSingleTemplate(JsonElement processor, string field)
    {
        int? bos = null;
        int? eos = null;
        bool seenText = false;
        foreach ((JsonElement item, string itemField) in Items(processor, "single", field))
        {
            if (Member(item, "Sequence") != null)
            {
                seenText = seenText ? throw Unsupported(itemField, "the text twice") : true;
                continue;
            }
            string name = Text(Member(item, "SpecialToken") ?? throw Malformed(itemField, "is neither Sequence nor SpecialToken"), "id", itemField + ".id");
            int id = SpecialId(processor, name, field);
            ref int? place = ref seenText ? ref eos : ref bos;
            place = place == null ? id : throw Unsupported(itemField, "more than one token before or after the text");
        }
        return seenText ? (bos, eos) : throw Malformed(field + ".single", "has no Sequence");
    }

    private int SpecialId(JsonElement processor, string name, string field)
    {
        string idField = $"{field}.special_tokens['{name}'].ids";
        return Member(processor, "special_tokens") is { } tokens && Member(tokens, name) is { } token
            && Member(token, "ids") is { ValueKind: JsonValueKind.Array } ids && ids.GetArrayLength() == 1 && ids[0].ValueKind == JsonValueKind.Number
            ? ids[0].GetInt32()
            : throw Malformed(idField, "is not one id");
    }

    private Regex Pattern(JsonElement element, string field)
    {
        JsonElement pattern = Member(element, "pattern") ?? throw Malformed(field + ".pattern", "is missing");
        return Member(pattern, "String") is not null
            ? Compile(Regex.Escape(Text(pattern, "String", field + ".pattern.String")), field + ".pattern.String")
            : Compile(Text(pattern, "Regex", field + ".pattern.Regex"), field + ".pattern.Regex");
    }

    private Regex Compile(string pattern, string field)
    {
        try
        {
            return new Regex(pattern, RegexOptions.Compiled | RegexOptions.CultureInvariant);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{path}: {field}: the pattern is not supported: {e.Message}", e);
        }
    }

    private IEnumerable<(JsonElement Item, string Field)> Items(JsonElement element, string name, string field)
    {
        string at = $"{field}.{name}";
        return Member(element, name) is { ValueKind: JsonValueKind.Array } array
            ? array.EnumerateArray().Select((item, i) => (item, $"{at}[{i}]"))
            : throw Malformed(at, "is not an array");
    }

    private static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private string Text(JsonElement element, string name, string field) => OptionalText(element, name, field) ?? throw Malformed(field, "is missing");

    private string? OptionalText(JsonElement element, string name, string field) => Member(element, name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Malformed(field, "is not a string");

    private bool Flag(JsonElement element, string name, string field, bool absent) => Member(element, name) is not { } value ? absent
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Malformed(field, "is not true or false");

    private InvalidDataException Malformed(string field, string problem) => new($"{path}: {field} {problem}");

    private InvalidDataException Unsupported(string field, string what) => new($"{path}: {field}: not supported: {what}");
}
