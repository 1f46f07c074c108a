using System.IO.Compression;

namespace Tern.Retrieval;

/// <summary>A file that appears when it is complete; gzip where its name ends in .gz.</summary>
internal static class EvaluationOutput
{
    public static void Write(string path, Action<Stream> write)
    {
        string aside = path + ".tmp";
        try
        {
            using (FileStream file = File.Create(aside))
            {
                if (path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
                {
                    using var zip = new GZipStream(file, CompressionLevel.Optimal);
                    write(zip);
                }
                else
                {
                    write(file);
                }
            }

            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }
}
