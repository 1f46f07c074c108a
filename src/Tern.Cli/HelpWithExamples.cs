using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Tern.Cli;

/// <summary>The usual help, then the verb's notes and examples.</summary>
internal sealed class HelpWithExamples(HelpAction inner) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        // The parser calls the program by its file; its users call it tern.
        TextWriter output = parseResult.InvocationConfiguration.Output;
        using var help = new StringWriter();
        parseResult.InvocationConfiguration.Output = help;
        int code = inner.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output = output;
        output.Write(help.ToString().Replace($"  {RootCommand.ExecutableName} ", "  tern ", StringComparison.Ordinal));

        if (parseResult.CommandResult.Command is Verb { Examples.Count: > 0 } verb)
        {
            if (verb.Notes.Length > 0)
            {
                output.WriteLine(verb.Notes);
                output.WriteLine();
            }

            output.WriteLine("Examples:");
            foreach (string example in verb.Examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        return code;
    }
}
