namespace Tern.Text.Tests.Analysis;

public sealed class WordAnalyzerTests
{
    private static string Words(string text)
    {
        var words = new List<string>();
        int start = 0;
        for (int length; (length = WordBreaks.Next(text, ref start)) > 0; start += length)
        {
            words.Add(text.Substring(start, length));
        }
        return string.Join('|', words);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData(" ... -- ___ !", "")]
    [InlineData("The quick-brown fox.", "The|quick|brown|fox")]
    [InlineData("can't O'Neil's 'quoted' dogs'", "can't|O'Neil's|quoted|dogs")]
    [InlineData("System.Collections.Generic", "System.Collections.Generic")]
    [InlineData("e.g. U.S.A. end.", "e.g|U.S.A|end")]
    [InlineData("3.14 1,000,000.5 2;3 1. 2, v2.0 a.1 1.a", "3.14|1,000,000.5|2;3|1|2|v2.0|a|1|1|a")]
    [InlineData("snake_case _x_ __ 9_a a__b", "snake_case|_x_|9_a|a__b")]
    [InlineData("a:b a::b 1:2", "a:b|a|b|1|2")]
    [InlineData("List<int>[] x=y+z AT&T user@example.org c#", "List|int|x|y|z|AT|T|user|example.org|c")]
    [InlineData("naïve cafe\u0301s e\u200Dx soft\u00ADhyphen", "naïve|cafe\u0301s|e\u200Dx|soft\u00ADhyphen")]
    [InlineData("a\u200Bb", "a|b")]
    [InlineData("日本語です カタカナと漢字", "日|本|語|で|す|カタカナ|と|漢|字")]
    [InlineData("한국어 단어", "한국어|단어")]
    [InlineData("ภาษาไทย abc", "ภาษาไทย|abc")]
    [InlineData("צה\"ל ג' abc\"d", "צה\"ל|ג'|abc|d")]
    [InlineData("नमस्ते दुनिया", "नमस्ते|दुनिया")]
    [InlineData("𝒜𝒷 𐐀x 𠀀𠀁", "𝒜𝒷|𐐀x|𠀀|𠀁")]
    [InlineData("٣٫١٤ ½ Ⅷ", "٣٫١٤|Ⅷ")]
    public void WordsOfAnnex29(string text, string expected) => Assert.Equal(expected, Words(text));

    [Theory]
    [InlineData("The quick brown foxes' tails were Jumping over Lucene's dogs", "quick brown fox tail were jump over lucen dog")]
    [InlineData("Returns the zero-based index of the first occurrence of a value in a list.", "return zero base index first occurr valu list")]
    [InlineData("It's THE this will not be IN there", "")]
    [InlineData("s 's Its it’s IT＇S", "s s it")]
    [InlineData("İSTANBUL ÉCOLES", "istanbul école")]
    public void EnglishTerms(string text, string expected)
    {
        var terms = new List<string>();
        WordAnalyzer.English.Analyze(text, terms);
        Assert.Equal(expected, string.Join(' ', terms));
    }

    [Fact]
    public void WordsLongerThan255AreCut()
    {
        var terms = new List<string>();
        WordAnalyzer.English.Analyze(new string('x', 600), terms);
        Assert.Equal([255, 255, 90], terms.Select(t => t.Length));
    }
}
