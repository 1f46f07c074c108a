using System.Globalization;
using Xunit;

namespace Tern.Retrieval.Tests.Fields;

public class FilterTests
{
    private static readonly FieldDefinition[] Fields = [new("lang", FieldKind.String), new("year", FieldKind.Number), new("when", FieldKind.Date), new("open", FieldKind.Bool)];

    [Theory]
    [InlineData("lang = en", "0 3")]
    [InlineData("lang != en", "1 2")]
    [InlineData("not lang = en", "1 2 4")]
    [InlineData("lang < en", "1")]
    [InlineData("lang <= en", "0 1 3")]
    [InlineData("lang > en", "2")]
    [InlineData("lang >= enn", "2")]
    [InlineData("lang < enn", "0 1 3")]
    [InlineData("lang = nowhere", "")]
    [InlineData("lang != nowhere", "0 1 2 3")]
    [InlineData("lang in (de, 'f''r', fr)", "1 2")]
    [InlineData("lang exists", "0 1 2 3")]
    [InlineData("year >= 2020", "1 3 4")]
    [InlineData("year = 1999.5", "2")]
    [InlineData("year > -1e3 and year < 2000", "0 2")]
    [InlineData("lang = en and year >= 2020", "3")]
    [InlineData("lang = de or lang = en and year >= 2020", "1 3")]
    [InlineData("(lang = de or lang = en) and year < 2020", "0")]
    [InlineData("NOT (lang = de OR lang = en)", "2 4")]
    [InlineData("when >= 2024-05-01", "1 2")]
    [InlineData("when < 2024-05-01T10:00:00+02:00", "0")]
    [InlineData("when = '2024-05-01T08:00:00Z'", "1")]
    [InlineData("open = true", "0")]
    [InlineData("open=false and lang=\"fr\"", "2")]
    public void SelectsWhatItSays(string expression, string expected)
    {
        using var directory = new TemporaryDirectory();
        using SegmentedIndex index = Build(directory);
        DocumentFilter filter = index.Filter(expression);
        Assert.Equal(expected, string.Join(' ', Enumerable.Range(0, 5).Where(filter.Contains)));
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length, filter.Count);
    }

    [Theory]
    [InlineData("", 1, "a field was expected")]
    [InlineData("lang", 5, "one of =")]
    [InlineData("lang ~ en", 6, "one of =")]
    [InlineData("land = en", 1, "no field 'land'; the index has the fields lang:string")]
    [InlineData("lang = en und year = 3", 11, "'and', 'or' or the end")]
    [InlineData("year >= twenty", 9, "'twenty' is no number")]
    [InlineData("lang = en and when < 2024-13-01", 22, "is no date")]
    [InlineData("open = yes", 8, "is no bool")]
    [InlineData("lang = 'en", 8, "closing ' is missing")]
    [InlineData("(lang = en", 11, "a ')' is missing")]
    [InlineData("lang in en", 9, "a list in parentheses")]
    [InlineData("lang in (en", 12, "a ',' or a ')'")]
    [InlineData("lang =", 7, "a value was expected")]
    public void ErrorsNameTheColumn(string expression, int column, string problem)
    {
        using var directory = new TemporaryDirectory();
        using SegmentedIndex index = Build(directory);
        string message = Assert.Throws<ArgumentException>(() => index.Filter(expression)).Message;
        Assert.StartsWith($"filter, column {column}: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Fact]
    public void DeepAndLongExpressionsAreRefusedNotFatal()
    {
        using var directory = new TemporaryDirectory();
        using SegmentedIndex index = Build(directory);
        Assert.Contains("deep", Assert.Throws<ArgumentException>(() => index.Filter(new string('(', 100_000))).Message, StringComparison.Ordinal);
        Assert.Contains("conditions", Assert.Throws<ArgumentException>(() => index.Filter(string.Join(" or ", Enumerable.Repeat("year = 1", 100_000)))).Message, StringComparison.Ordinal);
        Assert.Equal(0, index.Filter($"year in ({string.Join(", ", Enumerable.Range(0, 1500))})").Count);
    }

    /// <summary>Against the same comparison of every value by itself.</summary>
    [Fact]
    public void StringsCompareByTheirBytes()
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(3);
        string[] ids = RandomVectors.Ids(random, 200);
        var settings = new IndexSettings { Kind = VectorKind.Dense, Dimension = 1, Fields = [new FieldDefinition("s", FieldKind.String)] };
        using (var builder = new SegmentBuilder(directory.Path, settings))
        {
            foreach (string id in ids)
            {
                builder.Add(new IndexDocument(id) { Dense = new float[1], Fields = new Dictionary<string, FieldValue> { ["s"] = FieldValue.Of(id) } });
            }

            builder.Complete();
        }

        using var index = SegmentedIndex.Open(directory.Path);
        byte[][] bytes = Array.ConvertAll(ids, System.Text.Encoding.UTF8.GetBytes);
        for (int i = 0; i < 40; i++)
        {
            string bound = i % 2 == 0 ? ids[random.Next(ids.Length)] : $"d{random.Next(3000)}x";
            byte[] key = System.Text.Encoding.UTF8.GetBytes(bound);
            DocumentFilter less = index.Filter($"s < '{bound}'"), notGreater = index.Filter($"s <= '{bound}'");
            for (int d = 0; d < ids.Length; d++)
            {
                int order = bytes[d].AsSpan().SequenceCompareTo(key);
                Assert.Equal(order < 0, less.Contains(d));
                Assert.Equal(order <= 0, notGreater.Contains(d));
            }
        }
    }

    [Theory]
    [InlineData("year", "year:string")]
    [InlineData("year:NUMBER", "year:number")]
    public void DefinitionsAreRead(string text, string expected) => Assert.Equal(expected, FieldDefinition.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("2x:number")]
    [InlineData("a b")]
    [InlineData("a:int")]
    [InlineData("a:1")]
    public void WrongDefinitionsAreRefused(string text) => Assert.Throws<ArgumentException>(() => FieldDefinition.Parse(text));

    private static SegmentedIndex Build(TemporaryDirectory directory)
    {
        string?[][] rows =
        [
            ["en", "1999", "2024-04-30T23:59:59.9999999Z", "true"],
            ["de", "2020", "2024-05-01T08:00:00Z", "false"],
            ["fr", "1999.5", "2025-01-01", "false"],
            ["en", "2021", null, null],
            [null, "2022", null, null],
        ];
        using (var builder = new SegmentBuilder(directory.Path, new IndexSettings { Kind = VectorKind.Dense, Dimension = 1, Fields = Fields }))
        {
            for (int i = 0; i < rows.Length; i++)
            {
                var values = new Dictionary<string, FieldValue>();
                for (int f = 0; f < Fields.Length; f++)
                {
                    if (rows[i][f] is { } text)
                    {
                        Assert.True(FieldValue.TryParse(Fields[f].Kind, text, out FieldValue value));
                        values.Add(Fields[f].Name, value);
                    }
                }

                builder.Add(new IndexDocument(i.ToString(CultureInfo.InvariantCulture)) { Dense = new float[1], Fields = values });
            }

            builder.Complete();
        }

        return SegmentedIndex.Open(directory.Path);
    }
}
