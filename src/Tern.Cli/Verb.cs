using System.CommandLine;

namespace Tern.Cli;

/// <summary>A command with what its help and its error lines need beyond System.CommandLine.</summary>
internal sealed class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Complete command lines shown under <c>--help</c>.</summary>
    public IReadOnlyList<string> Examples { get; init; } = [];

    /// <summary>What a user must know beyond the one line of the list of verbs; shown before the examples.</summary>
    public string Notes { get; init; } = "";

    /// <summary>Flags of other tools (kebab case) and the flag of this verb that means the same.</summary>
    public IReadOnlyDictionary<string, string> ForeignFlags { get; init; } = new Dictionary<string, string>();

    /// <summary>Flags of other tools that this verb cannot honour, and what to do instead.</summary>
    public IReadOnlyDictionary<string, string> RefusedFlags { get; init; } = new Dictionary<string, string>();
}
