using System.Text.RegularExpressions;
using System.Xml.Linq;
using Tern.Pipelines.Demo.Report;
using Xunit;

namespace Tern.Pipelines.Tests.Demo.Report;

public class HtmlReportTests
{
    private static readonly string Page = HtmlReport.Render(MadeUpReport.Create());

    [Fact]
    public void ThePageRefersToNothingOutsideItself() => Assert.Empty(ExternalReferences(Page));

    [Theory]
    [InlineData("<img src=\"https://example.org/a.png\">")]
    [InlineData("<link rel=stylesheet href='a.css'>")]
    [InlineData("<style>@import 'a.css';</style>")]
    [InlineData("<style>p { background: url(a.png) }</style>")]
    [InlineData("<script>1</script>")]
    public void TheCheckForReferencesSeesThem(string markup) => Assert.NotEmpty(ExternalReferences(markup));

    [Fact]
    public void TextOfTheCollectionIsEncoded()
    {
        Assert.DoesNotContain(MadeUpReport.Hostile, Page);
        Assert.Contains("List&lt;T&gt; &amp; &lt;script", Page);
    }

    [Fact]
    public void EveryElementIsClosed()
    {
        // The page is also well-formed XML but for the doctype and the two void elements.
        string xml = Regex.Replace(Page.Replace("<!doctype html>", ""), "<meta ([^>]*)>", "<meta $1/>");
        Assert.Equal("html", XDocument.Parse(xml).Root!.Name.LocalName);
    }

    [Fact]
    public void TheTableHasTheFourSystemsAndTheirScores()
    {
        string table = Page[Page.IndexOf("<table>", StringComparison.Ordinal)..Page.IndexOf("</table>", StringComparison.Ordinal)];
        foreach (string cell in new[] { "BM25", "Dense", "Sparse", "Hybrid", "0.336", "0.391", "0.452", "0.484", "22.5", "1,234", "+0.116 (p &lt; 0.001)" })
        {
            Assert.Contains($">{cell}</td>", table);
        }
    }

    [Fact]
    public void PicturesHaveFiniteCoordinates()
    {
        MatchCollection pictures = Regex.Matches(Page, "<svg.*?</svg>", RegexOptions.Singleline);
        Assert.Equal(4, pictures.Count);
        Assert.All(pictures, picture => Assert.DoesNotMatch("NaN|∞|Infinity", picture.Value));
    }

    [Fact]
    public void FiredPiecesOfTheHitAreMarked()
    {
        Assert.Matches("<mark style=\"background:rgba\\(var\\(--mark\\),0.9\\)\">array</mark>", Page);
        Assert.Matches("<mark [^>]*>copy</mark> List&lt;T&gt; range &amp; more", Page);
    }

    [Fact]
    public void ARunWithoutStepsOrQueriesStillGivesAPage() =>
        Assert.Contains("no points were logged", HtmlReport.Render(MadeUpReport.Create(steps: 0, queries: 0)));

    internal static IReadOnlyList<string> ExternalReferences(string html) =>
        [.. Regex.Matches(html, "<[^>]*\\s(src|href|srcset|action|data)\\s*=\\s*[\"']?(?!#)|<script|<link|<iframe|@import|url\\(", RegexOptions.IgnoreCase).Select(m => m.Value)];
}
