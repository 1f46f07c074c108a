namespace Tern.Pipelines.Demo.Stages;

/// <summary>Keys of <c>results.json</c>'s seconds.</summary>
internal static class StageNames
{
    public const string Collection = "collection";
    public const string Tokenizer = "tokenizer";
    public const string Bm25 = "bm25";
    public const string Examples = "examples";
    public const string Budget = "budget";
    public const string TrainSparse = "train_sparse";
    public const string TrainDense = "train_dense";
    public const string IndexSparse = "index_sparse";
    public const string IndexDense = "index_dense";
    public const string SearchSparse = "search_sparse";
    public const string SearchDense = "search_dense";
    public const string Hybrid = "hybrid";
    public const string AblationSparse = "ablation_sparse";
    public const string AblationDense = "ablation_dense";
    public const string Evaluation = "evaluation";
    public const string Explain = "explain";
    public const string Report = "report";
}
