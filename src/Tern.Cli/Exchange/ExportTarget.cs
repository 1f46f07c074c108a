using System.CommandLine;
using System.Net.Http.Headers;
using Tern.Retrieval.Exchange;

namespace Tern.Cli;

/// <summary>The options that say which server, collection and field vectors go to, and the sending.</summary>
internal sealed class ExportTarget
{
    private readonly Option<string?> _url = Flags.Text("--url", "Send to this server; for pgvector its connection string.", "url");
    private readonly Option<string> _collection = new("--collection") { Description = "Index, collection, document type or table.", HelpName = "name", DefaultValueFactory = _ => "tern" };
    private readonly Option<string?> _field = Flags.Text("--field", "The field or column of the vector: 'vector', for pgvector 'embedding'.", "name");
    private readonly Option<string> _namespace = new("--namespace") { Description = "vespa: the documents' namespace.", HelpName = "name", DefaultValueFactory = _ => "tern" };
    private readonly Option<string?> _type = new("--type") { Description = "pgvector: the column's type; by the vectors unless given.", HelpName = "vector|halfvec|sparsevec" };
    private readonly Option<bool> _create = new("--create") { Description = "Create the collection with a field of the right type (not vespa, whose schema is part of its application)." };
    private readonly Option<bool> _hnsw = new("--hnsw") { Description = "pgvector: build an HNSW index; its limits are checked too." };
    private readonly Option<bool> _insert = new("--insert") { Description = "pgvector: send rows by INSERT, for servers and proxies without COPY." };
    private readonly Option<bool> _skipRefused = new("--skip-refused") { Description = "Leave out documents beyond the target's limits instead of stopping before the first is sent." };
    private readonly Option<bool> _resume = new("--resume") { Description = "Go on with an interrupted export; its record is beside the input." };
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Only say the target's limits and check every document against them." };
    private readonly Option<int> _batch = Flags.Count("--batch", "Documents sent at once.", 500);
    private readonly Option<string[]> _header = new("--header") { Description = "A header of each request, \"Name: value\"; @FILE reads it from a file, which keeps keys out of the list of processes. May be repeated.", HelpName = "header", DefaultValueFactory = _ => [] };

    public ExportTarget() => _type.AcceptOnlyFromAmong("vector", "halfvec", "sparsevec");

    public Option<int?> Dimension { get; } = Flags.OptionalCount("--dimension", "Number of terms there are; counted from the vectors or the index unless given.");

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _url, _collection, _field, Dimension, _namespace, _type, _create, _hnsw, _insert, _skipRefused, _resume, _dryRun, _batch, _header })
        {
            command.Add(option);
        }
    }

    /// <exception cref="UsageException">Options that do not belong to the format, or none that says where to write.</exception>
    public void Check(ParseResult parsed, string format, bool isFileFormat, string? output, (Option Option, bool Fits)[] others)
    {
        bool isTable = format == "pgvector";
        bool sends = parsed.GetValue(_url) is not null;
        (Option Option, bool Fits)[] all =
        [
            .. others, (_url, !isFileFormat), (_collection, !isFileFormat), (_field, !isFileFormat), (_create, sends && format != "vespa"), (_namespace, format == "vespa"),
            (_type, isTable), (_hnsw, isTable), (_insert, isTable), (_skipRefused, !isFileFormat), (_resume, sends), (_dryRun, !isFileFormat), (_batch, sends), (_header, sends && !isTable),
        ];
        if (Array.Find(all, pair => !pair.Fits && parsed.GetResult(pair.Option) is { Implicit: false }).Option is { } wrong)
        {
            throw new UsageException($"{wrong.Name}: not for {format}{(isFileFormat || sends ? "" : " without --url")} (tern export --help)");
        }

        bool writes = output is not null;
        if (!parsed.GetValue(_dryRun) && (isFileFormat ? !writes : isTable ? !sends || writes : sends == writes))
        {
            throw new UsageException($"export {format} needs {(isFileFormat ? "--output FILE" : isTable ? "--url with a connection string" : "either --output FILE or --url URL")} (tern export --help)");
        }
    }

    /// <summary>Says the limits, checks every document, then writes the bulk file or sends.</summary>
    public async Task<int> SendAsync(Terminal terminal, ParseResult parsed, string format, VectorSource source, IEnumerable<VectorDocument> documents, string? output, string input, CancellationToken cancellationToken)
    {
        bool isSparse = source.Sparse is not null;
        int dimension = parsed.GetValue(Dimension) ?? (source.Dimension > 0 ? source.Dimension : LargestTerm(documents) + 1);
        string collection = parsed.GetValue(_collection)!;
        PgVectorOptions? table = format != "pgvector" ? null : new PgVectorOptions(collection, ColumnType(parsed.GetValue(_type), isSparse), dimension)
        {
            Column = parsed.GetValue(_field) ?? "embedding",
            HasIndex = parsed.GetValue(_hnsw),
            UsesCopy = !parsed.GetValue(_insert),
        };
        VectorServer? server = table is not null ? null : VectorServers.Create(format, new VectorSchema(collection, isSparse, dimension) { Field = parsed.GetValue(_field) ?? "vector" }, parsed.GetValue(_namespace)!);
        if ((table?.SchemaRefusal() ?? server?.SchemaRefusal()) is { } refusal)
        {
            throw new UsageException($"{format}: {refusal}");
        }

        foreach (string limit in table?.Limits ?? server!.Limits)
        {
            terminal.Out.WriteLine($"{format}: {limit}");
        }

        Func<VectorDocument, string?> refuses = table is not null ? table.Refusal : server!.Refusal;
        var check = LimitCheck.Of(documents, refuses);
        Report(terminal, check, parsed.GetValue(_skipRefused));
        if (parsed.GetValue(_dryRun))
        {
            return check.RefusedCount > 0 ? ExitCode.BadInput : ExitCode.Ok;
        }

        documents = check.RefusedCount > 0 ? documents.Where(document => refuses(document) is null) : documents;
        if (output is not null)
        {
            OutputFile.WriteStream(terminal, output, stream => server!.WriteFile(stream, documents));
            return ExitCode.Ok;
        }

        string progress = Path.TrimEndingDirectorySeparator(input) + $".{format}.progress.json";
        return table is not null
            ? await new ExportToPostgres(terminal, parsed.GetValue(_url)!, table).SendAsync(documents, parsed.GetValue(_create), parsed.GetValue(_batch), progress, parsed.GetValue(_resume), cancellationToken)
            : await SendOverHttpAsync(terminal, parsed, server!, documents, progress, cancellationToken);
    }

    private static void Report(Terminal terminal, LimitCheck check, bool skipRefused)
    {
        if (check.EmptyCount > 0)
        {
            terminal.Error.WriteLine(Invariant($"warning: {check.EmptyCount:N0} documents have empty vectors; no search will find them"));
        }

        if (check.RefusedCount == 0)
        {
            return;
        }

        string reasons = string.Join("; ", check.Refusals());
        if (!skipRefused)
        {
            throw new InvalidDataException(Invariant($"{check.RefusedCount:N0} of {check.DocumentCount:N0} documents are beyond the target's limits, nothing was sent: {reasons}; --skip-refused leaves them out"));
        }

        terminal.Error.WriteLine($"left out: {reasons}");
    }

    private async Task<int> SendOverHttpAsync(Terminal terminal, ParseResult parsed, VectorServer server, IEnumerable<VectorDocument> documents, string progressPath, CancellationToken cancellationToken)
    {
        using HttpClient client = CreateClient(parsed.GetValue(_url)!, parsed.GetValue(_header)!);
        using var line = new ProgressLine(terminal, "documents");
        var upload = new ServerUpload(client, server, new UploadOptions
        {
            BatchCount = parsed.GetValue(_batch),
            ProgressPath = progressPath,
            Resume = parsed.GetValue(_resume),
            Progress = count => line.Report((int)Math.Min(count, int.MaxValue)),
            Refused = (id, reason) => terminal.Error.WriteLine($"refused: '{id}': {reason}"),
        });
        if (parsed.GetValue(_create))
        {
            await upload.CreateCollectionAsync(cancellationToken);
        }

        UploadReport report = await upload.SendAsync(documents, cancellationToken);
        terminal.Out.WriteLine(Invariant($"{server.Name}: {report.SentCount:N0} documents sent, {report.RefusedCount:N0} refused, {report.SkippedCount:N0} were there"));
        return report.RefusedCount > 0 ? ExitCode.Failure : ExitCode.Ok;
    }

    private static HttpClient CreateClient(string url, string[] headers)
    {
        if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out Uri? address) || address.Scheme is not ("http" or "https"))
        {
            throw new UsageException($"--url {url}: an address like http://127.0.0.1:9200 is needed");
        }

        var client = new HttpClient { BaseAddress = new UriBuilder(address) { UserName = "", Password = "" }.Uri };
        if (address.UserInfo.Length > 0)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Uri.UnescapeDataString(address.UserInfo))));
        }

        foreach (string header in headers)
        {
            string text = header.StartsWith('@') ? File.ReadAllText(header[1..]).Trim() : header;
            string[] parts = text.Split(':', 2, StringSplitOptions.TrimEntries);
            if (parts.Length != 2 || !client.DefaultRequestHeaders.TryAddWithoutValidation(parts[0], parts[1]))
            {
                client.Dispose();
                throw new UsageException($"--header: {(header.StartsWith('@') ? header : "what was given")} is not \"Name: value\"");
            }
        }

        return client;
    }

    private static PgVectorType ColumnType(string? name, bool isSparse)
    {
        PgVectorType type = name switch
        {
            "vector" => PgVectorType.Vector,
            "halfvec" => PgVectorType.HalfVector,
            "sparsevec" => PgVectorType.SparseVector,
            _ => isSparse ? PgVectorType.SparseVector : PgVectorType.Vector,
        };
        return (type == PgVectorType.SparseVector) == isSparse ? type : throw new UsageException($"--type {name}: the vectors are {(isSparse ? "sparse" : "dense")}");
    }

    private static int LargestTerm(IEnumerable<VectorDocument> documents) =>
        documents.Select(document => document.Sparse is { Count: > 0 } sparse ? sparse.Terms.Span[^1] : 0).DefaultIfEmpty().Max();
}
