namespace Tern.Model.Checkpoints;

/// <summary>
/// A model directory as what it is made of: a base and the adapters above it, lowest first. A directory with weights of its
/// own is its own base; an adapter's directory names what lies below it, which may be an adapter again.
/// </summary>
/// <param name="BaseDirectory">Holds the base's config.json and safetensors.</param>
/// <param name="Adapters">Lowest first; empty for a model with weights of its own.</param>
/// <param name="Names">How each adapter's config names what is below it: a full path, or a name on a hub that its cache has.</param>
public sealed record AdapterStack(string BaseDirectory, IReadOnlyList<LoraAdapter> Adapters, IReadOnlyList<string> Names)
{
    private const int MaxDepth = 16;

    /// <summary>True where the directory holds an adapter and no weights of a whole model.</summary>
    public static bool IsStack(string directory) =>
        LoraAdapter.IsAdapter(directory) && !File.Exists(Path.Combine(directory, Checkpoint.FileName)) && !File.Exists(Path.Combine(directory, Checkpoint.IndexFileName));

    /// <summary>Follows a directory down to its base. With <paramref name="baseDirectory"/> that is what lies below the given adapter, whatever its config says.</summary>
    /// <exception cref="InvalidDataException">An adapter is damaged, or what it lies on is not there; names it and says where was looked.</exception>
    public static AdapterStack Open(string directory, string? baseDirectory = null)
    {
        List<LoraAdapter> adapters = [];
        List<string> names = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        string current = directory;
        while (IsStack(current))
        {
            if (!seen.Add(Path.GetFullPath(current)) || seen.Count > MaxDepth)
            {
                throw new InvalidDataException($"{Path.Combine(current, AdapterConfig.FileName)}: base_model_name_or_path leads around in a circle, or through more than {MaxDepth} adapters");
            }

            LoraAdapter adapter = LoraAdapter.Open(current);
            (current, string name) = baseDirectory is { } given && adapters.Count == 0 ? (given, Path.GetFullPath(given)) : Locate(adapter);
            adapters.Insert(0, adapter);
            names.Insert(0, name);
        }

        return new AdapterStack(current, adapters, names);
    }

    /// <summary>The path of a file in the topmost directory that has it; null where none has.</summary>
    public string? Find(string fileName) => Adapters.Reverse().Select(a => a.Directory).Append(BaseDirectory).Select(d => Path.Combine(d, fileName)).FirstOrDefault(File.Exists);

    /// <summary>The directory below an adapter and the name to record for it.</summary>
    private static (string Directory, string Name) Locate(LoraAdapter adapter)
    {
        string name = adapter.Config.BaseModel;
        string path = Path.Combine(adapter.Directory, AdapterConfig.FileName);
        if (name.Length == 0)
        {
            throw new InvalidDataException($"{path}: base_model_name_or_path is missing: write the directory of the model that the adapter was trained on");
        }

        foreach (string candidate in (ReadOnlySpan<string>)[name, Path.Combine(adapter.Directory, name)])
        {
            if (IsModel(candidate))
            {
                return (candidate, Path.GetFullPath(candidate));
            }
        }

        return HubCache.Find(name) is { } cached
            ? (cached, name)
            : throw new InvalidDataException($"{path}: base_model_name_or_path is {name}, which is no model directory, neither from here nor from {adapter.Directory}, and not in the hub's cache {HubCache.Directory}: download it and write its directory there, or give it with --base where a command has that");
    }

    private static bool IsModel(string directory) =>
        File.Exists(Path.Combine(directory, LlamaConfig.FileName)) || File.Exists(Path.Combine(directory, AdapterConfig.FileName));
}

/// <summary>Models that Hugging Face's tools have downloaded to this machine. Nothing is downloaded here.</summary>
public static class HubCache
{
    /// <summary>Where it is: <c>HF_HUB_CACHE</c>, <c>HF_HOME/hub</c> or <c>~/.cache/huggingface/hub</c>.</summary>
    public static string Directory =>
        Environment.GetEnvironmentVariable("HF_HUB_CACHE") is { Length: > 0 } cache ? cache
        : Environment.GetEnvironmentVariable("HF_HOME") is { Length: > 0 } home ? Path.Combine(home, "hub")
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "huggingface", "hub");

    /// <summary>The snapshot of a name such as <c>meta-llama/Llama-3.2-1B</c> that <c>main</c> points to, or the only one; null if there is none.</summary>
    public static string? Find(string name)
    {
        string[] parts = name.Split('/');
        if (parts.Length != 2 || parts.Any(p => p.Length == 0 || p[0] == '.' || p.Contains('\\', StringComparison.Ordinal)))
        {
            return null;
        }

        string model = Path.Combine(Directory, $"models--{parts[0]}--{parts[1]}"), snapshots = Path.Combine(model, "snapshots"), main = Path.Combine(model, "refs", "main");
        if (!System.IO.Directory.Exists(snapshots))
        {
            return null;
        }

        string? revision = File.Exists(main) ? Path.GetFileName(File.ReadAllText(main).Trim()) : null;
        string[] all = System.IO.Directory.GetDirectories(snapshots);
        return all.FirstOrDefault(s => Path.GetFileName(s) == revision) ?? (all.Length == 1 ? all[0] : null);
    }
}
