using System.Globalization;
using Xunit.Sdk;

namespace Tern.TestKit;

/// <summary>Comparison of a whole result with its oracle: reports the worst element, where it is and how much of its limit it used.</summary>
public static class OracleAssert
{
    /// <summary>Every element must be within its limit; a NaN never is.</summary>
    public static void Close(string what, HostMatrix actual, Func<int, int, double> expected, Func<int, int, double> limit)
    {
        double worst = -1;
        string where = "";
        for (int i = 0; i < actual.Tensor.Rows; i++)
        {
            for (int j = 0; j < actual.Tensor.Columns; j++)
            {
                double wanted = expected(i, j);
                double error = actual[i, j] == wanted ? 0 : Math.Abs(actual[i, j] - wanted); // Equal infinities have no difference.
                double share = error == 0 ? 0 : error / limit(i, j);
                if (!(share <= worst))
                {
                    worst = double.IsNaN(share) ? double.PositiveInfinity : share;
                    where = string.Create(CultureInfo.InvariantCulture, $"[{i}, {j}] is {actual[i, j]:R}, expected {wanted:R}, error {error:E2}");
                }
            }
        }

        if (!(worst <= 1))
        {
            throw new XunitException(string.Create(CultureInfo.InvariantCulture, $"{what}: {where}, {100 * worst:F0} % of the limit"));
        }
    }
}
