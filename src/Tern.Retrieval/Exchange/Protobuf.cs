using System.Text;

namespace Tern.Retrieval.Exchange;

/// <summary>The few parts of the protocol buffers' wire format that CIFF needs, written to a stream.</summary>
internal sealed class ProtobufWriter(Stream stream)
{
    public static int VarintByteCount(ulong value) => (Math.Max(1, 64 - System.Numerics.BitOperations.LeadingZeroCount(value)) + 6) / 7;

    public void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            stream.WriteByte((byte)(value | 0x80));
        }

        stream.WriteByte((byte)value);
    }

    /// <summary>A number field; 0 is the default and is not written.</summary>
    public void Number(int field, long value)
    {
        if (value != 0)
        {
            Varint((ulong)(field << 3));
            Varint((ulong)value);
        }
    }

    public void Double(int field, double value)
    {
        Varint((ulong)((field << 3) | 1));
        stream.Write(BitConverter.GetBytes(value));
    }

    public void Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A length-delimited field's head; its bytes follow.</summary>
    public void Head(int field, int byteCount)
    {
        Varint((ulong)((field << 3) | 2));
        Varint((ulong)byteCount);
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Head(field, value.Length);
        stream.Write(value);
    }
}

/// <summary>The same, read: varints and fields from a stream, with the position for error messages.</summary>
internal sealed class ProtobufReader(Stream stream, string path)
{
    private int _ahead = -1;

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    public ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte part = Byte();
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        throw Invalid("a number of more than ten bytes");
    }

    /// <summary>A length within what is left of the enclosing message.</summary>
    public int Length(long end)
    {
        ulong length = Varint();
        return length <= (ulong)Math.Max(0, end - Position) && length <= int.MaxValue ? (int)length : throw Invalid($"a field of {length} bytes is longer than what holds it");
    }

    /// <summary>A non-negative number that fits an int.</summary>
    public int Int32(string what)
    {
        ulong value = Varint();
        return value <= int.MaxValue ? (int)value : throw Invalid($"the {what} is {value}");
    }

    public string Text(int length)
    {
        var bytes = new byte[length];
        if (stream.ReadAtLeast(bytes, length, throwOnEndOfStream: false) < length)
        {
            throw Invalid("the file ends early");
        }

        Position += length;
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Invalid("a text that is not UTF-8");
        }
    }

    /// <summary>Passes over the value of a field that is not known.</summary>
    public void Skip(int wireType, long end)
    {
        switch (wireType)
        {
            case 0:
                Varint();
                break;
            case 1 or 5:
                SkipBytes(wireType == 1 ? 8 : 4);
                break;
            case 2:
                SkipBytes(Length(end));
                break;
            default:
                throw Invalid($"a field of wire type {wireType}");
        }
    }

    public bool AtEnd()
    {
        int next = stream.ReadByte();
        if (next < 0)
        {
            return true;
        }

        _ahead = next;
        return false;
    }

    public InvalidDataException Invalid(string problem) => new($"{path}: at byte {Position}: {problem}");

    private byte Byte()
    {
        int next = _ahead >= 0 ? _ahead : stream.ReadByte();
        _ahead = -1;
        if (next < 0)
        {
            throw Invalid("the file ends early");
        }

        Position++;
        return (byte)next;
    }

    private void SkipBytes(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Byte();
        }
    }
}
