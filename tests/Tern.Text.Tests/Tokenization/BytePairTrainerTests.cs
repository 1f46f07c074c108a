using System.Text.Json;

namespace Tern.Text.Tests.Tokenization;

public sealed class BytePairTrainerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("spaced")]
    [InlineData("words")]
    public void TheCommittedVocabularyComesOutByteForByte(string name)
    {
        bool write = Environment.GetEnvironmentVariable("TERN_WRITE_GOLDEN") == "1";
        Directory.CreateDirectory(GoldenTokenizer.Folder(name));
        string path = write ? GoldenTokenizer.FileOf(name) : _folder.File("tokenizer.json");
        BytePairTrainer.Train(File.ReadLines(GoldenTokenizer.TrainingText), GoldenTokenizer.OptionsOf(name), path);
        Assert.Equal(File.ReadAllText(GoldenTokenizer.FileOf(name)), File.ReadAllText(path));
        Assert.Equal(520, Tokenizer.Load(path).VocabularySize);
    }

    [Fact]
    public void MergesAreThoseOfCountingAnew()
    {
        string[] texts = File.ReadAllLines(GoldenTokenizer.TrainingText)[..5];
        string path = _folder.File("tokenizer.json");
        BytePairTrainer.Train(texts, new() { VocabularySize = 420, MinimumPairCount = 1, Splitting = WordSplitting.Words, AddSpecialTokens = false }, path);
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(path));
        string[] merges = [.. file.RootElement.GetProperty("model").GetProperty("merges").EnumerateArray().Select(m => m.GetString()!)];
        Assert.Equal(NaiveMerges(texts, 420 - 256), merges);
    }

    // Counts every pair of every word before each merge. ASCII texts only, so that bytes are characters.
    private static List<string> NaiveMerges(string[] texts, int count)
    {
        List<List<string>> words = [.. texts.SelectMany(t => System.Text.RegularExpressions.Regex.Matches(t, "[A-Za-z]+|[^A-Za-z ]")).Select(m => m.Value.Select(c => c.ToString()).ToList())];
        var merges = new List<string>();
        var ids = Enumerable.Range(0, 128).ToDictionary(b => ((char)b).ToString());
        while (merges.Count < count)
        {
            (string Left, string Right) best = words
                .SelectMany(w => w.Zip(w.Skip(1)))
                .GroupBy(p => p)
                .OrderByDescending(g => g.Count()).ThenBy(g => ids[g.Key.First]).ThenBy(g => ids[g.Key.Second])
                .First().Key;
            merges.Add($"{best.Left} {best.Right}");
            ids.TryAdd(best.Left + best.Right, 128 + ids.Count);
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == best.Left && word[i + 1] == best.Right)
                    {
                        word[i] += word[i + 1];
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }
        return merges;
    }

    [Fact]
    public void RunsOfOneCharacterMerge()
    {
        string path = _folder.File("tokenizer.json");
        BytePairTrainer.Train(["aaaaaaa aaaaaaa", "aaaa"], new() { VocabularySize = 300, Splitting = WordSplitting.Words }, path);
        Tokenizer tokenizer = Tokenizer.Load(path);
        var ids = new List<int>();
        tokenizer.Encode("aaaaaaa", ids);
        Assert.Equal(["aaaaaaa"], ids.Select(tokenizer.TokenText));
        Assert.True(tokenizer.VocabularySize < 266, "fewer entries where the text has no more pairs");
    }

    [Fact]
    public void CasesSplitAndSpacesGo()
    {
        string path = _folder.File("tokenizer.json");
        BytePairTrainer.Train(["array Array ArrayPool XMLArray arrays array"], new() { VocabularySize = 400, Splitting = WordSplitting.Words, Lowercase = true, SplitCaseChanges = true }, path);
        Tokenizer tokenizer = Tokenizer.Load(path);
        var ids = new List<int>();
        tokenizer.Encode("  MyArray,ARRAY", ids);
        Assert.Equal(["m", "y", "array", ",", "array"], ids.Select(tokenizer.TokenText));
    }

    [Fact]
    public void ImpossibleOptionsAreRefused()
    {
        Assert.Throws<ArgumentException>(() => BytePairTrainer.Train([], new() { VocabularySize = 257 }, _folder.File("t.json")));
        Assert.Throws<ArgumentException>(() => BytePairTrainer.Train([], new() { AddBos = true, AddSpecialTokens = false }, _folder.File("t.json")));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }
}
