using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Exchange.Tests;

/// <summary>
/// A PostgreSQL with pgvector compiled to WebAssembly, from npm, run by node on a free port of this machine for as long as
/// the object lives. It takes one connection at a time.
/// </summary>
public sealed class Pglite : IDisposable
{
    private static readonly string Folder = Repository.PathOf("artifacts/pglite");
    private static readonly Lazy<string?> Missing = new(Install);

    private readonly Process _process;

    public Pglite()
    {
        if (WhyNot is { } reason)
        {
            throw new InvalidOperationException(reason);
        }

        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        _process = Start("node", [Path.Combine(Folder, "node_modules/@electric-sql/pglite-socket/dist/scripts/server.js"), "--port", $"{port}", "--extensions", "@electric-sql/pglite-pgvector:vector"]);
        ConnectionString = $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Pooling=false;Timeout=60;Command Timeout=120";
        // It listens when the database has started.
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                client.Connect(IPAddress.Loopback, port);
                break;
            }
            catch (SocketException) when (attempt < 600 && !_process.HasExited)
            {
                Thread.Sleep(100);
            }
        }
    }

    /// <summary>Why there is none here; null when there is.</summary>
    public static string? WhyNot => Missing.Value;

    public string ConnectionString { get; }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private static string? Install()
    {
        try
        {
            using (Process node = Start("node", ["--version"]))
            {
                node.WaitForExit();
            }

            if (File.Exists(Path.Combine(Folder, "installed")))
            {
                return null;
            }

            Directory.CreateDirectory(Folder);
            using Process npm = Start("npm", ["install", "--prefix", Folder, "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=20000", "@electric-sql/pglite-socket@0.2.17"]);
            if (!npm.WaitForExit(TimeSpan.FromMinutes(2)))
            {
                npm.Kill(entireProcessTree: true);
                return "needs PGlite; npm did not bring @electric-sql/pglite-socket within two minutes";
            }

            if (npm.ExitCode != 0)
            {
                return "needs PGlite; npm could not bring @electric-sql/pglite-socket";
            }

            File.WriteAllText(Path.Combine(Folder, "installed"), "");
            return null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "needs PGlite; node and npm are not here";
        }
    }

    private static Process Start(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Directory.Exists(Folder) ? Folder : Path.GetTempPath() };
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}

/// <summary>A test against PostgreSQL; skipped, with the reason, where there is none.</summary>
public sealed class PgliteFactAttribute : FactAttribute
{
    public PgliteFactAttribute() => Skip = Pglite.WhyNot;
}
