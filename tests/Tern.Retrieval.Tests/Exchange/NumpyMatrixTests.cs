using System.Runtime.InteropServices;
using System.Text;
using Tern.Retrieval.Exchange;
using Xunit;

namespace Tern.Retrieval.Tests.Exchange;

public sealed class NumpyMatrixTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Path => _directory.File("m.npy");

    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        DenseDocument[] documents = ExchangeSamples.Dense(2);
        using (FileStream file = File.Create(Path))
        {
            var writer = new NumpyWriter(file, 7);
            writer.Begin();
            foreach (DenseDocument document in documents)
            {
                writer.Add(document.Vector.Span);
            }

            writer.Complete();
        }

        Assert.Equal((20L, 7), NumpyMatrix.ReadHeader(Path));
        Assert.Equal(documents.Select(ExchangeSamples.Text), NumpyMatrix.Read(Path, documents.Select(d => d.Id)).Select(ExchangeSamples.Text));
        Assert.Equal("1", NumpyMatrix.Read(Path).ElementAt(1).Id);
        Assert.Throws<InvalidDataException>(() => NumpyMatrix.Read(Path, ["x"]).Count());
        File.WriteAllBytes(Path, File.ReadAllBytes(Path)[..^1]);
        Assert.Contains("ends in row 19", Assert.Throws<InvalidDataException>(() => NumpyMatrix.Read(Path).Count()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<f4", 1)]
    [InlineData("<f2", 2)]
    [InlineData("<f8", 3)]
    public void OtherElementsAndVersionsAreRead(string type, byte version)
    {
        float[] values = [1.5f, -2f, 0.25f, 8f];
        byte[] data = type switch
        {
            "<f2" => MemoryMarshal.AsBytes(Array.ConvertAll(values, v => (Half)v).AsSpan()).ToArray(),
            "<f4" => MemoryMarshal.AsBytes(values.AsSpan()).ToArray(),
            _ => MemoryMarshal.AsBytes(Array.ConvertAll(values, v => (double)v).AsSpan()).ToArray(),
        };
        File.WriteAllBytes(Path, [.. Head(version, $"{{'descr': '{type}', 'fortran_order': False, 'shape': (2, 2), }}"), .. data]);
        Assert.Equal(["0: 1.5 -2", "1: 0.25 8"], NumpyMatrix.Read(Path).Select(ExchangeSamples.Text));
    }

    [Theory]
    [InlineData("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }")]
    [InlineData("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1), }")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 1), }")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999999), }")]
    public void WhatIsNoMatrixOfFloatsIsRefused(string header)
    {
        File.WriteAllBytes(Path, [.. Head(1, header), 0, 0, 0, 0]);
        Assert.Contains("two-dimensional", Assert.Throws<InvalidDataException>(() => NumpyMatrix.Read(Path).Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NotANumberIsRefused()
    {
        File.WriteAllBytes(Path, [.. Head(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }"), .. BitConverter.GetBytes(float.NaN)]);
        Assert.Contains("row 0, column 0 holds NaN", Assert.Throws<InvalidDataException>(() => NumpyMatrix.Read(Path).Count()).Message, StringComparison.Ordinal);
        File.WriteAllText(Path, "PK");
        Assert.Contains("not a NumPy file", Assert.Throws<InvalidDataException>(() => NumpyMatrix.Read(Path).Count()).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private static byte[] Head(byte version, string header)
    {
        byte[] text = Encoding.ASCII.GetBytes(header + "\n");
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes(text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text];
    }
}
