using Tern.Cuda.Kernels;
using Xunit;

namespace Tern.Cuda.Tests;

public sealed class SizeExpressionTests
{
    private static readonly string[] Parameters = ["rows", "columns", "count"];

    [Theory]
    [InlineData("256", 256)]
    [InlineData("rows", 7)]
    [InlineData("ceil(columns, 16)", 7)]
    [InlineData("ceil(96, 16)", 6)]
    [InlineData("2 * rows + columns * 4", 414)]
    [InlineData("2 * (rows + columns) / 3 - 1", 70)]
    [InlineData("max(min(rows, columns), 9)", 9)]
    [InlineData("count / 1000000", 5000)]
    public void HasTheValueOfItsFormula(string text, long expected)
    {
        KernelArgument[] arguments = [7, 100, 5_000_000_000L];
        Assert.Equal(expected, new SizeExpression(text, Parameters).Evaluate(arguments));
    }

    [Theory]
    [InlineData("")]
    [InlineData("width")]
    [InlineData("rows +")]
    [InlineData("ceil(rows)")]
    [InlineData("(rows")]
    [InlineData("rows columns")]
    public void WhatIsNoFormulaIsRefusedWithItsText(string text)
    {
        FormatException e = Assert.Throws<FormatException>(() => new SizeExpression(text, Parameters));
        Assert.Contains($"'{text}'", e.Message, StringComparison.Ordinal);
    }
}
