using System.CommandLine;

namespace Tern.Benchmarks;

/// <summary>The command line of <c>operations</c>.</summary>
internal static class OperationsVerb
{
    public static Command Create()
    {
        Option<double> seconds = new("--seconds") { Description = "seconds for each operation", DefaultValueFactory = _ => 0.3 };
        Option<string> name = new("--name") { Description = "only operations whose name contains this", DefaultValueFactory = _ => "" };
        Command command = new("operations", "the operations between the products, one thread") { seconds, name };
        command.SetAction(parsed => OperationTable.Write(Console.Out, TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(name)!));
        return command;
    }
}
