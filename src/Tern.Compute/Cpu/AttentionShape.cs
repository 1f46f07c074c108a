namespace Tern.Compute.Cpu;

/// <summary>One task's sequence and head, and the sizes of its scratch.</summary>
internal readonly unsafe struct AttentionShape
{
    /// <summary>Of a block's scores: what leaves a second-level cache room for the keys that they are multiplied with.</summary>
    private const int ScoreBudget = 96 * 1024;

    /// <summary>
    /// Rows of D columns are filled up to a multiple of <paramref name="columnUnit"/>, rows of scores to one of <paramref name="keyUnit"/>; a
    /// block has a multiple of <paramref name="tileRows"/> queries, from <paramref name="minRows"/> to <paramref name="maxRows"/>.
    /// </summary>
    public AttentionShape(in AttentionPlan plan, int task, int columnUnit, int keyUnit, int tileRows, int minRows, int maxRows)
    {
        int b = task / plan.KeyValueHeadCount, head = task % plan.KeyValueHeadCount;
        Size = plan.HeadSize;
        Start = plan.SequenceStarts.Ints(0)[b];
        Count = plan.SequenceStarts.Ints(0)[b + 1] - Start;
        KeyColumn = head * Size;
        FirstHead = head * plan.GroupSize;
        Pitch = Rounding.RoundUp(Size, columnUnit);
        KeyPitch = Rounding.RoundUp(Count, keyUnit);
        RowStep = Math.Min(Count, Math.Clamp(ScoreBudget / sizeof(float) / Math.Max(KeyPitch, 1) / tileRows * tileRows, minRows, maxRows));
    }

    /// <summary>Columns of a head: D.</summary>
    public int Size { get; }

    /// <summary>The sequence's first row.</summary>
    public int Start { get; }

    /// <summary>The sequence's tokens: queries and keys.</summary>
    public int Count { get; }

    /// <summary>The key head's first column.</summary>
    public int KeyColumn { get; }

    /// <summary>The first of the query heads that share the key head.</summary>
    public int FirstHead { get; }

    /// <summary>Floats between rows of D columns.</summary>
    public int Pitch { get; }

    /// <summary>Floats between rows of scores.</summary>
    public int KeyPitch { get; }

    /// <summary>Queries of a block.</summary>
    public int RowStep { get; }
}
