using Tern.Retrieval.Exchange;

namespace Tern.Cli;

/// <summary>Sends documents to a table, a transaction a batch, and keeps the record that <c>--resume</c> reads.</summary>
internal sealed class ExportToPostgres(Terminal terminal, string connectionString, PgVectorOptions options)
{
    public async Task<int> SendAsync(IEnumerable<VectorDocument> documents, bool create, int batchCount, string progressPath, bool resume, CancellationToken cancellationToken)
    {
        await using PgVectorTable table = await PgVectorTable.OpenAsync(connectionString, options, cancellationToken);
        if (create)
        {
            await table.CreateAsync(cancellationToken);
        }

        string target = $"pgvector {options.Table}";
        using IEnumerator<VectorDocument> source = documents.GetEnumerator();
        long skipped = resume ? UploadProgress.Skip(source, target, progressPath) : 0;
        using var line = new ProgressLine(terminal, "documents");
        long sent = 0;
        await table.WriteAsync(Rest(source), batchCount, (count, id) =>
        {
            sent = count;
            new UploadProgress(target, skipped + count, id).Save(progressPath);
            line.Report((int)Math.Min(count, int.MaxValue));
        }, cancellationToken);
        if (options.HasIndex)
        {
            await table.CreateIndexAsync(cancellationToken);
        }

        File.Delete(progressPath);
        terminal.Out.WriteLine(Invariant($"pgvector: {sent:N0} documents sent, {skipped:N0} were there"));
        return ExitCode.Ok;
    }

    private static IEnumerable<VectorDocument> Rest(IEnumerator<VectorDocument> source)
    {
        while (source.MoveNext())
        {
            yield return source.Current;
        }
    }
}
