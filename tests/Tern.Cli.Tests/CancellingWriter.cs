namespace Tern.Cli.Tests;

/// <summary>Presses Ctrl-C when so many lines were written.</summary>
internal sealed class CancellingWriter(int lines, CancellationTokenSource cancellation) : StringWriter
{
    private int _lines;

    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        if (++_lines == lines)
        {
            cancellation.Cancel();
        }
    }
}
