using System.Text.RegularExpressions;

namespace Tern.Text;

/// <summary>What becomes of the pieces that a split's pattern matches.</summary>
internal enum SplitBehavior
{
    /// <summary>Matches and what lies between them are pieces.</summary>
    Isolated,

    /// <summary>Matches are dropped.</summary>
    RemoveMatches,

    /// <summary>What lies between matches is dropped.</summary>
    RemoveOthers,
}

internal sealed class SplitStep(Regex pattern, SplitBehavior behavior)
{
    public RegexPool Patterns { get; } = new(pattern);

    public SplitBehavior Behavior => behavior;
}

/// <summary>Receives the pieces of a text in order; false stops the splitting.</summary>
internal interface IPieceSink
{
    bool Add(int start, int length);
}

/// <summary>A pre-tokenizer: splits applied one within the pieces of another.</summary>
internal sealed class SplitSteps(SplitStep[] steps)
{
    public bool Apply<TSink>(ReadOnlySpan<char> text, ref TSink sink)
        where TSink : struct, IPieceSink => Apply(0, text, 0, ref sink);

    private bool Apply<TSink>(int level, ReadOnlySpan<char> text, int offset, ref TSink sink)
        where TSink : struct, IPieceSink
    {
        if (text.IsEmpty)
        {
            return true;
        }
        if (level == steps.Length)
        {
            return sink.Add(offset, text.Length);
        }
        using var matched = new RegexText(text);
        Regex pattern = steps[level].Patterns.Rent();
        bool wantsMore = Apply(level, pattern, matched, text, offset, ref sink);
        steps[level].Patterns.Return(pattern);
        return wantsMore;
    }

    private bool Apply<TSink>(int level, Regex pattern, RegexText matched, ReadOnlySpan<char> text, int offset, ref TSink sink)
        where TSink : struct, IPieceSink
    {
        SplitBehavior behavior = steps[level].Behavior;
        int done = 0;
        foreach (ValueMatch match in pattern.EnumerateMatches(matched.Matched))
        {
            int start = matched.Position(match.Index);
            int end = matched.Position(match.Index + match.Length);
            if (behavior != SplitBehavior.RemoveOthers && !Apply(level + 1, text[done..start], offset + done, ref sink))
            {
                return false;
            }
            if (behavior != SplitBehavior.RemoveMatches && !Apply(level + 1, text[start..end], offset + start, ref sink))
            {
                return false;
            }
            done = end;
        }
        return behavior == SplitBehavior.RemoveOthers || Apply(level + 1, text[done..], offset + done, ref sink);
    }
}
