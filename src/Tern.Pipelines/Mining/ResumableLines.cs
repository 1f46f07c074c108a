using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern.Pipelines.Mining;

/// <summary>
/// A file of lines made in many steps, each of which either is on disk whole or is done again: lines go to FILE.partial, how far they
/// reach to FILE.partial.json, and <see cref="Complete"/> gives the file its name. A run with the same key goes on where the last one stopped.
/// </summary>
public sealed class ResumableLines : IDisposable
{
    private readonly string _path;
    private readonly string _partial;
    private readonly string _statePath;
    private readonly string _key;
    private readonly FileStream _stream;

    /// <param name="path">The file to make; it must not be there yet.</param>
    /// <param name="key">Stands for everything that the lines depend on.</param>
    /// <exception cref="InvalidDataException">The partial file was made from other inputs or options.</exception>
    /// <exception cref="IOException">The file is there already.</exception>
    public ResumableLines(string path, string key)
    {
        _path = path;
        _partial = path + ".partial";
        _statePath = path + ".partial.json";
        _key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        if (File.Exists(path))
        {
            throw new IOException($"{path}: there already; remove it or choose another name");
        }

        if (File.Exists(_statePath) && File.Exists(_partial))
        {
            Progress = Read(_statePath);
            if (Progress.Key != _key)
            {
                throw new InvalidDataException($"{_partial}: left by a run with other inputs or options; run that one to its end, or remove this file");
            }
        }
        else
        {
            Progress = new LinesProgress(_key, 0, 0, new SortedDictionary<string, long>(StringComparer.Ordinal));
        }

        _stream = new FileStream(_partial, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, 1 << 16);
        if (_stream.Length is var length && length < Progress.ByteCount)
        {
            _stream.Dispose();
            throw new InvalidDataException($"{_partial}: {length} bytes, where {_statePath} says {Progress.ByteCount}; remove both and start anew");
        }

        _stream.SetLength(Progress.ByteCount);
        _stream.Seek(0, SeekOrigin.End);
    }

    /// <summary>What is on disk.</summary>
    public LinesProgress Progress { get; private set; }

    /// <summary>Adds the lines of one step, after which so many inputs are done; counts are added to those so far.</summary>
    public void Append(IEnumerable<string> lines, int inputsDone, IReadOnlyDictionary<string, long> counts)
    {
        foreach (string line in lines)
        {
            _stream.Write(Encoding.UTF8.GetBytes(line));
            _stream.WriteByte((byte)'\n');
        }

        _stream.Flush(flushToDisk: true);
        var sums = new SortedDictionary<string, long>(Progress.Counts.ToDictionary(c => c.Key, c => c.Value), StringComparer.Ordinal);
        foreach ((string name, long count) in counts)
        {
            sums[name] = sums.GetValueOrDefault(name) + count;
        }

        Progress = new LinesProgress(_key, inputsDone, _stream.Length, sums);
        File.WriteAllBytes(_statePath + ".tmp", JsonSerializer.SerializeToUtf8Bytes(Progress, LinesProgressJsonContext.Default.LinesProgress));
        File.Move(_statePath + ".tmp", _statePath, overwrite: true);
    }

    /// <summary>Gives the file its name.</summary>
    public void Complete()
    {
        _stream.Dispose();
        File.Move(_partial, _path);
        File.Delete(_statePath);
    }

    public void Dispose() => _stream.Dispose();

    private static LinesProgress Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), LinesProgressJsonContext.Default.LinesProgress) ?? throw new JsonException("the file is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: damaged ({e.Message}); remove it and the partial file beside it, and start anew", e);
        }
    }
}

/// <summary>How far a file of lines has come.</summary>
public sealed record LinesProgress(string Key, int InputsDone, long ByteCount, SortedDictionary<string, long> Counts);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(LinesProgress))]
internal sealed partial class LinesProgressJsonContext : JsonSerializerContext;
