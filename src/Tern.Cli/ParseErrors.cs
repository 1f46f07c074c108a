using System.CommandLine;
using System.CommandLine.Parsing;

namespace Tern.Cli;

/// <summary>Puts the parser's first complaint into one line that says what to type.</summary>
internal static class ParseErrors
{
    public static string Describe(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        string path = CommandPath(result.CommandResult);
        if (result.UnmatchedTokens.Count > 0)
        {
            string token = result.UnmatchedTokens[0];
            if (command.Subcommands.Count == 0)
            {
                return $"unexpected argument '{token}' ({path} --help)";
            }

            string? nearest = Nearest.Of(token, command.Subcommands.Select(c => c.Name));
            return $"no verb '{token}'{(nearest is null ? "" : $"; did you mean '{nearest}'?")} ({path} --help lists all)";
        }

        if (command.Subcommands.Count > 0 && command.Action is null)
        {
            return $"{path} needs one of: {string.Join(", ", command.Subcommands.Select(c => c.Name))} ({path} --help)";
        }

        // A wrong value is the better hint than a flag that is missing besides.
        ParseError? wrongValue = result.Errors.FirstOrDefault(e => e.SymbolResult is { Tokens.Count: > 0 } and not CommandResult);
        string[] missing = [.. command.Arguments.Where(a => a.Arity.MinimumNumberOfValues > 0 && result.GetResult(a) is not { Tokens.Count: > 0 }).Select(a => $"<{a.Name}>"), .. command.Options.Where(o => o.Required && result.GetResult(o) is not { Tokens.Count: > 0 }).Select(o => o.Name)];
        string problem = wrongValue is null && missing.Length > 0
            ? $"{path} needs {string.Join(", ", missing)}"
            : (wrongValue ?? result.Errors[0]).Message.TrimEnd('.');
        return $"{problem} ({path} --help)";
    }

    private static string CommandPath(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{CommandPath(parent)} {result.Command.Name}" : "tern";
}
