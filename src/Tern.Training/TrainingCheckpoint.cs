using System.Globalization;
using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;

namespace Tern.Training;

/// <summary>
/// The directory <c>checkpoint-STEP</c>: a model directory, with AdamW's moments, the trainer's state and the history
/// beside it. Written under another name and renamed, so that one which is there is whole.
/// </summary>
internal static class TrainingCheckpoint
{
    private const string Prefix = "checkpoint-";
    private const string MomentsFileName = "optimizer.safetensors";
    private const string FirstMoment = "first_moment.";
    private const string SecondMoment = "second_moment.";

    public static string PathOf(string runDirectory, int step) => Path.Combine(runDirectory, Prefix + step.ToString(CultureInfo.InvariantCulture));

    /// <summary>The checkpoints of a run by ascending step; none when the directory is missing.</summary>
    public static IReadOnlyList<(int Step, string Path)> List(string runDirectory) => !Directory.Exists(runDirectory)
        ? []
        : [.. Directory.EnumerateDirectories(runDirectory, Prefix + "*")
            .Select(path => (IsStep: int.TryParse(Path.GetFileName(path).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int step), Step: step, Path: path))
            .Where(c => c.IsStep)
            .Select(c => (c.Step, c.Path))
            .OrderBy(c => c.Step)];

    /// <summary>What a rank that writes nothing does while rank 0 writes: gives its parts of the moments, in their order.</summary>
    public static void GiveMoments(AdamWOptimizer optimizer)
    {
        foreach (OptimizedParameter optimized in optimizer.Parameters)
        {
            _ = optimizer.Whole(optimized, optimized.FirstMoment);
            _ = optimizer.Whole(optimized, optimized.SecondMoment);
        }
    }

    public static void Write(string directory, IBackend backend, ITrainedModel model, AdamWOptimizer optimizer, TrainingState state, IReadOnlyList<TrainingStep> history, IReadOnlyList<string> files)
    {
        string aside = directory + ".tmp";
        if (Directory.Exists(aside))
        {
            Directory.Delete(aside, recursive: true);
        }

        Directory.CreateDirectory(aside);
        try
        {
            model.Save(aside);
            WriteMoments(Path.Combine(aside, MomentsFileName), backend, optimizer);
            state.Write(aside);
            TrainingHistory.Write(aside, history);
            foreach (string file in files)
            {
                File.Copy(file, Path.Combine(aside, Path.GetFileName(file)), overwrite: true);
            }

            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }

            Directory.Move(aside, directory);
        }
        catch
        {
            if (Directory.Exists(aside))
            {
                Directory.Delete(aside, recursive: true);
            }

            throw;
        }
    }

    /// <summary>Deletes the oldest checkpoints up to this step beyond the number kept.</summary>
    public static void Prune(string runDirectory, int step, int kept)
    {
        List<(int Step, string Path)> past = [.. List(runDirectory).Where(c => c.Step <= step)];
        foreach ((_, string path) in past.SkipLast(kept))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    /// <summary>Overwrites weights and moments with those of the checkpoint.</summary>
    public static void Read(string directory, IBackend backend, ITrainedModel model, AdamWOptimizer optimizer)
    {
        LlamaConfig config = LlamaConfig.Load(directory);
        if (config != model.Weights.Config)
        {
            throw new InvalidDataException($"{Path.Combine(directory, LlamaConfig.FileName)}: not the shape of the model in training; resume with the model that the run was started with");
        }

        using Checkpoint weights = model.Weights.OpenTrained(directory);
        using SafetensorsFile moments = SafetensorsFile.Open(Path.Combine(directory, MomentsFileName));
        foreach (OptimizedParameter optimized in optimizer.Parameters)
        {
            string name = optimized.Parameter.Name;
            (SafetensorsFile file, SafetensorsEntry entry) = weights.Find(model.Weights.TrainedName(optimized.Parameter, model.AdapterLayout));
            Tensor value = optimized.Parameter.Value;
            Upload(backend, file, entry, value, 0, value);
            Upload(backend, moments, Find(moments, FirstMoment + name), value, optimizer.PartStart(optimized), optimized.FirstMoment);
            Upload(backend, moments, Find(moments, SecondMoment + name), value, optimizer.PartStart(optimized), optimized.SecondMoment);
        }
    }

    private static void WriteMoments(string path, IBackend backend, AdamWOptimizer optimizer)
    {
        List<SafetensorsSource> sources = [];
        foreach (OptimizedParameter optimized in optimizer.Parameters)
        {
            sources.Add(Source(FirstMoment, optimized, optimized.FirstMoment));
            sources.Add(Source(SecondMoment, optimized, optimized.SecondMoment));
        }

        SafetensorsWriter.Write(path, sources);

        SafetensorsSource Source(string prefix, OptimizedParameter optimized, Tensor moment) => new(prefix + optimized.Parameter.Name, "F32", [optimized.Parameter.Value.Rows, optimized.Parameter.Value.Columns], stream =>
        {
            Tensor whole = optimizer.Whole(optimized, moment);
            float[] values = new float[whole.ElementCount];
            backend.Download<float>(whole, values);
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        });
    }

    private static SafetensorsEntry Find(SafetensorsFile file, string name) => file.Entries.TryGetValue(name, out SafetensorsEntry? entry)
        ? entry
        : throw new InvalidDataException($"{file.Path}: tensor '{name}' is missing; resume from another checkpoint");

    private static unsafe void Upload(IBackend backend, SafetensorsFile file, SafetensorsEntry entry, Tensor whole, nint start, Tensor destination)
    {
        if (entry.DType != "F32" || entry.ByteCount != (long)whole.ElementCount * sizeof(float))
        {
            throw new InvalidDataException($"{file.Path}: tensor '{entry.Name}' is {entry.DType} {entry.ShapeText}, expected F32 [{whole.Rows}, {whole.Columns}]; resume from another checkpoint");
        }

        backend.Upload(new ReadOnlySpan<float>((float*)file.Address(entry) + start, checked((int)destination.ElementCount)), destination);
    }
}
