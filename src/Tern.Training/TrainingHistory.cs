using System.Text.Json;

namespace Tern.Training;

/// <summary>The steps of a run as <c>training.jsonl</c>: one JSON object a line, numbers that read back to the same bits.</summary>
public static class TrainingHistory
{
    public const string FileName = "training.jsonl";

    /// <summary>Reads a file, or the one in a directory.</summary>
    /// <exception cref="InvalidDataException">A line is not a step; names file and line.</exception>
    public static IReadOnlyList<TrainingStep> Read(string pathOrDirectory)
    {
        string path = Directory.Exists(pathOrDirectory) ? Path.Combine(pathOrDirectory, FileName) : pathOrDirectory;
        List<TrainingStep> steps = [];
        foreach (string line in File.ReadLines(path))
        {
            try
            {
                steps.Add(JsonSerializer.Deserialize(line, TrainingStepJsonContext.Default.TrainingStep));
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{path}:{steps.Count + 1}: not a training step: {e.Message}", e);
            }
        }

        return steps;
    }

    /// <summary>Writes the file into a directory; aside, then renamed.</summary>
    public static void Write(string directory, IReadOnlyList<TrainingStep> steps)
    {
        Directory.CreateDirectory(directory);
        string path = Path.Combine(directory, FileName);
        File.WriteAllLines(path + ".tmp", steps.Select(s => JsonSerializer.Serialize(s, TrainingStepJsonContext.Default.TrainingStep)));
        File.Move(path + ".tmp", path, overwrite: true);
    }
}
