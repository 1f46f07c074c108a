using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Segments made into one on another thread, from the documents that were alive when it began. What is deleted meanwhile is
/// deleted from the result when it takes their place.
/// </summary>
internal sealed class SegmentMerge : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly IReadOnlyList<(Segment Segment, DeletedDocuments Deleted)> _inputs;
    private readonly CancellationTokenSource _cancellation = new();
    private readonly Task _task;

    private SegmentMerge(IFileSystem files, string directory, long number, IndexSettings settings, IReadOnlyList<(Segment Segment, DeletedDocuments Deleted)> inputs, bool reorder)
    {
        _files = files;
        _directory = directory;
        _inputs = [.. inputs.Select(input => (input.Segment.Hold(), input.Deleted.Copy()))];
        Number = number;
        _task = Task.Run(() => Build(settings, reorder, _cancellation.Token));
    }

    /// <summary>Of the new segment's directory.</summary>
    public long Number { get; }

    public bool IsCompleted => _task.IsCompleted;

    /// <summary>Why there is no new segment, once completed.</summary>
    public Exception? Error => _task.IsCanceled ? new OperationCanceledException("the merge was cancelled") : _task.Exception?.InnerException;

    public static SegmentMerge Start(IFileSystem files, string directory, long number, IndexSettings settings, IReadOnlyList<(Segment Segment, DeletedDocuments Deleted)> inputs, bool reorder) =>
        new(files, directory, number, settings, inputs, reorder);

    public void Wait(CancellationToken cancellationToken) => Task.WaitAny([_task], cancellationToken);

    /// <summary>Puts the new segment, when it is completed without error, in the place of those it was made of.</summary>
    public Segment Replace(List<(Segment Segment, DeletedDocuments Deleted)> segments)
    {
        var merged = Segment.Open(_files, _directory, GenerationFiles.SegmentName(Number), verify: false);
        var deleted = new DeletedDocuments(merged.DocumentCount);
        foreach ((Segment input, DeletedDocuments before) in _inputs)
        {
            // A segment whose last document was deleted meanwhile is no longer there.
            int at = segments.FindIndex(s => s.Segment == input);
            for (int document = 0; document < input.DocumentCount; document++)
            {
                if (!before.Contains(document) && (at < 0 || segments[at].Deleted.Contains(document)) && merged.TryFind(input.IdBytes(document), out int moved))
                {
                    deleted.Add(moved);
                }
            }

            if (at >= 0)
            {
                segments.RemoveAt(at);
            }
        }

        segments.Insert(0, (merged, deleted));
        return merged;
    }

    public void Dispose()
    {
        _cancellation.Cancel();
        Task.WaitAny([_task]);
        foreach ((Segment segment, _) in _inputs)
        {
            segment.Release();
        }

        _cancellation.Dispose();
    }

    private void Build(IndexSettings settings, bool reorder, CancellationToken cancellationToken)
    {
        string name = GenerationFiles.SegmentName(Number);
        using (var builder = new SegmentBuilder(_files, Path.Combine(_directory, name), settings))
        {
            foreach ((Segment segment, DeletedDocuments deleted) in _inputs)
            {
                for (int document = 0; document < segment.DocumentCount; document++)
                {
                    if (!deleted.Contains(document))
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        builder.Add(segment.Document(document));
                    }
                }
            }

            if (reorder)
            {
                builder.Reorder(cancellationToken);
            }

            builder.Complete();
        }
    }
}
