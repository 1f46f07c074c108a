using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>What a new LoRA adapter is: defaults are the paper's.</summary>
public sealed record LoraSettings
{
    /// <summary>The seven projections of a block, by the names that checkpoints and PEFT have for them.</summary>
    public static IReadOnlyList<string> AllTargets { get; } = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    public int Rank { get; init; } = 16;

    /// <summary>The addend is multiplied by alpha / rank.</summary>
    public float Alpha { get; init; } = 32f;

    /// <summary>The part of a projection's inputs that the adapter does not see in training, drawn anew for every batch.</summary>
    public float Dropout { get; init; } = 0.05f;

    /// <summary>The projections that get an addend, in every block.</summary>
    public IReadOnlyList<string> Targets { get; init; } = AllTargets;

    /// <summary>Decides the random start of A; B starts as zero, so that a new adapter changes nothing.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Names separated by commas; <c>q</c> and <c>q_proj</c> mean the same, <c>all</c> all seven.</summary>
    /// <exception cref="ArgumentException">A name is none of the seven, or there is none.</exception>
    public static IReadOnlyList<string> ParseTargets(string text)
    {
        if (text is "all" or "all-linear")
        {
            return AllTargets;
        }

        string[] names = [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(name => name.EndsWith("_proj", StringComparison.Ordinal) ? name : name + "_proj").Distinct()];
        string? unknown = names.FirstOrDefault(name => !AllTargets.Contains(name));
        return names.Length == 0 || unknown is not null
            ? throw new ArgumentException($"'{text}': {(unknown is null ? "no projection" : $"'{unknown}' is no projection")}; any of {string.Join(", ", AllTargets)}, separated by commas, or all")
            : [.. AllTargets.Where(names.Contains)];
    }

    /// <exception cref="ArgumentException">A value is out of its range; names it.</exception>
    public void Validate()
    {
        Require(Rank > 0, nameof(Rank), Rank, "at least 1");
        Require(Alpha > 0f && float.IsFinite(Alpha), nameof(Alpha), Alpha, "a finite number above 0");
        Require(Dropout >= 0f && Dropout < 1f, nameof(Dropout), Dropout, "from 0 to below 1");
        Require(Targets.Count > 0 && Targets.All(AllTargets.Contains), nameof(Targets), string.Join(',', Targets), $"some of {string.Join(", ", AllTargets)}");
    }

    internal AdapterConfig ToConfig() => new() { Rank = Rank, Alpha = Alpha, Dropout = Dropout, Targets = Targets };

    private static void Require(bool condition, string name, object value, string bound)
    {
        if (!condition)
        {
            throw new ArgumentException(FormattableString.Invariant($"LoRA {name} is {value}, must be {bound}"));
        }
    }
}
