using Tern.Retrieval;

namespace Tern;

/// <summary>A sparse vector, the tokens that it came from, and per term where it came from; <see cref="Origins"/> is aligned with the vector's terms.</summary>
public sealed record TracedVector(SparseVector Vector, IReadOnlyList<int> Tokens, IReadOnlyList<TermOrigin> Origins);

/// <summary>The token that gave a term its weight, and its characters in the text; length 0 for BOS, EOS and prefix.</summary>
public readonly record struct TermOrigin(int TokenId, int Start, int Length);
