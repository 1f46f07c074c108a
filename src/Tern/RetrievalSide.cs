using Tern.Model;
using Tern.Text;

namespace Tern;

/// <summary>What a text is: the question or a passage that may answer it. The contract treats them differently.</summary>
public enum RetrievalSide
{
    Query,
    Document,
}

/// <summary>How a contract turns texts into tokens; the one place where training, encoding and search take it from.</summary>
public static class ContractTokenization
{
    /// <summary>BOS, EOS, prefix and longest length for one side.</summary>
    public static TokenizationOptions TokenizationFor(this RetrieverContract contract, RetrievalSide side) => side == RetrievalSide.Query
        ? new TokenizationOptions(contract.AddBos, contract.AddEos, contract.QueryPrefix, contract.MaxQueryTokens)
        : new TokenizationOptions(contract.AddBos, contract.AddEos, contract.DocumentPrefix, contract.MaxDocumentTokens);

    /// <summary>The one text that a document's fields become before tokenization.</summary>
    public static string Compose(this RetrieverContract contract, Document document) => contract.DocumentTemplate
        .Replace("{title}", document.Title, StringComparison.Ordinal)
        .Replace("{text}", document.Text, StringComparison.Ordinal)
        .Trim();

    internal static int TopTermsFor(this RetrieverContract contract, RetrievalSide side) =>
        side == RetrievalSide.Query ? contract.QueryTopTerms : contract.DocumentTopTerms;
}
