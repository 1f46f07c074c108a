using System.Diagnostics;

namespace Tern.Cli;

/// <summary>One line on standard error that is written over as work goes on; nothing where no terminal shows it.</summary>
internal sealed class ProgressLine(Terminal terminal, string unit) : IDisposable
{
    private const int MillisecondsBetweenUpdates = 100;

    private readonly Stopwatch _sinceStart = Stopwatch.StartNew();
    private readonly Stopwatch _sinceUpdate = Stopwatch.StartNew();
    private int _writtenLength;

    public void Report(int count)
    {
        if (terminal.ErrorIsTerminal && _sinceUpdate.ElapsedMilliseconds >= MillisecondsBetweenUpdates)
        {
            _sinceUpdate.Restart();
            Overwrite(Invariant($"{count:N0} {unit}, {count / _sinceStart.Elapsed.TotalSeconds:N0} a second"));
        }
    }

    public void Dispose()
    {
        if (_writtenLength > 0)
        {
            Overwrite("");
            terminal.Error.Write('\r');
        }
    }

    private void Overwrite(string text)
    {
        terminal.Error.Write('\r' + text.PadRight(_writtenLength));
        _writtenLength = text.Length;
    }
}
