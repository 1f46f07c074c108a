using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Tern.Training;

/// <summary>Texts packed into blocks of equal length for masked next-token prediction. Immutable; safe for concurrent use.</summary>
public sealed class TokenBlocks
{
    /// <summary>Texts whose tokens are put together; what is left of them after the last whole block is dropped.</summary>
    public const int TextsPerGroup = 1000;

    private readonly int[] _tokens;
    private readonly int _first;

    private TokenBlocks(int[] tokens, int first, int count, int blockLength)
    {
        _tokens = tokens;
        _first = first;
        Count = count;
        BlockLength = blockLength;
    }

    public int Count { get; }

    public int BlockLength { get; }

    /// <summary>Hash of all tokens.</summary>
    public string Fingerprint => Convert.ToHexStringLower(XxHash128.Hash(MemoryMarshal.AsBytes(_tokens.AsSpan(_first * BlockLength, Count * BlockLength))));

    public ReadOnlySpan<int> this[int block] => _tokens.AsSpan(checked((_first + block) * BlockLength), BlockLength);

    /// <summary>
    /// Encodes texts (<paramref name="encode"/> appends a text's ids, BOS before it if that is wanted, and may be called by many threads at
    /// once), strings each thousand of them together without any mark between, and cuts these into blocks; the remainder of each
    /// thousand is dropped, as the paper's system does.
    /// </summary>
    /// <exception cref="InvalidDataException">There is not one whole block.</exception>
    public static TokenBlocks Pack(IEnumerable<string> texts, Action<string, List<int>> encode, int blockLength, string source)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockLength, 2);
        List<int> tokens = [];
        foreach (int[] group in texts.Chunk(TextsPerGroup).AsParallel().AsOrdered().WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(Encode))
        {
            tokens.AddRange(group);
        }

        return tokens.Count == 0
            ? throw new InvalidDataException($"{source}: not enough text for one block of {blockLength} tokens; give more text, or a shorter block")
            : new TokenBlocks([.. tokens], 0, tokens.Count / blockLength, blockLength);

        int[] Encode(string[] group)
        {
            List<int> ids = [];
            foreach (string text in group)
            {
                encode(text, ids);
            }

            return [.. CollectionsMarshal.AsSpan(ids)[..(ids.Count / blockLength * blockLength)]];
        }
    }

    /// <summary>The first hundredth of the blocks (at least one) to measure on, and the others.</summary>
    public (TokenBlocks HeldOut, TokenBlocks Others) Split()
    {
        int count = Math.Max(1, Count / 100);
        return count == Count
            ? throw new InvalidDataException("one block of text is not enough to hold some out for measuring; give more text, or text to measure on")
            : (new TokenBlocks(_tokens, _first, count, BlockLength), new TokenBlocks(_tokens, _first + count, Count - count, BlockLength));
    }
}
