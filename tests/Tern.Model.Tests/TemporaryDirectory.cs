namespace Tern.Model.Tests;

/// <summary>A new empty directory that goes with its owner.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("tern-model-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void CopyFrom(string directory)
    {
        foreach (string file in Directory.GetFiles(directory))
        {
            System.IO.File.Copy(file, File(System.IO.Path.GetFileName(file)), overwrite: true);
        }
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
