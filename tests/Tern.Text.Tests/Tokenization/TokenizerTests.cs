using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;

namespace Tern.Text.Tests.Tokenization;

public sealed class TokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int[] Encode(Tokenizer tokenizer, string text, bool special = false)
    {
        var ids = new List<int>();
        tokenizer.Encode(text, ids, special);
        return [.. ids];
    }

    private static void CheckIds(string text, IEnumerable<int> expected, IEnumerable<int> actual) =>
        Assert.True(expected.SequenceEqual(actual), $"'{text}': expected [{string.Join(' ', expected)}], got [{string.Join(' ', actual)}]");

    [Theory]
    [InlineData("spaced")]
    [InlineData("words")]
    public void CommittedCases(string name)
    {
        List<(string Text, int[] Ids, int[] IdsWithSpecial)> cases = GoldenTokenizer.Cases(name);
        Assert.Equal(GoldenTokenizer.Texts, cases.Select(c => c.Text));
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder(name));
        var oracle = new NaiveBytePairs(GoldenTokenizer.FileOf(name), name == "words");
        foreach ((string text, int[] ids, int[] withSpecial) in cases)
        {
            CheckIds(text, ids, oracle.Encode(text, false));
            CheckIds(text, withSpecial, oracle.Encode(text, true));
            CheckIds(text, ids, Encode(tokenizer, text));
            CheckIds(text, withSpecial, Encode(tokenizer, text, special: true));
            if (name == "spaced")
            {
                Assert.Equal(text, tokenizer.Decode(ids));
                Assert.Equal(text, tokenizer.Decode(withSpecial));
            }
        }
    }

    [Theory]
    [InlineData("spaced")]
    [InlineData("words")]
    public void RandomMixesOfTheCases(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder(name));
        var oracle = new NaiveBytePairs(GoldenTokenizer.FileOf(name), name == "words");
        System.Text.Rune[] runes = [.. string.Concat(GoldenTokenizer.Texts).EnumerateRunes()];
        Gen.Int[0, runes.Length - 1].Select(i => runes[i]).Array[1, 24].Sample(
            picked =>
            {
                string text = string.Concat(picked.Select(r => r.ToString()));
                CheckIds(text, oracle.Encode(text, true), Encode(tokenizer, text, special: true));
            },
            iter: 300, threads: 1, seed: "0000KOIPe036");
    }

    // Ids that are not in the order of the merges, merges in both notations, whole words with and without ignore_merges.
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    [InlineData(true, 4)]
    public void AnyOrderOfIds(bool ignoreMerges, int seed)
    {
        JsonNode file = JsonNode.Parse(File.ReadAllText(GoldenTokenizer.FileOf("spaced")))!;
        string[] entries = [.. file["model"]!["vocab"]!.AsObject().Select(e => e.Key)];
        int[] ids = [.. Enumerable.Range(0, entries.Length)];
        new Random(seed).Shuffle(ids);
        var vocabulary = new JsonObject();
        for (int i = 0; i < entries.Length; i++)
        {
            vocabulary[entries[i]] = ids[i];
        }
        vocabulary["Ġxylophone"] = 700;
        vocabulary["sheepish"] = 701;
        file["model"]!["vocab"] = vocabulary;
        file["model"]!["ignore_merges"] = ignoreMerges;
        if (seed > 2)
        {
            file["model"]!["merges"] = new JsonArray([.. file["model"]!["merges"]!.AsArray().Select(m => new JsonArray([.. m!.GetValue<string>().Split(' ').Select(p => JsonValue.Create(p))]))]);
        }
        string path = _folder.Write("tokenizer.json", file.ToJsonString());
        var oracle = new NaiveBytePairs(path, words: false);
        Tokenizer tokenizer = Tokenizer.Load(path);
        foreach (string text in (string[])[.. GoldenTokenizer.Texts, "a xylophone, sheepish sheepish", .. File.ReadLines(GoldenTokenizer.TrainingText)])
        {
            CheckIds(text, oracle.Encode(text, false), Encode(tokenizer, text));
        }
        Assert.Equal(ignoreMerges, Encode(tokenizer, " xylophone").SequenceEqual([700]));
    }

    // As Llama-3's: merges that are all splits of all entries in the order of the ids, and whole words first.
    [Fact]
    public void MergesInTheOrderOfIds()
    {
        JsonNode file = JsonNode.Parse(File.ReadAllText(GoldenTokenizer.FileOf("spaced")))!;
        Dictionary<string, int> ids = file["model"]!["vocab"]!.AsObject().ToDictionary(e => e.Key, e => e.Value!.GetValue<int>());
        var merges = new JsonArray();
        foreach ((string entry, _) in ids.OrderBy(e => e.Value))
        {
            for (int at = 1; at < entry.Length; at++)
            {
                if (ids.ContainsKey(entry[..at]) && ids.ContainsKey(entry[at..]))
                {
                    merges.Add($"{entry[..at]} {entry[at..]}");
                }
            }
        }
        file["model"]!["merges"] = merges;
        file["model"]!["ignore_merges"] = true;
        string path = _folder.Write("tokenizer.json", file.ToJsonString());
        Tokenizer tokenizer = Tokenizer.Load(path);
        var oracle = new NaiveBytePairs(path, words: false);
        foreach (string text in (string[])[.. GoldenTokenizer.Texts, .. File.ReadLines(GoldenTokenizer.TrainingText)])
        {
            CheckIds(text, oracle.Encode(text, true), Encode(tokenizer, text, special: true));
        }
    }

    /// <summary>As the paper's system saves its tokenizer: the underscore, which is an ordinary entry, is a special token too, and cuts words.</summary>
    [Fact]
    public void AnUnderscoreThatIsTheMaskTokenIsHonoured()
    {
        JsonNode file = JsonNode.Parse(File.ReadAllText(GoldenTokenizer.FileOf("spaced")))!;
        int underscore = file["model"]!["vocab"]!["_"]!.GetValue<int>();
        file["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = underscore, ["content"] = "_", ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true });
        Tokenizer before = Tokenizer.Load(GoldenTokenizer.Folder("spaced")), tokenizer = Tokenizer.Load(_folder.Write("tokenizer.json", file.ToJsonString()));

        Assert.Equal([.. Encode(before, "the river"), underscore, .. Encode(before, "was rising")], Encode(tokenizer, "the river_was rising"));
        Assert.Equal([underscore, underscore], Encode(tokenizer, "__"));
        Assert.Contains(underscore, tokenizer.SpecialIds);
        Assert.DoesNotContain(underscore, before.SpecialIds);
        Assert.DoesNotContain(518, Encode(tokenizer, "<|begin_of_text|>"));
    }

    [Fact]
    public void BosEosPrefixAndTruncation()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder("spaced"));
        Assert.Equal((518, 519), (tokenizer.BosId, tokenizer.EosId));
        int[] plain = Encode(tokenizer, "query: the river was rising");
        Assert.Equal(plain, Framed(new(false, false, "", 0)));
        Assert.Equal([518, .. plain, 519], Framed(new(true, true, "", 0)));
        Assert.Equal([518, .. plain[..2], 519], Framed(new(true, true, "", 4)));
        Assert.Equal([518, 519], Framed(new(true, true, "", 2)));
        Assert.Equal([518, .. plain[..3]], Framed(new(true, false, null!, 4)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Framed(new(true, true, "", 1)));

        List<int> Framed(TokenizationOptions options)
        {
            bool prefixed = options.Prefix != null;
            var ids = new List<int>();
            tokenizer.Encode(prefixed ? "the river was rising" : "query: the river was rising", prefixed ? options with { Prefix = "query: " } : options, ids);
            return ids;
        }
    }

    [Fact]
    public void AskingForBosWithoutOneIsAnError()
    {
        BytePairTrainer.Train(["a b"], new() { VocabularySize = 256, AddSpecialTokens = false }, _folder.File("tokenizer.json"));
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        Assert.Null(tokenizer.BosId);
        Assert.Throws<InvalidOperationException>(() => tokenizer.Encode("a", new(true, false, "", 0), []));
    }

    [Theory]
    [InlineData("spaced")]
    [InlineData("words")]
    public void OffsetsCoverWhatTheTokensSay(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder(name));
        foreach (string text in GoldenTokenizer.Texts)
        {
            var ids = new List<int>();
            var offsets = new List<(int Start, int Length)>();
            tokenizer.EncodeWithOffsets(text, new(true, true, "", 0), ids, offsets);
            Assert.Equal(ids.Count, offsets.Count);
            Assert.Equal(((0, 0), (0, 0)), (offsets[0], offsets[^1]));
            CheckIds(text, [tokenizer.BosId!.Value, .. Encode(tokenizer, text), tokenizer.EosId!.Value], ids);
            for (int i = 1; i < ids.Count - 1; i++)
            {
                string covered = text.Substring(offsets[i].Start, offsets[i].Length);
                string token = tokenizer.TokenText(ids[i]);
                bool isPartOfCharacter = covered.EnumerateRunes().Any(r => r.Value >= 128);
                if (!isPartOfCharacter)
                {
                    Assert.Equal(token, name == "words" ? covered.ToLowerInvariant() : covered);
                }
                Assert.True(i == 1 || offsets[i].Start >= offsets[i - 1].Start);
            }
        }
    }

    [Fact]
    public void OffsetsAreOfTheTextWithoutItsPrefix()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder("words"));
        var ids = new List<int>();
        var offsets = new List<(int Start, int Length)>();
        const string Text = "TheRiver, the fields";
        tokenizer.EncodeWithOffsets(Text, new(false, false, "query: ", 0), ids, offsets);
        List<string> covered = [.. offsets.Where(o => o.Length > 0).Select(o => Text.Substring(o.Start, o.Length))];
        Assert.Equal("TheRiver,thefields", string.Concat(covered));
        Assert.Equal("The", covered[0]);
        List<int> prefix = [.. Encode(tokenizer, "query: ")];
        Assert.All(offsets.Take(prefix.Count), o => Assert.Equal((0, 0), o));
    }

    [Fact]
    public void ManyThreadsGetTheSameIds()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder("spaced"));
        string[] texts = File.ReadAllLines(GoldenTokenizer.TrainingText);
        int[][] expected = [.. texts.Select(t => Encode(Tokenizer.Load(GoldenTokenizer.Folder("spaced")), t))];
        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => Assert.Equal(expected[i % texts.Length], Encode(tokenizer, texts[i % texts.Length])));
    }

    [Fact]
    public void AddedTokensThatAreNotSpecialAreAlwaysFound()
    {
        Tokenizer tokenizer = Changed(file => file["added_tokens"] = JsonNode.Parse("""
            [{"id":700,"content":"[X]","special":false,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},
             {"id":701,"content":"[XY]","special":true,"normalized":false,"single_word":false,"lstrip":true,"rstrip":false},
             {"id":702,"content":"[X]Y","special":false,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},
             {"id":703,"content":"cat","special":false,"normalized":true,"single_word":true,"lstrip":false,"rstrip":true}]
            """));
        Assert.Equal(704, tokenizer.VocabularySize);
        int A = Encode(tokenizer, "a")[0];
        Assert.Equal([A, 700, A], Encode(tokenizer, "a[X]a"));
        Assert.Equal([A, 702, A], Encode(tokenizer, "a[X]Ya"));
        Assert.Equal([A, 701, A], Encode(tokenizer, "a  [XY]a", special: true));
        Assert.DoesNotContain(701, Encode(tokenizer, "a  [XY]a"));
        Assert.Equal([703, A], Encode(tokenizer, "cat a"));
        Assert.DoesNotContain(703, Encode(tokenizer, "concat"));
        Assert.DoesNotContain(703, Encode(tokenizer, "cats"));
        Assert.Equal("[X]Y", tokenizer.TokenText(702));
    }

    [Fact]
    public void TokenTextOfAPartOfACharacterIsItsByteLevelForm()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.Folder("spaced"));
        Assert.Equal("\u0122", tokenizer.TokenText(0x80));
        Assert.Equal(" ", tokenizer.TokenText(0x20));
        Assert.Equal("<|begin_of_text|>", tokenizer.TokenText(518));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.TokenText(520));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([-1]));
    }

    [Fact]
    public void RemovedSplitsAndStringPatterns()
    {
        Tokenizer tokenizer = Changed(file => file["pre_tokenizer"] = JsonNode.Parse("""
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Removed","invert":false},
              {"type":"Split","pattern":{"String":"."},"behavior":"Isolated","invert":false},
              {"type":"Digits","individual_digits":true},
              {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
            """));
        Assert.Equal("t|he|.|1|2|.|t|he", string.Join('|', Encode(tokenizer, " the.12.\n the ").Select(tokenizer.TokenText)));
    }

    [Theory]
    [InlineData("normalizer", """{"type":"NFKC"}""", "normalizer.type: not supported: 'NFKC'")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"Strip"}]}""", "normalizer.normalizers[1].type: not supported: 'Strip'")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":"("},"content":""}""", "normalizer.pattern.Regex: the pattern is not supported")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":"a"}}""", "normalizer.content is missing")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace"}""", "pre_tokenizer.type: not supported: 'Metaspace'")]
    [InlineData("pre_tokenizer", "null", "pre_tokenizer: not supported: there is no ByteLevel step")]
    [InlineData("pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":true}""", "pre_tokenizer.add_prefix_space: not supported")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"MergedWithNext"}""", "pre_tokenizer.behavior: not supported: 'MergedWithNext'")]
    [InlineData("post_processor", """{"type":"RobertaProcessing"}""", "post_processor.type: not supported: 'RobertaProcessing'")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}""", "post_processor.special_tokens['x'].ids is not one id")]
    [InlineData("added_tokens", """[{"id":-1,"content":"x"}]""", "added_tokens[0].id is not a whole number")]
    [InlineData("added_tokens", """[{"id":1,"content":7}]""", "added_tokens[0].content is not a string")]
    [InlineData("model", """{"type":"Unigram","vocab":[]}""", "model.type: not supported: 'Unigram'")]
    [InlineData("model", """{"type":"BPE","byte_fallback":true}""", "model.byte_fallback: not supported")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[]}""", "model.vocab: not supported: byte 0x00")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}""", "model.vocab 'b' or its id 0 is there twice")]
    [InlineData("model", "null", "model is missing")]
    public void WhatIsNotSupportedIsNamed(string field, string value, string message)
    {
        var e = Assert.Throws<InvalidDataException>(() => Changed(file => file[field] = JsonNode.Parse(value)));
        Assert.Contains("tokenizer.json: " + message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MergesThatMakeNoEntryAreNamed()
    {
        var e = Assert.Throws<InvalidDataException>(() => Changed(file => file["model"]!["merges"]!.AsArray().Insert(1, "q q")));
        Assert.Contains("model.merges[1] \"q q\" is not a pair of entries that make an entry", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingOrMalformedFiles()
    {
        Assert.Contains("tokenizer.json", Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(_folder.Path)).Message, StringComparison.Ordinal);
        string path = _folder.Write("tokenizer.json", "{\n\"model\": {");
        Assert.Contains("tokenizer.json:2: not valid JSON", Assert.Throws<InvalidDataException>(() => Tokenizer.Load(path)).Message, StringComparison.Ordinal);
    }

    private Tokenizer Changed(Action<JsonNode> change)
    {
        JsonNode file = JsonNode.Parse(File.ReadAllText(GoldenTokenizer.FileOf("spaced")))!;
        change(file);
        return Tokenizer.Load(_folder.Write("tokenizer.json", file.ToJsonString(new JsonSerializerOptions())));
    }
}
