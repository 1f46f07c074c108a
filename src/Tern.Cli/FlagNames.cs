using System.CommandLine;
using System.Text.RegularExpressions;

namespace Tern.Cli;

/// <summary>
/// Looks at the flags before the parser does: snake case becomes kebab case, other tools' names become ours, and an
/// unknown flag is an error with the nearest known one (the parser would take it for an argument).
/// </summary>
internal static partial class FlagNames
{
    /// <exception cref="UsageException">A flag that the verb does not know or cannot honour.</exception>
    public static string[] Normalize(IReadOnlyList<string> args, Command root)
    {
        Command command = FindCommand(args, root);
        List<string> known = KnownFlags(command);
        var result = new List<string>(args.Count);
        bool literal = false;
        foreach (string arg in args)
        {
            literal |= arg == "--";
            Match match = literal ? Match.Empty : FlagPattern().Match(arg);
            result.Add(match.Success ? NormalizeFlag(match.Groups["name"].Value, command, known) + match.Groups["value"].Value : arg);
        }

        return [.. result];
    }

    /// <summary>The verb (or verb and sub-verb) that the leading words name; the root where they name none.</summary>
    public static Command FindCommand(IReadOnlyList<string> args, Command root)
    {
        Command command = root;
        foreach (string arg in args)
        {
            Command? next = command.Subcommands.FirstOrDefault(c => c.Name == arg || c.Aliases.Contains(arg));
            if (next is not null)
            {
                command = next;
            }
            else if (!arg.StartsWith('-'))
            {
                break;
            }
        }

        return command;
    }

    /// <summary>Every name by which the command's options, and those it inherits, can be given.</summary>
    public static List<string> KnownFlags(Command command)
    {
        List<string> known = [];
        for (Command? current = command; current is not null; current = current.Parents.OfType<Command>().FirstOrDefault())
        {
            known.AddRange(current.Options.Where(o => current == command || o.Recursive).SelectMany(o => o.Aliases.Prepend(o.Name)));
        }

        return known;
    }

    private static string NormalizeFlag(string flag, Command command, List<string> known)
    {
        if (known.Contains(flag) || (!flag.StartsWith("--", StringComparison.Ordinal) && known.Contains(flag[..2])))
        {
            return flag;
        }

        string kebab = "--" + flag.TrimStart('-').Replace('_', '-').ToLowerInvariant();
        if (known.Contains(kebab) && flag.StartsWith("--", StringComparison.Ordinal))
        {
            return kebab;
        }

        if (command is Verb verb)
        {
            if (verb.ForeignFlags.TryGetValue(kebab, out string? ours))
            {
                return ours;
            }

            if (verb.RefusedFlags.TryGetValue(kebab, out string? advice))
            {
                throw new UsageException($"{flag}: {advice}");
            }
        }

        string? nearest = Nearest.Of(kebab, known.Where(k => k.StartsWith("--", StringComparison.Ordinal)));
        string path = string.Join(' ', Ancestry(command));
        throw new UsageException($"unknown flag {flag}{(nearest is null ? "" : $"; did you mean {nearest}?")} ({path} --help lists all)");
    }

    private static IEnumerable<string> Ancestry(Command command)
    {
        Command? parent = command.Parents.OfType<Command>().FirstOrDefault();
        return parent is null ? ["tern"] : Ancestry(parent).Append(command.Name);
    }

    // One dash and a letter, or two dashes and a word, with or without =value. Anything with a space is a text, not a flag.
    [GeneratedRegex(@"^(?<name>--?[A-Za-z][A-Za-z0-9_-]*)(?<value>=.*)?$", RegexOptions.Singleline)]
    private static partial Regex FlagPattern();
}
