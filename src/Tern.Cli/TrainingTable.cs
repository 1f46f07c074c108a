using Tern.Training;

namespace Tern.Cli;

/// <summary>A run's steps as comma-separated values, numbers that read back to the same bits.</summary>
internal static class TrainingTable
{
    public const string FileName = "training.csv";

    public static void Write(string path, IReadOnlyList<TrainingStep> steps) => OutputFile.WriteBytes(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine("step,loss,info_nce,kl_divergence,margin_mse,query_flops,document_flops,query_non_zeros,document_non_zeros,learning_rate,gradient_norm,token_count");
        foreach (TrainingStep s in steps)
        {
            writer.WriteLine(Invariant($"{s.Step},{s.Loss:R},{s.InfoNce:R},{s.KlDivergence:R},{s.MarginMse:R},{s.QueryFlops:R},{s.DocumentFlops:R},{s.QueryNonZeros:R},{s.DocumentNonZeros:R},{s.LearningRate:R},{s.GradientNorm:R},{s.TokenCount}"));
        }
    });
}
