using Tern.Compute;
using Xunit;

namespace Tern.Model.Tests;

/// <summary>Comparisons that fail on NaN and print where the largest error is.</summary>
internal static class Compare
{
    /// <summary>Every |actual − expected| is at most <paramref name="relative"/> times the largest |expected|.</summary>
    public static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double relative, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} values instead of {expected.Length}");
        double largest = 0;
        foreach (float value in expected)
        {
            largest = Math.Max(largest, Math.Abs((double)value));
        }

        double limit = relative * largest;
        double worst = 0;
        int worstIndex = -1;
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs((double)actual[i] - expected[i]);
            if (!(error <= worst))
            {
                worst = error;
                worstIndex = i;
            }
        }

        Assert.True(worst <= limit, FormattableString.Invariant($"{what}: error {worst:g4} at {worstIndex} of {expected.Length} ({(worstIndex < 0 ? 0 : actual[worstIndex]):g7} instead of {(worstIndex < 0 ? 0 : expected[worstIndex]):g7}), {100 * worst / limit:f0} % of the limit {limit:g4}"));
    }

    public static float[] Download(this IBackend backend, Tensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        backend.Download<float>(tensor, values);
        return values;
    }
}
