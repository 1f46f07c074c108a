using System.Buffers.Binary;
using System.Text;
using Xunit;

namespace Tern.Training.Tests;

public sealed class TensorBoardEventsTests
{
    /// <summary>The check value of CRC-32C over "123456789" is E3069283.</summary>
    [Fact]
    public void ChecksumIsCrc32CMasked()
    {
        const uint crc = 0xE3069283;
        Assert.Equal(((crc >> 15) | (crc << 17)) + 0xA282EAD8, TensorBoardEvents.MaskedChecksum("123456789"u8));
    }

    [Fact]
    public void EveryStepIsARecordWithItsScalars()
    {
        using TemporaryDirectory directory = new();
        using (TensorBoardEvents events = new(directory.Path, () => 1000.5))
        {
            events.Add(new TrainingStep { Step = 300, Loss = 1.25, GradientNorm = 0.5 });
        }

        byte[] file = File.ReadAllBytes(Path.Combine(directory.Path, "events.out.tfevents.1000.tern"));
        List<byte[]> records = [];
        for (int at = 0; at < file.Length;)
        {
            int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(at));
            Assert.Equal(TensorBoardEvents.MaskedChecksum(file.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            byte[] payload = file[(at + 12)..(at + 12 + length)];
            Assert.Equal(TensorBoardEvents.MaskedChecksum(payload), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)));
            records.Add(payload);
            at += length + 16;
        }

        Assert.Equal(2, records.Count);
        Assert.Contains("brain.Event:2", Encoding.Latin1.GetString(records[0]));
        Assert.Equal([9, .. BitConverter.GetBytes(1000.5), 16, 0xAC, 2], records[1][..12]); // wall time, step 300
        byte[] loss = [10, 11, 10, 4, .. "loss"u8, 21, .. BitConverter.GetBytes(1.25f)];
        Assert.Contains(Encoding.Latin1.GetString(loss), Encoding.Latin1.GetString(records[1]));
        Assert.Contains("gradient_norm", Encoding.Latin1.GetString(records[1]));
    }
}
