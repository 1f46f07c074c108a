using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tern.TestKit.Fakes;

/// <summary>One request as a fake sees it: the path without its leading slash, query string included.</summary>
public sealed record FakeRequest(string Method, string Path, string ContentType, string Body);

/// <summary>What a fake answers.</summary>
public sealed record FakeAnswer(int Status, string Body)
{
    /// <summary>Seconds for the Retry-After header.</summary>
    public int? RetryAfter { get; init; }
}

/// <summary>A fake refuses a request: the API would answer 400 with this reason.</summary>
public sealed class MalformedRequestException(string reason) : Exception(reason);

/// <summary>
/// An HTTP server in this process that stands in for a vector database: members implement one documented API strictly,
/// keep what they accept and refuse everything else. Faults are put before it by <see cref="Fail"/>.
/// </summary>
public abstract class FakeHttpServer : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _loop;
    private readonly Queue<FakeAnswer> _faults = [];
    private readonly Lock _lock = new();

    protected FakeHttpServer()
    {
        // A free port may be taken by another test before the listener has it.
        for (int attempt = 0; ; attempt++)
        {
            using var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            int port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            Address = new Uri($"http://127.0.0.1:{port}/");
            _listener.Prefixes.Clear();
            _listener.Prefixes.Add(Address.ToString());
            try
            {
                _listener.Start();
                break;
            }
            catch (HttpListenerException) when (attempt < 20)
            {
            }
        }

        _loop = Task.Run(RunAsync);
    }

    public Uri Address { get; }

    /// <summary>Vectors by external id, each as sorted "index:value" words.</summary>
    public Dictionary<string, string> Documents { get; } = [];

    /// <summary>Requests that were answered by the API itself, not by a fault.</summary>
    public int RequestCount { get; private set; }

    /// <summary>A document of this id is refused, as a mapping conflict would be.</summary>
    public string? PoisonId { get; set; }

    /// <summary>After so many requests the server breaks down: it answers 500 to all.</summary>
    public int BreakAfter { get; set; } = int.MaxValue;

    /// <summary>The next request gets this answer instead of being looked at.</summary>
    public void Fail(FakeAnswer answer) => _faults.Enqueue(answer);

    /// <summary>The answer of the API, as the listener would send it.</summary>
    public FakeAnswer Answer(FakeRequest request)
    {
        lock (_lock)
        {
            if (_faults.TryDequeue(out FakeAnswer? fault))
            {
                return fault;
            }

            if (RequestCount >= BreakAfter)
            {
                return new FakeAnswer(500, "{}");
            }

            RequestCount++;
            try
            {
                return Handle(request);
            }
            catch (MalformedRequestException e)
            {
                return Malformed(e.Message);
            }
        }
    }

    public void Dispose()
    {
        _listener.Stop();
        _loop.Wait();
        _listener.Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>Answers a request of the API, or throws <see cref="MalformedRequestException"/>.</summary>
    protected abstract FakeAnswer Handle(FakeRequest request);

    /// <summary>The API's answer to what it cannot take.</summary>
    protected abstract FakeAnswer Malformed(string reason);

    private async Task RunAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }

            using var reader = new StreamReader(context.Request.InputStream, new UTF8Encoding(false, true));
            FakeAnswer answer = Answer(new FakeRequest(context.Request.HttpMethod, context.Request.RawUrl![1..], context.Request.ContentType ?? "", await reader.ReadToEndAsync()));
            context.Response.StatusCode = answer.Status;
            if (answer.RetryAfter is { } seconds)
            {
                context.Response.AddHeader("Retry-After", $"{seconds}");
            }

            byte[] body = Encoding.UTF8.GetBytes(answer.Body);
            context.Response.ContentType = "application/json";
            try
            {
                await context.Response.OutputStream.WriteAsync(body);
                context.Response.Close();
            }
            catch (HttpListenerException)
            {
                // The client has gone, as it may on a slow machine; a server goes on with the next one.
                context.Response.Abort();
            }
        }
    }
}
