using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary>How runs and judgements are laid out and ordered, by the words of the command line.</summary>
internal static class RunFlags
{
    private const string Automatic = "auto";

    public static Option<string> RunFormat(string name, string description) => Flags.Choice(name, description, Automatic, Automatic, "trec", "msmarco", "tevatron", "json");

    public static Option<string> QrelsFormat(string name, string description) => Flags.Choice(name, description, Automatic, Automatic, "trec", "msmarco", "beir", "json");

    public static Option<string> Ties(string description) => Flags.Choice("--ties", description, Automatic, Automatic, "trec9", "trec10", "rank", "docid-asc");

    public static RunFormat? RunFormat(string word) => word switch
    {
        "trec" => Retrieval.RunFormat.Trec,
        "msmarco" => Retrieval.RunFormat.MsMarco,
        "tevatron" => Retrieval.RunFormat.Scores,
        "json" => Retrieval.RunFormat.Json,
        _ => null,
    };

    public static QrelsFormat? QrelsFormat(string word) => word switch
    {
        "trec" => Retrieval.QrelsFormat.Trec,
        "msmarco" => Retrieval.QrelsFormat.MsMarco,
        "beir" => Retrieval.QrelsFormat.Beir,
        "json" => Retrieval.QrelsFormat.Json,
        _ => null,
    };

    public static TieOrder? Ties(ParseResult parsed, Option<string> option) => parsed.GetRequiredValue(option) switch
    {
        "trec9" => TieOrder.Trec9,
        "trec10" => TieOrder.Trec10,
        "rank" => TieOrder.Rank,
        "docid-asc" => TieOrder.IdAscending,
        _ => null,
    };
}
