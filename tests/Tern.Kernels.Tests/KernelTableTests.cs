using Xunit;

namespace Tern.Kernels.Tests;

public sealed class KernelTableTests
{
    [Theory]
    [InlineData("ceil(count, 1024)", 4)]
    [InlineData("2 * (rows + 1) - rows / 2", 10)]
    [InlineData("min(rows, 3) * max(rows, 7)", 21)]
    public void ExpressionsHaveValues(string expression, long expected) =>
        Assert.Equal(expected, KernelTable.Evaluate(expression, name => name == "count" ? 3073 : 5));

    [Theory]
    [InlineData("(rows")]
    [InlineData("rows rows")]
    [InlineData("log(rows, 2)")]
    public void OtherExpressionsAreRefused(string expression) =>
        Assert.Throws<FormatException>(() => KernelTable.Evaluate(expression, _ => 5));

    [Fact]
    public void LaunchShapesUseOnlySizesOfTheKernel()
    {
        foreach (KernelDeclaration kernel in KernelTable.All.Values)
        {
            foreach (string expression in kernel.Grid.Append(kernel.SharedBytes))
            {
                long value = KernelTable.Evaluate(expression, name => Assert.Single(kernel.Parameters, p => p.Name == name && p.Type is "i32" or "i64").Name.Length);
                Assert.True(value >= 0, $"{kernel.Name}: {expression}");
            }
        }
    }
}
