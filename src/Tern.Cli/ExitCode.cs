namespace Tern.Cli;

/// <summary>What the process returns; scripts rely on these.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failure = 1;
    public const int Usage = 2;
    public const int BadInput = 3;
    public const int Interrupted = 130;
}
