using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>How documents are sent.</summary>
public sealed record UploadOptions
{
    public int BatchCount { get; init; } = 500;

    /// <summary>A request's body stays below this, unless a single document is larger.</summary>
    public int BatchByteCount { get; init; } = 8 << 20;

    /// <summary>Requests under way at once, where the server takes one document a request.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>Tries of one request before the upload stops.</summary>
    public int AttemptCount { get; init; } = 8;

    /// <summary>After so many refused documents the upload stops: something is wrong with all of them.</summary>
    public int FailureLimit { get; init; } = 100;

    /// <summary>Where <see cref="UploadProgress"/> is kept; null keeps none.</summary>
    public string? ProgressPath { get; init; }

    /// <summary>Go on from <see cref="ProgressPath"/>.</summary>
    public bool Resume { get; init; }

    /// <summary>Called with the number of documents answered for.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Called for each document that the server refused.</summary>
    public Action<string, string>? Refused { get; init; }

    /// <summary>Waits before another try; 0.5 s, doubled each time up to 30 s, or as the server's Retry-After says.</summary>
    public Func<TimeSpan, CancellationToken, Task> Delay { get; init; } = Task.Delay;
}

/// <summary>What became of an upload.</summary>
public sealed record UploadReport(long SentCount, long RefusedCount, long SkippedCount);

/// <summary>
/// Sends documents to a server in batches: waits and tries again on 408, 429, 502, 503, 504 and lost connections, sends single
/// items again where the server says so, halves a batch that is refused as a whole until the document at fault is found.
/// What cannot be sent ends in an <see cref="IOException"/>; <see cref="UploadProgress"/> says from where to go on.
/// </summary>
public sealed class ServerUpload(HttpClient client, VectorServer server, UploadOptions options)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);

    private readonly Lock _refusing = new();
    private long _refusedCount;

    /// <summary>Creates the collection; a server that has it already says so in an <see cref="IOException"/>.</summary>
    public async Task CreateCollectionAsync(CancellationToken cancellationToken = default)
    {
        ServerRequest request = server.Create ?? throw new ArgumentException($"{server.Name}: its schema is not made over HTTP: {server.Limits[0]}");
        (ServerAnswer answer, _) = await SendAsync(request, 0, cancellationToken).ConfigureAwait(false);
        if (answer.WholeRefusal is { } reason)
        {
            throw new IOException($"{server.Name}: '{server.Schema.Collection}' was not created: {reason}");
        }
    }

    public async Task<UploadReport> SendAsync(IEnumerable<VectorDocument> documents, CancellationToken cancellationToken = default)
    {
        string target = $"{server.Name} {client.BaseAddress}{server.Schema.Collection}";
        using IEnumerator<VectorDocument> source = documents.GetEnumerator();
        long done = options.Resume && options.ProgressPath is { } path ? UploadProgress.Skip(source, target, path) : 0;
        long skipped = done;
        var batch = new List<(string Id, byte[] Item)>();
        long bytes = 0;
        while (source.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            byte[] item = server.Item(source.Current);
            if (batch.Count > 0 && (batch.Count == options.BatchCount || bytes + item.Length > options.BatchByteCount))
            {
                await FlushAsync().ConfigureAwait(false);
            }

            batch.Add((source.Current.Id, item));
            bytes += item.Length;
        }

        await FlushAsync().ConfigureAwait(false);
        if (options.ProgressPath is { } finished)
        {
            File.Delete(finished);
        }

        return new UploadReport(done - skipped - _refusedCount, _refusedCount, skipped);

        async Task FlushAsync()
        {
            if (batch.Count == 0)
            {
                return;
            }

            await SendBatchAsync(batch, cancellationToken).ConfigureAwait(false);
            done += batch.Count;
            if (options.ProgressPath is { } progress)
            {
                new UploadProgress(target, done, batch[^1].Id).Save(progress);
            }

            options.Progress?.Invoke(done);
            batch.Clear();
            bytes = 0;
        }
    }

    private async Task SendBatchAsync(List<(string Id, byte[] Item)> batch, CancellationToken cancellationToken)
    {
        if (batch.Count <= server.ItemLimit)
        {
            await SendItemsAsync(batch, cancellationToken).ConfigureAwait(false);
            return;
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = cancellationToken };
        try
        {
            await Parallel.ForEachAsync(batch.Chunk(server.ItemLimit), parallel, async (items, token) => await SendItemsAsync(items, token).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (AggregateException e)
        {
            throw e.InnerExceptions[0];
        }
    }

    private async Task SendItemsAsync(IReadOnlyList<(string Id, byte[] Item)> items, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            (ServerAnswer answer, TimeSpan? wait) = await SendAsync(server.Request(items), items.Count, cancellationToken).ConfigureAwait(false);
            if (answer.WholeRefusal is { } reason && !answer.MayRetry)
            {
                await SplitAsync(items, reason, cancellationToken).ConfigureAwait(false);
                return;
            }

            foreach (ItemRefusal refusal in answer.Refusals.Where(refusal => !refusal.MayRetry))
            {
                Refuse(items[refusal.Index].Id, refusal.Reason);
            }

            (string Id, byte[] Item)[] again = answer.WholeRefusal is not null ? [.. items] : [.. answer.Refusals.Where(refusal => refusal.MayRetry).Select(refusal => items[refusal.Index])];
            if (again.Length == 0)
            {
                return;
            }

            if (attempt == options.AttemptCount)
            {
                throw new IOException($"{server.Name}: still refused after {attempt} tries: {answer.WholeRefusal ?? answer.Refusals.First(refusal => refusal.MayRetry).Reason}");
            }

            items = again;
            await options.Delay(wait ?? Backoff(attempt), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A server that refuses a batch as a whole does not say which document is at fault: halves are tried.</summary>
    private async Task SplitAsync(IReadOnlyList<(string Id, byte[] Item)> items, string reason, CancellationToken cancellationToken)
    {
        if (items.Count == 1)
        {
            Refuse(items[0].Id, reason);
            return;
        }

        int half = items.Count / 2;
        await SendItemsAsync([.. items.Take(half)], cancellationToken).ConfigureAwait(false);
        await SendItemsAsync([.. items.Skip(half)], cancellationToken).ConfigureAwait(false);
    }

    private void Refuse(string id, string reason)
    {
        lock (_refusing)
        {
            options.Refused?.Invoke(id, reason);
            if (++_refusedCount >= options.FailureLimit)
            {
                throw new IOException($"{server.Name}: {_refusedCount} documents were refused, the last '{id}': {reason}");
            }
        }
    }

    private async Task<(ServerAnswer Answer, TimeSpan? Wait)> SendAsync(ServerRequest request, int itemCount, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            using var message = new HttpRequestMessage(request.Method, request.Path) { Content = new ByteArrayContent(request.Body) };
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(request.ContentType);
            string failure;
            TimeSpan? wait = null;
            try
            {
                using HttpResponseMessage response = await client.SendAsync(message, cancellationToken).ConfigureAwait(false);
                byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
                wait = response.Headers.RetryAfter?.Delta;
                if (response.IsSuccessStatusCode)
                {
                    return (ReadAnswer(body, itemCount), wait);
                }

                failure = $"{(int)response.StatusCode} {response.ReasonPhrase}: {ErrorText(body)}".TrimEnd(' ', ':');
                if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity)
                {
                    return (ServerAnswer.Accepted with { WholeRefusal = failure }, wait);
                }

                if (response.StatusCode is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout))
                {
                    throw new IOException($"{server.Name}: {request.Method} {client.BaseAddress}{request.Path}: {failure}");
                }
            }
            catch (HttpRequestException e)
            {
                failure = e.InnerException?.Message ?? e.Message;
            }
            catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                failure = $"no answer within {client.Timeout.TotalSeconds:0} s";
            }

            if (attempt == options.AttemptCount)
            {
                throw new IOException($"{server.Name}: {client.BaseAddress}{request.Path}: still failing after {attempt} tries: {failure}");
            }

            await options.Delay(wait ?? Backoff(attempt), cancellationToken).ConfigureAwait(false);
        }
    }

    private static TimeSpan Backoff(int attempt) => attempt > 6 ? LongestDelay : FirstDelay * (1 << (attempt - 1));

    private ServerAnswer ReadAnswer(byte[] body, int itemCount)
    {
        try
        {
            return itemCount == 0 ? server.ReadCreated(body) : server.Read(body, itemCount);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or InvalidDataException)
        {
            throw new IOException($"{server.Name}: an answer that is not the documented one ({e.Message}): {System.Text.Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 200)))}", e);
        }
    }

    private string ErrorText(byte[] body)
    {
        try
        {
            using JsonDocument answer = JsonDocument.Parse(body);
            string text = answer.RootElement.ValueKind == JsonValueKind.Object ? server.ErrorText(answer.RootElement) : "";
            return text.Length > 0 ? text : answer.RootElement.ToString();
        }
        catch (JsonException)
        {
            return System.Text.Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 200)));
        }
    }
}
