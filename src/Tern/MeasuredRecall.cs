using Tern.Retrieval;

namespace Tern;

/// <summary>How much of the exact hits approximate searches find, as the calibration of their index measured it.</summary>
/// <param name="Quality">What was asked for.</param>
/// <param name="K">Hits of a search that was measured.</param>
/// <param name="Recall">Share of the exact hits that was found; 1 where searches are exact after all, since no approximation of that quality is cheaper.</param>
/// <param name="LeastRecall">The 95 % lower confidence bound of that, over queries: at least the quality.</param>
/// <param name="IsExact">Whether searches are exact.</param>
/// <param name="QueryCount">Queries that were measured.</param>
/// <param name="IsStale">Whether the index has changed since.</param>
public sealed record MeasuredRecall(double Quality, int K, double Recall, double LeastRecall, bool IsExact, int QueryCount, CalibrationSource Source, bool IsStale);
