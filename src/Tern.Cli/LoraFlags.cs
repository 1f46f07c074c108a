using System.CommandLine;
using Tern.Model;

namespace Tern.Cli;

/// <summary>The options of every verb that can train an adapter in place of all weights.</summary>
internal sealed class LoraFlags
{
    public const string BareFlag = "give --lora-rank 16 (--lora-alpha, --lora-dropout and --lora-targets have the usual defaults)";
    public const string NoModulesToSave = "an adapter trains no whole modules; leave it out, or leave --lora-rank out to train all weights";

    private readonly Option<int?> _rank;
    private readonly Option<double?> _alpha = Flags.OptionalNumber("--lora-alpha", "The adapter's addend is multiplied by alpha / rank; twice the rank unless given.");
    private readonly Option<double> _dropout;
    private readonly Option<string> _targets = new("--lora-targets")
    {
        Description = "Projections with an adapter: some of q, k, v, o, gate, up, down, or all.",
        HelpName = "list",
        DefaultValueFactory = _ => "all",
    };

    private readonly int? _defaultRank;

    /// <param name="defaultDropout">The dropout of a new adapter that does not say.</param>
    /// <param name="defaultRank">The rank unless given; null: all weights are trained unless it is given.</param>
    public LoraFlags(double defaultDropout, int? defaultRank = null)
    {
        _defaultRank = defaultRank;
        _rank = Flags.OptionalCount("--lora-rank", defaultRank is null ? "Train an adapter of this rank (LoRA) on frozen weights; without it all weights are trained, or the adapter that --model is." : Invariant($"Rank of the adapter; {defaultRank} unless given."));
        _dropout = Flags.Number("--lora-dropout", "Part of a projection's inputs that its adapter does not see, drawn anew for every batch.", defaultDropout);
    }

    public void AddTo(Command command)
    {
        foreach (Option option in (ReadOnlySpan<Option>)[_rank, _alpha, _dropout, _targets])
        {
            command.Add(option);
        }
    }

    /// <summary>The adapter that is asked for, or null.</summary>
    /// <exception cref="UsageException">A value is out of its range, or given without a rank.</exception>
    public LoraSettings? Read(ParseResult parsed)
    {
        if ((parsed.GetValue(_rank) ?? _defaultRank) is not { } rank)
        {
            return new Option[] { _alpha, _dropout, _targets }.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } alone
                ? throw new UsageException($"{alone.Name}: goes with --lora-rank, which says that an adapter is trained")
                : null;
        }

        try
        {
            var settings = new LoraSettings
            {
                Rank = rank,
                Alpha = (float)(parsed.GetValue(_alpha) ?? 2.0 * rank),
                Dropout = (float)parsed.GetValue(_dropout),
                Targets = LoraSettings.ParseTargets(parsed.GetRequiredValue(_targets)),
            };
            settings.Validate();
            return settings;
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"--lora-…: {e.Message}");
        }
    }
}
