using Tern.Model;
using Tern.Text;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record TokenizerFigures(int VocabularySize, double QueryTokens, double DocumentTokens, double QueriesCut, double DocumentsCut);

/// <summary>Trains the vocabulary on the documents and the train queries, and counts in how many documents each entry occurs.</summary>
internal sealed class TokenizerStage() : DemoStage(StageNames.Tokenizer, "Train a tokenizer")
{
    public override IReadOnlyList<string> After => [StageNames.Collection];

    public override string Inputs(DemoContext context)
    {
        DemoRecipe recipe = context.Recipe;
        return FormattableString.Invariant($"{recipe.VocabularySize} {recipe.AddBos} {recipe.MaxQueryTokens} {recipe.MaxDocumentTokens}");
    }

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.TokenizerFile, context.Paths.TermFrequencies];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        DemoCollection collection = context.Collection;
        RetrieverContract contract = NetworkFactory.Contract(context.Recipe, RepresentationKind.Sparse);
        Directory.CreateDirectory(context.Paths.Tokenizer);
        var options = new BytePairTrainerOptions
        {
            VocabularySize = context.Recipe.VocabularySize,
            Lowercase = true,
            SplitCaseChanges = true,
            Splitting = WordSplitting.Words,
            AddBos = context.Recipe.AddBos,
        };
        BytePairTrainer.Train(collection.Train.Select(q => q.Text).Concat(collection.Documents.Select(contract.Compose)), options, context.Paths.TokenizerFile);
        cancellation.ThrowIfCancellationRequested();

        Tokenizer tokenizer = Tokenizer.Load(context.Paths.TokenizerFile);
        int[] frequencies = new int[tokenizer.VocabularySize];
        var tokens = new List<int>();
        var documentLengths = new List<int>();
        foreach (Document document in collection.Documents)
        {
            tokens.Clear();
            tokenizer.Encode(contract.Compose(document), tokens);
            documentLengths.Add(tokens.Count);
            foreach (int token in tokens.Distinct())
            {
                frequencies[token]++;
            }
        }

        var queryLengths = new List<int>();
        foreach (JudgedQuery query in collection.Dev)
        {
            tokens.Clear();
            tokenizer.Encode(query.Text, tokens);
            queryLengths.Add(tokens.Count);
        }

        ResultsFile.Save(context.Paths.TermFrequencies, frequencies);
        var figures = new TokenizerFigures(
            tokenizer.VocabularySize,
            Math.Round(queryLengths.Average(), 2),
            Math.Round(documentLengths.Average(), 2),
            Math.Round(queryLengths.Average(l => l > context.Recipe.MaxQueryTokens ? 1.0 : 0), 4),
            Math.Round(documentLengths.Average(l => l > context.Recipe.MaxDocumentTokens ? 1.0 : 0), 4));
        return new StageOutcome(
            FormattableString.Invariant($"{figures.VocabularySize:#,0} entries; {figures.QueryTokens:0.0} tokens a query, {figures.DocumentTokens:0.0} a document ({100 * figures.DocumentsCut:0.0} % of the documents are cut)"),
            figures);
    }
}
