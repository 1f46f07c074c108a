using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>
/// The tensors of a model directory: <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c>
/// lists. Owns the mapped files.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    public const string FileName = "model.safetensors";
    public const string IndexFileName = FileName + ".index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);

    private Checkpoint(string directory)
    {
        Directory = directory;
    }

    public string Directory { get; }

    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Maps all files of a model directory.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or the index and its shards disagree.</exception>
    /// <exception cref="FileNotFoundException">There is no checkpoint, or a shard is missing.</exception>
    public static Checkpoint Open(string directory)
    {
        if (!System.IO.Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{directory}: no such model directory");
        }

        var checkpoint = new Checkpoint(directory);
        try
        {
            string single = Path.Combine(directory, FileName);
            string index = Path.Combine(directory, IndexFileName);
            if (File.Exists(single))
            {
                checkpoint.Add(single);
            }
            else if (File.Exists(index))
            {
                checkpoint.AddShards(index);
            }
            else
            {
                throw new FileNotFoundException($"{directory}: neither {FileName} nor {IndexFileName} is there; convert other formats to safetensors first", single);
            }

            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Maps one file, whatever its name.</summary>
    internal static Checkpoint OpenFile(string path)
    {
        var checkpoint = new Checkpoint(Path.GetDirectoryName(path) ?? "");
        checkpoint.Add(path);
        return checkpoint;
    }

    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>The file and the place of a tensor.</summary>
    /// <exception cref="InvalidDataException">There is none of that name.</exception>
    public (SafetensorsFile File, SafetensorsEntry Entry) Find(string name) => _tensors.TryGetValue(name, out (SafetensorsFile, SafetensorsEntry) found)
        ? found
        : throw new InvalidDataException($"{Directory}: tensor '{name}' is missing from the checkpoint; it does not fit its {LlamaConfig.FileName}, or was not saved whole");

    public void Dispose()
    {
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }

        _files.Clear();
        _tensors.Clear();
    }

    private void Add(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (SafetensorsEntry entry in file.Entries.Values)
        {
            if (!_tensors.TryAdd(entry.Name, (file, entry)))
            {
                throw new InvalidDataException($"{path}: tensor '{entry.Name}' is also in {_tensors[entry.Name].File.Path}; remove the shard that does not belong there");
            }
        }
    }

    private void AddShards(string index)
    {
        Dictionary<string, string> shardOf = ReadIndex(index);
        foreach (string shard in shardOf.Values.Distinct().Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(Directory, shard);
            if (Path.GetFileName(shard) != shard)
            {
                throw new InvalidDataException($"{index}: shard '{shard}' is not a plain file name");
            }

            if (!File.Exists(path))
            {
                throw new FileNotFoundException($"{path}: shard not found, though {IndexFileName} lists it; download it again", path);
            }

            Add(path);
        }

        foreach ((string name, string shard) in shardOf)
        {
            if (!_tensors.TryGetValue(name, out (SafetensorsFile File, SafetensorsEntry Entry) found) || Path.GetFileName(found.File.Path) != shard)
            {
                throw new InvalidDataException($"{index}: tensor '{name}' should be in {shard}, but is not; index and shards are of different checkpoints");
            }
        }
    }

    private static Dictionary<string, string> ReadIndex(string index)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(index));
            var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (JsonProperty entry in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                shardOf[entry.Name] = entry.Value.GetString() ?? "";
            }

            return shardOf;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{index}: not an index of shards: {e.Message}", e);
        }
    }
}
