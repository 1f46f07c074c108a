using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Tern.Text;

/// <summary>How a text is cut into the words within which pairs merge.</summary>
public enum WordSplitting
{
    /// <summary>GPT-2's: a word keeps the space before it; every character of the text is in some word.</summary>
    LeadingSpaces,

    /// <summary>White space is dropped; runs of letters, single digits and single other characters are words.</summary>
    Words,
}

/// <summary>What <see cref="BytePairTrainer"/> learns. VocabularySize counts the 256 bytes and the special tokens.</summary>
public sealed record BytePairTrainerOptions
{
    public int VocabularySize { get; init; } = 8000;

    /// <summary>Lower-cases texts, in training and in the tokenizer written.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Puts a space at case changes ("ReadOnlySpan" is three words), before lower-casing.</summary>
    public bool SplitCaseChanges { get; init; }

    public WordSplitting Splitting { get; init; } = WordSplitting.LeadingSpaces;

    /// <summary>Adds &lt;|begin_of_text|&gt; and &lt;|end_of_text|&gt; behind the learned entries.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>Has the post-processor put &lt;|begin_of_text|&gt; before every text.</summary>
    public bool AddBos { get; init; }

    /// <summary>Pairs seen less often are not merged.</summary>
    public int MinimumPairCount { get; init; } = 2;
}

/// <summary>
/// Learns a byte-level BPE vocabulary and writes it as a Hugging Face tokenizer.json. The same texts give the same file: of pairs
/// equally frequent the one with the smaller ids merges first. Ids are the byte values, then the merges in order, then special tokens.
/// </summary>
public static class BytePairTrainer
{
    private const string BeginOfText = "<|begin_of_text|>";
    private const string EndOfText = "<|end_of_text|>";

    public static void Train(IEnumerable<string> texts, BytePairTrainerOptions options, string outputPath)
    {
        int specialCount = options.AddSpecialTokens ? 2 : 0;
        if (options.VocabularySize < 256 + specialCount)
        {
            throw new ArgumentException($"VocabularySize is {options.VocabularySize}; the bytes and special tokens alone are {256 + specialCount}", nameof(options));
        }
        if (options.AddBos && !options.AddSpecialTokens)
        {
            throw new ArgumentException("AddBos needs AddSpecialTokens", nameof(options));
        }
        JsonObject file = Skeleton(options);
        var merges = new PairMerges(CountWords(texts, file), options.MinimumPairCount);
        merges.Learn(options.VocabularySize - specialCount);
        AddModel(file, merges);
        if (options.AddSpecialTokens)
        {
            AddSpecialTokens(file, merges.EntryCount, options.AddBos);
        }
        RecordFile.Write(outputPath, stream =>
        {
            using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" });
            file.WriteTo(writer);
            writer.Flush();
            stream.WriteByte((byte)'\n');
        });
    }

    // Words as their bytes in the alphabet of the vocabulary, with their counts.
    private static Dictionary<string, int> CountWords(IEnumerable<string> texts, JsonObject file)
    {
        using JsonDocument document = JsonDocument.Parse(file.ToJsonString());
        (INormalizer[] normalizers, SplitSteps splits) = new TokenizerFile("options").ReadSteps(document.RootElement);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var normalized = new AlignedText();
        var spare = new AlignedText();
        foreach (string text in texts)
        {
            normalized.Set(text, withOffsets: false);
            Normalizers.Apply(normalizers, ref normalized, ref spare);
            var sink = new CountingSink(normalized, counts);
            splits.Apply(normalized.Text, ref sink);
        }
        return counts;
    }

    private readonly struct CountingSink(AlignedText text, Dictionary<string, int> counts) : IPieceSink
    {
        public bool Add(int start, int length)
        {
            Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
            ReadOnlySpan<char> word = text.Text.Slice(start, length);
            lookup.TryGetValue(word, out int count);
            lookup[word] = count + 1;
            return true;
        }
    }

    private static JsonObject Skeleton(BytePairTrainerOptions options)
    {
        var normalizers = new JsonArray(); // Add(JsonNode), as the generic Add needs reflection
        if (options.SplitCaseChanges)
        {
            normalizers.Add((JsonNode)new JsonObject
            {
                ["type"] = "Replace",
                ["pattern"] = new JsonObject { ["Regex"] = @"(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})" },
                ["content"] = " ",
            });
        }
        if (options.Lowercase)
        {
            normalizers.Add((JsonNode)new JsonObject { ["type"] = "Lowercase" });
        }
        bool keepsSpaces = options.Splitting == WordSplitting.LeadingSpaces;
        JsonObject byteLevel = ByteLevel(useRegex: keepsSpaces);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = normalizers.Count == 0 ? null : new JsonObject { ["type"] = "Sequence", ["normalizers"] = normalizers },
            ["pre_tokenizer"] = keepsSpaces ? byteLevel : new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = @"[\p{L}\p{M}]+|\p{N}|[^\s\p{L}\p{M}\p{N}]" },
                        ["behavior"] = "Removed",
                        ["invert"] = true,
                    },
                    byteLevel),
            },
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(useRegex: true),
        };
    }

    private static JsonObject ByteLevel(bool useRegex) =>
        new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = useRegex };

    private static void AddModel(JsonObject file, PairMerges merges)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < merges.EntryCount; id++)
        {
            vocabulary[ByteAlphabet.Encode(merges.Entry(id))] = id;
        }
        var pairs = new JsonArray();
        foreach ((int left, int right) in merges.Pairs)
        {
            pairs.Add((JsonNode)$"{ByteAlphabet.Encode(merges.Entry(left))} {ByteAlphabet.Encode(merges.Entry(right))}");
        }
        file["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = vocabulary,
            ["merges"] = pairs,
        };
    }

    private static void AddSpecialTokens(JsonObject file, int firstId, bool addBos)
    {
        JsonArray added = file["added_tokens"]!.AsArray();
        foreach (string content in (string[])[BeginOfText, EndOfText])
        {
            added.Add((JsonNode)new JsonObject
            {
                ["id"] = firstId + added.Count,
                ["content"] = content,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            });
        }
        if (addBos)
        {
            file["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(Special(0), Sequence("A", 0)),
                ["pair"] = new JsonArray(Special(0), Sequence("A", 0), Special(1), Sequence("B", 1)),
                ["special_tokens"] = new JsonObject
                {
                    [BeginOfText] = new JsonObject { ["id"] = BeginOfText, ["ids"] = new JsonArray(firstId), ["tokens"] = new JsonArray(BeginOfText) },
                },
            };
        }

        static JsonObject Special(int type) => new() { ["SpecialToken"] = new JsonObject { ["id"] = BeginOfText, ["type_id"] = type } };

        static JsonObject Sequence(string name, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = type } };
    }
}
