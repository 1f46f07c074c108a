using Xunit;

namespace Tern.Compute.Tests;

/// <summary>The mask as a source of chance: the right part of all elements goes, rows and columns do not go together.</summary>
public sealed class DropoutTests
{
    private const int Rows = 600, Columns = 500;

    [Theory]
    [InlineData(0.05f)]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    public void DropsTheRatesPartOfEveryRowAndColumn(float rate)
    {
        bool[,] dropped = Mask(rate, 1);
        double all = Count(dropped, (_, _) => true) / (double)(Rows * Columns), deviation = Math.Sqrt(rate * (1 - rate));
        Assert.InRange(all, rate - (4 * deviation / Math.Sqrt(Rows * Columns)), rate + (4 * deviation / Math.Sqrt(Rows * Columns)));
        for (int row = 0; row < Rows; row++)
        {
            int of = row;
            Assert.InRange(Count(dropped, (r, _) => r == of) / (double)Columns, rate - (6 * deviation / Math.Sqrt(Columns)), rate + (6 * deviation / Math.Sqrt(Columns)));
        }
    }

    /// <summary>Two rows, two neighbours in a row and two keys agree as often as independent draws do: p² + (1 − p)².</summary>
    [Fact]
    public void RowsColumnsAndKeysAreIndependent()
    {
        const float Rate = 0.3f;
        bool[,] one = Mask(Rate, 1), other = Mask(Rate, 2);
        const double Expected = (Rate * Rate) + ((1 - Rate) * (1 - Rate));
        double rows = 0, columns = 0, keys = 0;
        for (int r = 1; r < Rows; r++)
        {
            for (int c = 1; c < Columns; c++)
            {
                rows += one[r, c] == one[r - 1, c] ? 1 : 0;
                columns += one[r, c] == one[r, c - 1] ? 1 : 0;
                keys += one[r, c] == other[r, c] ? 1 : 0;
            }
        }

        double count = (Rows - 1.0) * (Columns - 1), limit = 5 * Math.Sqrt(Expected * (1 - Expected) / count);
        Assert.All(new[] { rows, columns, keys }, agreements => Assert.InRange(agreements / count, Expected - limit, Expected + limit));
    }

    private static bool[,] Mask(float rate, uint key)
    {
        Dropout dropout = new(rate, key, default);
        bool[,] dropped = new bool[Rows, Columns];
        for (int r = 0; r < Rows; r++)
        {
            for (int c = 0; c < Columns; c++)
            {
                // Sequences of 60 tokens, as a batch has them.
                dropped[r, c] = dropout.Hash(Dropout.RowKey((uint)(r / 60), r % 60), c) < dropout.Threshold;
            }
        }

        return dropped;
    }

    private static int Count(bool[,] dropped, Func<int, int, bool> where)
    {
        int count = 0;
        for (int r = 0; r < Rows; r++)
        {
            for (int c = 0; c < Columns; c++)
            {
                count += dropped[r, c] && where(r, c) ? 1 : 0;
            }
        }

        return count;
    }
}
