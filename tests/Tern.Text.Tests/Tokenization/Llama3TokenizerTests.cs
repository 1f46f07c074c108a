using System.IO.Compression;
using System.Text.Json;
using Tern.TestKit;

namespace Tern.Text.Tests.Tokenization;

public sealed class Llama3TokenizerTests
{
    [Llama3Fact]
    public void EveryRecordedTextHasTheSameIds()
    {
        Tokenizer tokenizer = Tokenizer.Load(Environment.GetEnvironmentVariable(Llama3FactAttribute.Variable)!);
        Assert.Equal((128256, 128000, 128001), (tokenizer.VocabularySize, tokenizer.BosId, tokenizer.EosId));
        using var zip = new GZipStream(File.OpenRead(Path.Combine(Repository.SharedArchives!, Llama3FactAttribute.Archive)), CompressionMode.Decompress);
        using var reader = new StreamReader(zip);
        int count = 0;
        var ids = new List<int>();
        var offsets = new List<(int Start, int Length)>();
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument record = JsonDocument.Parse(line);
            string text = record.RootElement.GetProperty("text").GetString()!;
            int[] expected = [.. record.RootElement.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
            ids.Clear();
            tokenizer.Encode(text, ids, parseSpecialTokens: true);
            Assert.True(expected.AsSpan().SequenceEqual(ids.ToArray()), $"'{text}': expected [{string.Join(' ', expected)}], got [{string.Join(' ', ids)}]");
            Assert.Equal(text, tokenizer.Decode(ids.ToArray()));

            int[] plain = [.. ids];
            ids.Clear();
            offsets.Clear();
            tokenizer.EncodeWithOffsets(text, default, ids, offsets);
            Assert.Equal(ids.Count, offsets.Count);
            Assert.All(offsets, o => Assert.True(o.Length > 0 && o.Start + o.Length <= text.Length));
            count++;
        }
        Assert.True(count > 300, $"only {count} texts");
    }
}
