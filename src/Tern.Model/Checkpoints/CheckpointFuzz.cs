using System.IO.Compression;
using Tern.Compute;

namespace Tern.Model.Checkpoints;

/// <summary>What came of damaging model files.</summary>
/// <param name="LoadedCount">Files that still load, and whose model runs.</param>
/// <param name="RefusedCount">Files that were refused with a line that names the place.</param>
/// <param name="Failures">Everything else: number of the case, file and what happened.</param>
public sealed record FuzzResult(int LoadedCount, int RefusedCount, IReadOnlyList<string> Failures);

/// <summary>
/// Damages the files of a small model and of its adapters at random, again and again, and loads them: each must be refused clearly or load
/// whole. A case depends on the seed and its number only.
/// </summary>
public sealed class CheckpointFuzz : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly byte[] Odd = [0, 0x7F, 0x80, 0xFF, (byte)'"', (byte)'{', (byte)'-', (byte)'9'];
    private static readonly int[] Tokens = [1, 2, 3];

    private readonly IBackend _backend;
    private readonly string _base;
    private readonly string _adapter;
    private readonly string _torchAdapter;
    private readonly List<(string Path, bool InsideZip)> _files;
    private readonly Dictionary<string, byte[]> _originals = new(StringComparer.Ordinal);

    /// <summary>Makes the models in an empty directory.</summary>
    public CheckpointFuzz(IBackend backend, string directory)
    {
        _backend = backend;
        _base = Path.Combine(directory, "base");
        _adapter = Path.Combine(directory, "adapter");
        _torchAdapter = Path.Combine(directory, "torch");
        var config = new LlamaConfig { HiddenSize = 8, IntermediateSize = 12, LayerCount = 1, HeadCount = 2, KeyValueHeadCount = 1, HeadSize = 4, VocabularySize = 16, TieWordEmbeddings = true, RopeScaling = new RopeScaling(8f, 1f, 4f, 64) };
        RetrieverContract contract = RetrieverContract.Laconic();
        RandomCheckpoint.Write(_base, config, contract, new LlamaInitialization(), DType.Float32, threads: 1);
        SentenceTransformersFiles.Write(_base, contract, config);
        using (LlamaWeights weights = LlamaWeights.Load(backend, _base))
        {
            weights.AddAdapter(new LoraSettings { Rank = 2 }, Path.GetFullPath(_base));
            weights.Save(_adapter);
        }

        contract.Save(_adapter);
        LoraAdapterFile.Write(LoraAdapter.Open(_adapter), AdapterLayout.LanguageModel, _torchAdapter, asTorch: true);
        contract.Save(_torchAdapter);
        _files =
        [
            (Path.Combine(_base, LlamaConfig.FileName), false),
            (Path.Combine(_base, Checkpoint.FileName), false),
            (Path.Combine(_base, RetrieverContract.FileName), false),
            (Path.Combine(_base, SentenceTransformersFiles.ModulesName), false),
            (Path.Combine(_adapter, AdapterConfig.FileName), false),
            (Path.Combine(_adapter, LoraAdapter.SafetensorsName), false),
            (Path.Combine(_torchAdapter, LoraAdapter.TorchName), false),
            (Path.Combine(_torchAdapter, LoraAdapter.TorchName), true),
        ];
        foreach ((string path, _) in _files)
        {
            _originals[path] = File.ReadAllBytes(path);
        }
    }

    /// <summary>Runs cases <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> − 1; stops at one that hangs.</summary>
    public FuzzResult Run(int seed, int first, int count, Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        int loaded = 0, refused = 0;
        List<string> failures = [];
        for (int number = first; number < first + count && !cancellationToken.IsCancellationRequested; number++)
        {
            var random = new Random(unchecked((seed * 1_000_003) + number));
            (string path, bool insideZip) = _files[random.Next(_files.Count)];
            byte[] original = _originals[path];
            File.WriteAllBytes(path, insideZip ? DamagePickle(original, random) : Damage(original, random));
            Task<Exception?> task = Task.Run(() => Load(path), CancellationToken.None);
            if (!task.Wait(Limit, CancellationToken.None))
            {
                failures.Add($"case {number}: {Path.GetFileName(path)}: not done after {Limit.TotalSeconds} s");
                break;
            }

            switch (task.Result)
            {
                case null:
                    loaded++;
                    break;
                case (InvalidDataException or FileNotFoundException or DirectoryNotFoundException) and { Message: { } message } when IsClear(message):
                    refused++;
                    break;
                default:
                    failures.Add($"case {number}: {Path.GetFileName(path)}{(insideZip ? " (its pickle)" : "")}: {task.Result.GetType().Name}: {task.Result.Message}");
                    break;
            }

            File.WriteAllBytes(path, original);
            progress?.Invoke(number - first + 1);
        }

        return new FuzzResult(loaded, refused, failures);
    }

    public void Dispose()
    {
        foreach ((string path, byte[] original) in _originals)
        {
            File.WriteAllBytes(path, original);
        }
    }

    private static bool IsClear(string message) =>
        message.Length < 2000 && (message.Contains(".json", StringComparison.Ordinal) || message.Contains(".safetensors", StringComparison.Ordinal) || message.Contains(".bin", StringComparison.Ordinal) || message.Contains(Path.DirectorySeparatorChar));

    private Exception? Load(string path)
    {
        try
        {
            string directory = Path.GetDirectoryName(path)!;
            if (Path.GetFileName(path) == SentenceTransformersFiles.ModulesName)
            {
                SentenceTransformersFiles.Read(directory);
            }

            using RetrieverNetwork network = RetrieverNetwork.Load(_backend, directory);
            network.Forward(Tokens, [0, Tokens.Length]);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    /// <summary>One to four changes: bits, bytes, numbers, pieces cut out, doubled or moved, the end cut off.</summary>
    private static byte[] Damage(byte[] original, Random random)
    {
        List<byte> bytes = [.. original];
        for (int change = random.Next(1, 5); change > 0 && bytes.Count > 1; change--)
        {
            // Headers are where a reader can go wrong: half of the changes hit the first kilobyte.
            int reach = random.Next(2) == 0 ? Math.Min(bytes.Count, 1024) : bytes.Count;
            int at = random.Next(reach), length = Math.Min(random.Next(1, 16), bytes.Count - at);
            switch (random.Next(8))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes[at] = Odd[random.Next(Odd.Length)];
                    break;
                case 3:
                    ReplaceNumber(bytes, at, random);
                    break;
                case 4:
                    bytes.RemoveRange(at, length);
                    break;
                case 5:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 6:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>The next run of digits becomes another number: 0, a negative one, or one that is much too large.</summary>
    private static void ReplaceNumber(List<byte> bytes, int at, Random random)
    {
        int start = bytes.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9');
        if (start < 0)
        {
            return;
        }

        int end = start;
        while (end < bytes.Count && bytes[end] is >= (byte)'0' and <= (byte)'9')
        {
            end++;
        }

        string[] numbers = ["0", "-1", "1", "7", "65536", "2147483647", "2147483648", "9999999999", "9223372036854775807", "1e30", "NaN"];
        bytes.RemoveRange(start, end - start);
        bytes.InsertRange(start, System.Text.Encoding.ASCII.GetBytes(numbers[random.Next(numbers.Length)]));
    }

    /// <summary>Damages the pickle and zips it again with right checksums, so that its reader is reached.</summary>
    private static byte[] DamagePickle(byte[] original, Random random)
    {
        using var from = new ZipArchive(new MemoryStream(original), ZipArchiveMode.Read);
        var buffer = new MemoryStream();
        using (var to = new ZipArchive(buffer, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (ZipArchiveEntry entry in from.Entries)
            {
                using var content = new MemoryStream();
                using (Stream stream = entry.Open())
                {
                    stream.CopyTo(content);
                }

                using Stream copy = to.CreateEntry(entry.FullName, CompressionLevel.NoCompression).Open();
                copy.Write(entry.Name == "data.pkl" ? Damage(content.ToArray(), random) : content.ToArray());
            }
        }

        return buffer.ToArray();
    }
}
