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

        return $"{result.Errors[0].Message.TrimEnd('.')} ({path} --help)";
    }

    private static string CommandPath(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{CommandPath(parent)} {result.Command.Name}" : "tern";
}
