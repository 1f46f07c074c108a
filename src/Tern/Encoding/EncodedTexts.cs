namespace Tern;

/// <summary>The vectors of some texts, in their order, and the tokens that these had together, BOS, EOS and prefixes included.</summary>
public sealed record EncodedTexts<T>(IReadOnlyList<T> Vectors, long TokenCount);
