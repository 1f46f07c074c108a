using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Demo;

/// <summary>
/// A sparse model with its transformer blocks bypassed. A token's logits then depend on the token alone, and the head
/// takes maxima of what rises with them, so a text's vector is the elementwise maximum of its tokens' vectors: each
/// vocabulary entry goes through the network once and no text does. The vectors are those of
/// <see cref="RetrieverNetwork.BypassBlocks"/>, bit for bit.
/// </summary>
internal sealed class LexicalPath
{
    private const int TokensPerBatch = 64;

    private readonly Tokenizer _tokenizer;
    private readonly RetrieverContract _contract;
    private readonly SparseVector[] _byToken;

    public LexicalPath(RetrieverNetwork network, Tokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _contract = network.Contract;
        _byToken = new SparseVector[network.Dimension];
        network.BypassBlocks = true;
        var row = new float[network.Dimension];
        foreach (int[] tokens in Enumerable.Range(0, network.Dimension).Chunk(TokensPerBatch))
        {
            Tensor vectors = network.Forward(tokens, [.. Enumerable.Range(0, tokens.Length + 1)]);
            for (int i = 0; i < tokens.Length; i++)
            {
                network.Backend.Download<float>(vectors.SliceRows(i, 1), row);
                _byToken[tokens[i]] = SparseVector.FromDense(row);
            }
        }
    }

    public IReadOnlyList<SparseVector> Encode(IEnumerable<string> texts, RetrievalSide side)
    {
        TokenizationOptions options = _contract.TokenizationFor(side);
        var tokens = new List<int>();
        var row = new float[_byToken.Length];
        var vectors = new List<SparseVector>();
        foreach (string text in texts)
        {
            tokens.Clear();
            _tokenizer.Encode(text, options, tokens);
            vectors.Add(Maximum(CollectionsMarshal.AsSpan(tokens), row));
        }

        return vectors;
    }

    /// <summary><paramref name="row"/> is all zeros before and after.</summary>
    private SparseVector Maximum(ReadOnlySpan<int> tokens, float[] row)
    {
        var touched = new List<int>();
        foreach (int token in tokens)
        {
            ReadOnlySpan<int> terms = _byToken[token].Terms.Span;
            ReadOnlySpan<float> weights = _byToken[token].Weights.Span;
            for (int i = 0; i < terms.Length; i++)
            {
                if (row[terms[i]] == 0)
                {
                    touched.Add(terms[i]);
                }

                row[terms[i]] = Math.Max(row[terms[i]], weights[i]);
            }
        }

        touched.Sort();
        int[] found = [.. touched];
        float[] values = Array.ConvertAll(found, term => row[term]);
        foreach (int term in found)
        {
            row[term] = 0;
        }

        return found.Length == 0 ? SparseVector.Empty : new SparseVector(found, values);
    }
}
