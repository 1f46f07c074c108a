using System.Runtime.InteropServices;
using Tern.Retrieval.Exchange;
using Xunit;

namespace Tern.Retrieval.Tests.Exchange;

public sealed class SparseCsrTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string File => _directory.File("m.csr");

    [Fact]
    public void TheBytesAreThoseOfTheBenchmark()
    {
        using var stream = new MemoryStream();
        using var ids = new StringWriter { NewLine = "\n" };
        SparseCsr.Write(stream, ids, [new("a", new SparseVector([2, 5], [1f, 0.5f])), new("b", SparseVector.Empty), new("c", new SparseVector([0], [3f]))], 8);
        byte[] expected = [.. Bytes<long>(3, 8, 3, 0, 2, 2, 3), .. Bytes(2, 5, 0), .. Bytes(1f, 0.5f, 3f)];
        Assert.Equal(expected, stream.ToArray());
        Assert.Equal("a\nb\nc\n", ids.ToString());
    }

    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        SparseDocument[] documents = ExchangeSamples.Sparse(5);
        using (FileStream file = System.IO.File.Create(File))
        {
            SparseCsr.Write(file, TextWriter.Null, documents);
        }

        ExchangeSamples.Same(documents, SparseCsr.Read(File, documents.Select(d => d.Id)));
        Assert.Equal("3", SparseCsr.Read(File).ElementAt(3).Id);
        Assert.Contains("more ids", Message(() => SparseCsr.Read(File, documents.Select(d => d.Id).Append("x")).Count()), StringComparison.Ordinal);
        Assert.Contains("only 2 ids", Message(() => SparseCsr.Read(File, ["x", "y"]).Count()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4, "bytes")] // rows
    [InlineData(16, 3, "bytes")] // values
    [InlineData(24, 1, "row 0")]
    [InlineData(32, 4, "row 0")]
    [InlineData(40, 1, "row 1")]
    public void CountsThatDoNotFitAreRefused(int offset, long value, string problem)
    {
        byte[] bytes = [.. Bytes<long>(2, 8, 2, 0, 2, 2), .. Bytes(2, 5), .. Bytes(1f, 0.5f)];
        System.IO.File.WriteAllBytes(File, bytes);
        Assert.Equal(2, SparseCsr.Read(File).Count());
        MemoryMarshal.Write(bytes.AsSpan(offset), value);
        System.IO.File.WriteAllBytes(File, bytes);
        string message = Message(() => SparseCsr.Read(File).Count());
        Assert.StartsWith(File, message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Fact]
    public void RowsAreSortedAndChecked()
    {
        System.IO.File.WriteAllBytes(File, [.. Bytes<long>(1, 8, 3, 0, 3), .. Bytes(5, 1, 2), .. Bytes(1f, 0f, 0.5f)]);
        Assert.Equal("0: 2:0.5 5:1", ExchangeSamples.Text(SparseCsr.Read(File).Single()));
        System.IO.File.WriteAllBytes(File, [.. Bytes<long>(1, 8, 1, 0, 1), .. Bytes(8), .. Bytes(1f)]);
        Assert.Contains("column 8 of 8", Message(() => SparseCsr.Read(File).Count()), StringComparison.Ordinal);
        System.IO.File.WriteAllBytes(File, [.. Bytes<long>(1, 8, 1, 0, 1), .. Bytes(3), .. Bytes(-1f)]);
        Assert.Contains("greater than zero", Message(() => SparseCsr.Read(File).Count()), StringComparison.Ordinal);
        System.IO.File.WriteAllBytes(File, [1, 2, 3]);
        Assert.Contains("too few", Message(() => SparseCsr.Read(File).Count()), StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private static string Message(Func<object> read) => Assert.Throws<InvalidDataException>(read).Message;

    private static byte[] Bytes<T>(params T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}
