using System.Globalization;
using Tern.Compute.Collectives;

namespace Tern.Cli;

/// <summary>One of several parts of a list of texts, each encoded by a process that knows nothing of the others. Parts are ranges, so that their files one behind the other are the whole's.</summary>
internal sealed record Shard(int Index, int Count)
{
    /// <summary>Reads <c>i/n</c>, counted from 0, or <c>auto</c>; null for null.</summary>
    /// <exception cref="UsageException">Neither of these, or the environment says nothing.</exception>
    public static Shard? Parse(string? text, Func<string, string?> variable)
    {
        if (text is null)
        {
            return null;
        }

        if (text == "auto")
        {
            return RankEnvironment.DetectShard(variable) is var (index, count)
                ? new Shard(index, count)
                : throw new UsageException("--shard auto: no variables of a Slurm job array (SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_COUNT), a Kubernetes indexed job (JOB_COMPLETION_INDEX, JOB_COMPLETIONS) or a launcher are set; give --shard i/n");
        }

        string[] parts = text.Split('/');
        return parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int i)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int n)
            && i < n
            ? new Shard(i, n)
            : throw new UsageException($"--shard '{text}': must be i/n with i from 0 to n − 1, such as 0/8, or auto");
    }

    /// <summary>This part of the records, which are counted in a first pass.</summary>
    public IEnumerable<T> Of<T>(IEnumerable<T> all)
    {
        long count = all.LongCount();
        long start = (long)((Int128)count * Index / Count);
        long end = (long)((Int128)count * (Index + 1) / Count);
        return all.Where((_, i) => i >= start).Take((int)(end - start));
    }

    /// <summary>The part's file: its number before the extension.</summary>
    public string NameOf(string path)
    {
        string name = Path.GetFileName(path);
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        string part = Invariant($".{Index}-of-{Count}");
        return Path.Combine(Path.GetDirectoryName(path) ?? "", dot < 0 ? name + part : name[..dot] + part + name[dot..]);
    }
}
