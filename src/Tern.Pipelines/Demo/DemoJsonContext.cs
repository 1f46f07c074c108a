using System.Text.Json.Serialization;
using Tern.Pipelines.Demo.Stages;

namespace Tern.Pipelines.Demo;

/// <summary>Every type that the demo's JSON files hold, so that reading and writing them needs no reflection.</summary>
[JsonSerializable(typeof(DemoResults))]
[JsonSerializable(typeof(StageRecord))]
[JsonSerializable(typeof(StageTime.Attempt))]
[JsonSerializable(typeof(TokenizerFigures))]
[JsonSerializable(typeof(ExamplesFigures))]
[JsonSerializable(typeof(BudgetFigures))]
[JsonSerializable(typeof(SearchFigures))]
[JsonSerializable(typeof(TrainingStageFigures))]
[JsonSerializable(typeof(IndexFigures))]
[JsonSerializable(typeof(HybridFigures))]
[JsonSerializable(typeof(EvaluationFigures))]
[JsonSerializable(typeof(ExplainFigures))]
[JsonSerializable(typeof(ReportFigures))]
[JsonSerializable(typeof(List<int>))]
[JsonSerializable(typeof(int[]))]
[JsonSerializable(typeof(List<CurvePoint>))]
[JsonSerializable(typeof(List<ExplainedQuery>))]
internal sealed partial class DemoJsonContext : JsonSerializerContext;
