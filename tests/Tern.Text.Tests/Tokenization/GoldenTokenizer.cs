using System.Text;
using System.Text.Json;
using Tern.TestKit;

namespace Tern.Text.Tests.Tokenization;

/// <summary>
/// The two small vocabularies under tests/golden/tokenizer, trained on training.txt beside them, and their cases: texts with the ids
/// that <see cref="NaiveBytePairs"/> gives. Set TERN_WRITE_GOLDEN=1 to write them anew.
/// </summary>
internal static class GoldenTokenizer
{
    public static readonly string[] Names = ["spaced", "words"];

    public static string TrainingText => Repository.PathOf("tests", "golden", "tokenizer", "training.txt");

    public static string Folder(string name) => Repository.PathOf("tests", "golden", "tokenizer", name);

    public static string FileOf(string name) => Path.Combine(Folder(name), "tokenizer.json");

    public static BytePairTrainerOptions OptionsOf(string name) => name == "words"
        ? new() { VocabularySize = 520, Lowercase = true, SplitCaseChanges = true, Splitting = WordSplitting.Words }
        : new() { VocabularySize = 520, AddBos = true };

    /// <summary>Texts that break tokenizers.</summary>
    public static readonly string[] Texts =
    [
        "", " ", "\n", "a", "  a", "a  ", "\t\t x \r\n\r\n y\r z",
        "It's the river's; we'd say they're rising, I'm sure you've seen it, he'll tell. 'S 'T ''s 's",
        "don't DON'T can’t",
        "1 12 123 1234 12345678 3.14159 1,200 ½ ٣٤٥ Ⅷ 𝟙𝟚𝟛 x1y2",
        "non\u00A0breaking\u00A0\u00A0spaces \u3000 ideographic \u2009thin\u200Bzero",
        "e\u0301te\u0301 cafe\u0301 a\u030A\u0301 \u0301start नदी किताब",
        "👩‍👩‍👧‍👦 👍🏽 🙂🙃 ❤️ 🇫🇷",
        "السلام عليكم النهر كان يرتفع", "שלום עולם הנהר",
        "河水上涨 川の水 강물은 𠀀𠀁一 水水水",
        "𝒜𝒷c 𐐀𐐨 𐤀 \uFFFF \U0010FFFF",
        "<|begin_of_text|>x<|end_of_text|>", "a <|end_of_text|> b <|end_of_tex <|begin_of_text|><|begin_of_text|>", "|<|>|",
        "ReadOnlySpan<char> HTTPServer XmlHTTPRequest2Go getHTTPSUrl IOException UTF8Encoding aB A Ab ÉtéÀ ПриВет",
        "İstanbul ISTANBUL ſtraße GROẞ ﬁ Ǆ ΣΑΣ",
        "https://example.org/a?b=c&d=%20e#f_g-h", "E=mc^2 ∑∫√ §1 © «quote» “x” …",
        "The river had been rising since Tuesday, and by the weekend the lower fields were a lake.",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa     ============ --- ,,,,",
    ];

    public static List<(string Text, int[] Ids, int[] IdsWithSpecial)> Cases(string name)
    {
        string path = Path.Combine(Folder(name), "cases.jsonl");
        if (Environment.GetEnvironmentVariable("TERN_WRITE_GOLDEN") == "1")
        {
            WriteCases(name, path);
        }
        var cases = new List<(string, int[], int[])>();
        foreach (string line in File.ReadLines(path))
        {
            using JsonDocument record = JsonDocument.Parse(line);
            cases.Add((record.RootElement.GetProperty("text").GetString()!, Ids(record, "ids"), Ids(record, "ids_with_special")));
        }
        return cases;

        static int[] Ids(JsonDocument record, string name) => [.. record.RootElement.GetProperty(name).EnumerateArray().Select(i => i.GetInt32())];
    }

    private static void WriteCases(string name, string path)
    {
        var oracle = new NaiveBytePairs(FileOf(name), name == "words");
        var lines = new StringBuilder();
        foreach (string text in Texts)
        {
            object record = new { text, ids = oracle.Encode(text, false), ids_with_special = oracle.Encode(text, true) };
            lines.Append(JsonSerializer.Serialize(record)).Append('\n');
        }
        File.WriteAllText(path, lines.ToString());
    }
}
