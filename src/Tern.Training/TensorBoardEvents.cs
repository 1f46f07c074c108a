using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Tern.Training;

/// <summary>
/// A run's figures as a file that TensorBoard reads: records of length, payload and their masked CRC-32C (TFRecord), each payload an
/// Event message with scalar summaries. A run that goes on writes another file; TensorBoard reads all of a directory.
/// </summary>
public sealed class TensorBoardEvents : IDisposable
{
    private readonly FileStream _stream;
    private readonly Func<double> _secondsSinceEpoch;

    /// <summary>Creates a file in a directory.</summary>
    /// <param name="secondsSinceEpoch">The wall time of events, for display only.</param>
    public TensorBoardEvents(string directory, Func<double> secondsSinceEpoch)
    {
        _secondsSinceEpoch = secondsSinceEpoch;
        Directory.CreateDirectory(directory);
        long second = (long)secondsSinceEpoch();
        string path = Path.Combine(directory, FormattableString.Invariant($"events.out.tfevents.{second}.tern"));
        for (int i = 1; File.Exists(path); i++)
        {
            path = Path.Combine(directory, FormattableString.Invariant($"events.out.tfevents.{second}.tern.{i}"));
        }

        _stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        WriteRecord(Event(0, Message(3, Encoding.UTF8.GetBytes("brain.Event:2"))));
    }

    /// <summary>Adds one step's figures.</summary>
    public void Add(TrainingStep step)
    {
        List<byte> summary = [];
        foreach ((string name, double value) in Scalars(step))
        {
            // Value { tag = 1, simple_value = 2 }, each the field 1 of Summary.
            List<byte> scalar = [.. Message(1, Encoding.UTF8.GetBytes(name)), (2 << 3) | 5];
            byte[] single = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(single, (float)value);
            scalar.AddRange(single);
            summary.AddRange(Message(1, [.. scalar]));
        }

        WriteRecord(Event(step.Step, Message(5, [.. summary])));
    }

    public void Dispose() => _stream.Dispose();

    /// <summary>The figures of a step by the names that they have in every format.</summary>
    internal static IEnumerable<(string Name, double Value)> Scalars(TrainingStep step) =>
    [
        ("loss", step.Loss),
        ("info_nce", step.InfoNce),
        ("kl_divergence", step.KlDivergence),
        ("margin_mse", step.MarginMse),
        ("query_flops", step.QueryFlops),
        ("document_flops", step.DocumentFlops),
        ("query_non_zeros", step.QueryNonZeros),
        ("document_non_zeros", step.DocumentNonZeros),
        ("learning_rate", step.LearningRate),
        ("gradient_norm", step.GradientNorm),
        ("token_count", step.TokenCount),
    ];

    /// <summary>CRC-32C, rotated and offset so that a checksum of a record that holds checksums is no weaker.</summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        crc = ~crc;
        return BitOperations.RotateRight(crc, 15) + 0xA282EAD8;
    }

    private byte[] Event(int step, byte[] what)
    {
        List<byte> bytes = [(1 << 3) | 1];
        byte[] time = new byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(time, _secondsSinceEpoch());
        bytes.AddRange(time);
        bytes.Add(2 << 3);
        bytes.AddRange(Varint(step));
        bytes.AddRange(what);
        return [.. bytes];
    }

    private static byte[] Message(int field, byte[] content) => [(byte)((field << 3) | 2), .. Varint(content.Length), .. content];

    private static List<byte> Varint(int value)
    {
        List<byte> bytes = [];
        uint left = (uint)value;
        while (left >= 0x80)
        {
            bytes.Add((byte)(left | 0x80));
            left >>= 7;
        }

        bytes.Add((byte)left);
        return bytes;
    }

    private void WriteRecord(byte[] payload)
    {
        byte[] head = new byte[12];
        BinaryPrimitives.WriteInt64LittleEndian(head, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), MaskedChecksum(head.AsSpan(0, 8)));
        byte[] tail = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, MaskedChecksum(payload));
        _stream.Write([.. head, .. payload, .. tail]);
        _stream.Flush();
    }
}
