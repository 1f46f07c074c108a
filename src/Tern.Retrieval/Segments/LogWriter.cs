using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Appends commits to a log. A commit is durable once <see cref="Append"/> returns; one that fails, for want of space, leaves
/// the log as it was. Not thread-safe.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private readonly IFileSystem _files;
    private readonly Stream _stream;
    private bool _broken;

    private LogWriter(IFileSystem files, Stream stream, long commit, long end)
    {
        _files = files;
        _stream = stream;
        Commit = commit;
        End = end;
    }

    public long Commit { get; private set; }

    /// <summary>Bytes of the log.</summary>
    public long End { get; private set; }

    /// <summary>A log without commits, its bytes durable, its name not yet.</summary>
    public static LogWriter Create(IFileSystem files, string path, long baseCommit)
    {
        using (Stream stream = files.Create(path))
        {
            stream.Write(LogFormat.Empty(baseCommit));
            files.Sync(stream);
        }

        return new LogWriter(files, files.OpenToWrite(path), baseCommit, LogFormat.RecordsOffset);
    }

    /// <summary>Goes on with a log: takes away what was never committed, and makes what was whole durable.</summary>
    public static LogWriter Open(IFileSystem files, string path, LogContent content)
    {
        var log = new LogWriter(files, files.OpenToWrite(path), content.Commit, content.End);
        try
        {
            if (log._stream.Length > content.End)
            {
                log._stream.SetLength(content.End);
            }

            files.Sync(log._stream);
            log.WriteSlot();
            files.Sync(log._stream);
            return log;
        }
        catch
        {
            Close(log._stream);
            throw;
        }
    }

    public void Append(IReadOnlyCollection<KeyValuePair<string, IndexDocument?>> changes)
    {
        if (_broken)
        {
            throw new IOException("an earlier commit failed and could not be taken back; open the index again");
        }

        byte[] record = LogFormat.Record(Commit + 1, changes);
        if (End + record.Length > Array.MaxLength)
        {
            throw new InvalidOperationException($"a commit of {record.Length} bytes is too large for one log; commit more often");
        }

        try
        {
            _stream.Position = End;
            _stream.Write(record);
            _files.Sync(_stream);
        }
        catch (IOException)
        {
            TakeBack();
            throw;
        }

        Commit++;
        End += record.Length;
        try
        {
            WriteSlot();
        }
        catch (IOException)
        {
            // The commit is durable; until the next one a cut of the file would go unnoticed.
        }
    }

    public void Dispose()
    {
        try
        {
            if (!_broken)
            {
                _files.Sync(_stream);
            }
        }
        catch (IOException)
        {
            // Every commit is durable without it.
        }

        Close(_stream);
    }

    private void WriteSlot()
    {
        _stream.Position = LogFormat.SlotOffset(Commit);
        _stream.Write(LogFormat.Slot(Commit, End));
        _stream.Flush();
    }

    private void TakeBack()
    {
        try
        {
            _stream.SetLength(End);
            _files.Sync(_stream);
        }
        catch (IOException)
        {
            _broken = true;
        }
    }

    // A stream that could not write tries once more when it is closed.
    private static void Close(Stream stream)
    {
        try
        {
            stream.Dispose();
        }
        catch (IOException)
        {
        }
    }
}
