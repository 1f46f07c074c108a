using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary>Options that several of index's verbs have.</summary>
internal static class IndexFlags
{
    public static Option<string> Index() => Flags.RequiredText("--index", "The index directory.", "dir");

    public static Option<string[]> Fields() => new("--field")
    {
        Description = "What documents can be filtered by, from the corpus's metadata: NAME:KIND, kinds string (the default), number, date, bool; once for each field.",
        HelpName = "name:kind",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <exception cref="UsageException">A definition is wrong.</exception>
    public static FieldDefinition[] ReadFields(string[]? definitions)
    {
        FieldDefinition[] fields = Array.ConvertAll(definitions ?? [], text =>
        {
            try
            {
                return FieldDefinition.Parse(text);
            }
            catch (ArgumentException e)
            {
                throw new UsageException($"--field {text}: {e.Message}");
            }
        });
        return fields.Select(f => f.Name).Distinct().Count() == fields.Length ? fields : throw new UsageException("--field: a name is defined twice");
    }

    public static string Size(long bytes) => bytes < 1_000_000 ? Invariant($"{bytes / 1e3:0.0} kB") : Invariant($"{bytes / 1e6:0.0} MB");
}
