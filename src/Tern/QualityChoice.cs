using Tern.Retrieval;

namespace Tern;

/// <summary>The searches that a calibration chose for a quality, and what is known of them.</summary>
internal sealed class QualityChoice(SearchCalibration calibration, double quality, bool isStale)
{
    /// <summary>Null for an exact search.</summary>
    public SearchApproximation? Approximation(int k) => calibration.Choose(quality, k).Approximation;

    public MeasuredRecall Recall(int k)
    {
        CalibratedSearch search = calibration.Choose(quality, k);
        return new MeasuredRecall(quality, search.Approximation is null ? k : search.K, search.Recall, search.LeastRecall, search.Approximation is null, calibration.QueryCount, calibration.Source, isStale);
    }

    /// <summary>Null where searches are to be exact.</summary>
    public static QualityChoice? Load(string directory, SegmentedIndex index, double quality)
    {
        if (!(quality > 0 && quality <= 1))
        {
            throw new ArgumentException($"a quality of {quality}; it is a recall, above 0 and at most 1");
        }

        if (quality == 1)
        {
            return null;
        }

        var calibration = SearchCalibration.Load(directory);
        return new QualityChoice(calibration, quality, calibration.IsStale(index));
    }
}
