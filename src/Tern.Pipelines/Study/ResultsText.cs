namespace Tern.Pipelines.Study;

/// <summary>Text files of a study, written aside and renamed, so that a reader never sees half a file.</summary>
internal static class ResultsText
{
    public static void Save(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string aside = $"{path}.{Environment.ProcessId}.tmp";
        File.WriteAllText(aside, text);
        File.Move(aside, path, overwrite: true);
    }
}
