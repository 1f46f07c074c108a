using System.Globalization;

namespace Tern.Retrieval;

/// <summary>Names of an updatable index's files, and the generation that is current.</summary>
internal static class GenerationFiles
{
    public const string LockFile = "writer.lock";

    private const string Prefix = "generation-";
    private const string Suffix = ".json";

    public static string Name(long generation) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{generation}{Suffix}");

    public static string LogName(long generation) => string.Create(CultureInfo.InvariantCulture, $"log-{generation}.tern");

    public static string SegmentName(long number) => string.Create(CultureInfo.InvariantCulture, $"segment-{number}");

    public static string DeletedName(string segment, long generation) => string.Create(CultureInfo.InvariantCulture, $"deleted-{(segment == "." ? "0" : segment["segment-".Length..])}-{generation}.tern");

    /// <summary>The numbers of the generations that are there, ascending.</summary>
    public static List<long> List(string directory)
    {
        var numbers = new List<long>();
        if (Directory.Exists(directory))
        {
            foreach (string path in Directory.EnumerateFiles(directory, Prefix + "*" + Suffix))
            {
                if (long.TryParse(Path.GetFileName(path).AsSpan()[Prefix.Length..^Suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out long number))
                {
                    numbers.Add(number);
                }
            }
        }

        numbers.Sort();
        return numbers;
    }

    public static void RefuseUpdated(string directory)
    {
        if (List(directory).Count > 0)
        {
            throw new InvalidDataException($"{directory}: the index was updated after it was built and may have several segments; open it as a {nameof(SegmentedIndex)}, build in another directory");
        }
    }

    /// <summary>
    /// The current generation with its file held open and locked for shared use, which keeps what it names from being
    /// removed; null for an index that was only built. A generation that is removed meanwhile has a successor.
    /// </summary>
    public static (GenerationManifest Manifest, FileStream Pin)? OpenNewest(string directory)
    {
        for (int attempt = 0; ; attempt++)
        {
            List<long> numbers = List(directory);
            if (numbers.Count == 0)
            {
                return null;
            }

            string path = Path.Combine(directory, Name(numbers[^1]));
            FileStream? pin = null;
            try
            {
                pin = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
                var json = new byte[pin.Length];
                pin.ReadExactly(json);
                var manifest = GenerationManifest.Parse(path, json);
                return manifest.Generation == numbers[^1] ? (manifest, pin) : throw new InvalidDataException($"{path}: section 'manifest' at offset 0: it is generation {manifest.Generation} under another name; restore the index or build it again");
            }
            catch (IOException) when (attempt < 1000)
            {
                // Removed, or just tried by a writer that looks for unused ones.
                pin?.Dispose();
                Thread.Sleep(1);
            }
            catch
            {
                pin?.Dispose();
                throw;
            }
        }
    }

    /// <summary>Whether no reader holds a generation.</summary>
    public static bool IsUnused(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (FileNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    public static FileStream LockForWriting(string directory)
    {
        string path = Path.Combine(directory, LockFile);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException))
        {
            throw new IOException($"{directory}: another writer is at work on the index ({path} is locked); wait for it or stop it", e);
        }
    }
}
