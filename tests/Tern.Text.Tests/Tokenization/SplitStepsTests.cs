using System.Text.RegularExpressions;

namespace Tern.Text.Tests.Tokenization;

public sealed class SplitStepsTests
{
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [Theory]
    [InlineData("a𝒷c 𐐀𐐨d 𠀀一x", "a𝒷c| 𐐀𐐨d| 𠀀一x")]
    [InlineData("𝟙𝟚𝟛𝟜5", "𝟙𝟚𝟛|𝟜5")]
    [InlineData("🙂🙃x", "🙂🙃|x")]
    [InlineData("I'LL  go\r\n 🙂\n\n", "I|'LL| | go|\r\n| 🙂\n\n")]
    public void LettersAndDigitsBeyondTheBmpAreLettersAndDigits(string text, string pieces) =>
        Assert.Equal(pieces, string.Join('|', Split(text, new SplitStep(new Regex(Llama3), SplitBehavior.Isolated))));

    [Theory]
    [InlineData("RemoveMatches", "ab|cd")]
    [InlineData("RemoveOthers", " |  ")]
    [InlineData("Isolated", " |ab|  |cd")]
    public void Behaviors(string behavior, string pieces) =>
        Assert.Equal(pieces, string.Join('|', Split(" ab  cd", new SplitStep(new Regex(@"\s+"), Enum.Parse<SplitBehavior>(behavior)))));

    private static List<string> Split(string text, params SplitStep[] steps)
    {
        var sink = new Pieces(text, []);
        new SplitSteps(steps).Apply(text, ref sink);
        return sink.List;
    }

    private readonly struct Pieces(string text, List<string> list) : IPieceSink
    {
        public List<string> List => list;

        public bool Add(int start, int length)
        {
            list.Add(text.Substring(start, length));
            return true;
        }
    }
}
