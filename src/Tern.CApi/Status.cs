namespace Tern.CApi;

/// <summary><c>tern_status</c>.</summary>
internal enum Status
{
    Ok = 0,
    Failure = 1,
    Usage = 2,
    BadInput = 3,
}

/// <summary>Runs the body of an export: no exception leaves it.</summary>
internal static class Guarded
{
    public static unsafe Status Run<TState>(TState state, delegate*<TState, void> body)
        where TState : allows ref struct
    {
        try
        {
            body(state);
            return Status.Ok;
        }
        catch (Exception e)
        {
            LastError.Set(OneLine(e));
            return StatusOf(e);
        }
    }

    // As the command line maps exceptions to exit codes.
    private static Status StatusOf(Exception exception) => exception switch
    {
        ArgumentException or InvalidOperationException => Status.Usage,
        InvalidDataException or FileNotFoundException or DirectoryNotFoundException => Status.BadInput,
        _ => Status.Failure,
    };

    private static string OneLine(Exception exception)
    {
        string message = exception.Message;
        if (exception is ArgumentException { ParamName: { } name })
        {
            // The C# parameter's name says nothing in C.
            message = message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal);
        }

        return string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }
}
