using Tern.TestKit;

namespace Tern.Text.Tests.Tokenization;

/// <summary>A test of Llama-3's own vocabulary, which is not the project's to hand out: TERN_LLAMA3_TOKENIZER is its tokenizer.json.</summary>
public sealed class Llama3FactAttribute : FactAttribute
{
    public const string Variable = "TERN_LLAMA3_TOKENIZER";
    public const string Archive = "llama3_ids.jsonl.gz";

    public Llama3FactAttribute()
    {
        if (!File.Exists(Environment.GetEnvironmentVariable(Variable)))
        {
            Skip = $"needs the path of Llama-3's tokenizer.json in {Variable}";
        }
        else if (Repository.SharedArchives is not { } folder || !File.Exists(Path.Combine(folder, Archive)))
        {
            Skip = $"needs the archive {Archive} in shared/data beside the repository";
        }
    }
}
