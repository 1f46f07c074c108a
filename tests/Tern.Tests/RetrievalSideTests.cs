using Tern.Model;
using Tern.Text;
using Xunit;

namespace Tern.Tests;

public class RetrievalSideTests
{
    private static readonly RetrieverContract Contract = new()
    {
        Kind = RepresentationKind.Sparse,
        AddBos = false,
        AddEos = true,
        QueryPrefix = "q: ",
        DocumentPrefix = "d: ",
        MaxQueryTokens = 3,
        MaxDocumentTokens = 5,
    };

    [Fact]
    public void SidesHaveTheirOwnPrefixAndLength()
    {
        Assert.Equal(new TokenizationOptions(false, true, "q: ", 3), Contract.TokenizationFor(RetrievalSide.Query));
        Assert.Equal(new TokenizationOptions(false, true, "d: ", 5), Contract.TokenizationFor(RetrievalSide.Document));
    }

    [Theory]
    [InlineData("{title} {text}", "A", "b c", "A b c")]
    [InlineData("{title} {text}", "", "b c", "b c")]
    [InlineData("{text}", "A", "b c", "b c")]
    [InlineData("title: {title} | context: {text}", "A", "b", "title: A | context: b")]
    public void DocumentsAreComposedByTheTemplate(string template, string title, string text, string expected)
    {
        Assert.Equal(expected, (Contract with { DocumentTemplate = template }).Compose(new Document("1", title, text)));
    }
}
