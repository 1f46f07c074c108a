using System.IO.Hashing;

namespace Tern.Pipelines.Demo;

/// <summary>A hash over files' names and bytes.</summary>
internal static class CollectionFingerprint
{
    public static string Of(IEnumerable<string> files)
    {
        var hash = new XxHash128();
        foreach (string file in files)
        {
            hash.Append(System.Text.Encoding.UTF8.GetBytes(Path.GetFileName(file) + "\n"));
            using FileStream stream = File.OpenRead(file);
            hash.Append(stream);
        }

        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
