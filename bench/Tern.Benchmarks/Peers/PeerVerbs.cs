using System.CommandLine;

namespace Tern.Benchmarks.Peers;

/// <summary>The command lines of <c>peers-prepare</c> and <c>peers-worker</c>, which <c>bench/peers/blocks.sh</c> calls.</summary>
internal static class PeerVerbs
{
    public static IEnumerable<Command> Create()
    {
        Argument<string> directory = new("directory") { Description = "where the work of bench/peers is" };
        Command prepare = new("peers-prepare", "writes the work that Tern and its peers are measured on") { directory };
        prepare.SetAction(parsed => PeerWorkFactory.Write(parsed.GetRequiredValue(directory)));
        Command worker = new("peers-worker", "answers requests on its input with times, one JSON object a line") { directory };
        worker.SetAction(parsed =>
        {
            using PeerWorker answering = new(parsed.GetRequiredValue(directory));
            answering.Run(Console.In, Console.Out);
        });
        return [prepare, worker];
    }
}
