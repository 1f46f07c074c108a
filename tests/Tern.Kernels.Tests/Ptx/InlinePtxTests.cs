using System.Text.RegularExpressions;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Ptx;

public sealed class InlinePtxTests
{
    private static readonly Dictionary<string, string> Table = InlinePtx.ReadTable(File.ReadAllLines(Repository.PathOf("native", "include", "ptx.txt")));
    private static readonly string Header = File.ReadAllText(Repository.PathOf("native", "include", "ptx.cuh"));

    [Fact]
    public void EveryInstructionIsInTheTableWithItsOperands()
    {
        Assert.Empty(InlinePtx.Errors(Header, Table));
        Assert.All(Table.Keys, mnemonic => Assert.Contains(mnemonic, Header, StringComparison.Ordinal));
    }

    [Fact]
    public void InlinePtxStandsInOneHeader()
    {
        IEnumerable<string> others = Directory.GetFiles(Repository.PathOf("native"), "*.cu*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "ptx.cuh");
        Assert.DoesNotContain(others, file => Regex.IsMatch(File.ReadAllText(file), @"\basm\b"));
    }

    [Theory]
    [InlineData("ex2.approx.ftz.f32 %0", "ex2.aprox.ftz.f32 %0", "no such instruction")]
    [InlineData("cvt.rn.bf16x2.f32 %0, %1, %2", "cvt.rn.bf16x2.f32 %0, %1", "2 operands, 3 expected")]
    [InlineData("\"=h\"(y)", "\"=r\"(y)", "constraint r for a register of type b16")]
    [InlineData("{%4, %5, %6, %7}, {%8, %9}", "{%4, %5, %6}, {%8, %9}", "4 registers expected")]
    [InlineData("{%8, %9}, {%0", "{%8, %10}, {%0", "no such constraint")]
    [InlineData("{%0, %1, %2, %3}, [%4];", "{%0, %1, %2, %3}, %4;", "an address in brackets")]
    [InlineData("[%0], [%1], 16, %2", "[%1], [%0], 16, %2", "constraint r")]
    [InlineData("asm volatile(\"cp.async.commit_group", "asm(\"cp.async.commit_group", "must be volatile")]
    [InlineData("[%1, {%2, %3}], [%4]", "[%1, {%2}], [%4]", "two coordinates")]
    [InlineData("%33, 1, 1, 1, 0, 0;", "%33, 1, 1, 1, 0;", "7 operands, 8 expected")]
    [InlineData("p, [%1], %2; selp", "p, [%1]; selp", "2 operands, 3 expected")]
    [InlineData("\"=f\"(y) : \"f\"(x)", "\"f\"(y) : \"f\"(x)", "is an output without")]
    public void AMistakeIsNamed(string original, string faulty, string expected)
    {
        int at = Header.IndexOf(original, StringComparison.Ordinal);
        Assert.True(at >= 0, $"ptx.cuh has no '{original}'");
        string error = Assert.Single(InlinePtx.Errors(Header[..at] + faulty + Header[(at + original.Length)..], Table));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }
}
