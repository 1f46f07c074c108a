using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Tern.Model;
using Tern.Text;

namespace Tern;

/// <summary>
/// A hash of all that a document's vector depends on: weights and config (as the contract states them), the contract's
/// document side, and what the tokenizer makes of a text that exercises it.
/// </summary>
internal static class ModelFingerprint
{
    private const string Probe = "The quick brown fox's 1,234.5 jumps -- IEnumerable<int>.Select(x => x) naïve café 東京 \U0001F426\t\n <|end_of_text|> </s>";

    public static string Compute(RetrieverNetwork network, Tokenizer tokenizer)
    {
        RetrieverContract contract = network.Contract;
        List<int> tokens = [];
        tokenizer.Encode(Probe, contract.TokenizationFor(RetrievalSide.Document) with { MaxTokenCount = int.MaxValue }, tokens);
        string weights = contract.Fingerprint.Length > 0 ? contract.Fingerprint : network.Weights.Fingerprint();
        string pooling = contract.Pooling == default ? "" : $"|{contract.Pooling}|{contract.NormalizeVectors}";
        string all = string.Create(
            CultureInfo.InvariantCulture,
            $"{weights}|{contract.Kind}|{contract.Causal}|{contract.LogitScale:R}|{contract.MaxDocumentTokens}|{contract.DocumentTopTerms}|{contract.DocumentTemplate}|{string.Join(',', tokens)}{pooling}");
        return XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(all)).ToString("x16", CultureInfo.InvariantCulture);
    }
}
