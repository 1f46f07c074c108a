using System.Runtime.InteropServices;
using System.Text;
using Tern.Retrieval.Exchange;
using Xunit;

namespace Tern.Retrieval.Tests.Exchange;

public class NumpyWriterTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(12345)]
    public void HeaderAndRowsAreNumpys(int rowCount)
    {
        using var stream = new MemoryStream();
        var writer = new NumpyWriter(stream, 2);
        writer.Begin();
        for (int i = 0; i < rowCount; i++)
        {
            writer.Add([i, -i]);
        }

        writer.Complete();
        byte[] bytes = stream.ToArray();
        Assert.Equal("\x93NUMPY\x01\0", Encoding.Latin1.GetString(bytes, 0, 8));
        int headerLength = bytes[8] + (bytes[9] << 8);
        Assert.Equal(0, (10 + headerLength) % 64);
        string header = Encoding.ASCII.GetString(bytes, 10, headerLength);
        Assert.Equal($"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rowCount}, 2), }}", header.TrimEnd());
        Assert.EndsWith(" \n", header, StringComparison.Ordinal);
        float[] values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(10 + headerLength)).ToArray();
        Assert.Equal(Enumerable.Range(0, rowCount).SelectMany(i => new float[] { i, -i }), values);
        Assert.Throws<ArgumentException>(() => writer.Add([1]));
    }
}
