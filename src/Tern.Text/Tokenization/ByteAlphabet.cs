using System.Text;

namespace Tern.Text;

/// <summary>The byte-level alphabet of GPT-2: printable bytes stand for themselves, the others for U+0100 and up in order.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] ToChar = Build();
    private static readonly short[] ToByte = Invert();

    public static char CharOf(byte value) => ToChar[value];

    /// <summary>The bytes that a vocabulary entry stands for; null where it has a character outside the alphabet.</summary>
    public static byte[]? BytesOf(ReadOnlySpan<char> entry)
    {
        byte[] bytes = new byte[entry.Length];
        for (int i = 0; i < entry.Length; i++)
        {
            if (entry[i] >= ToByte.Length || ToByte[entry[i]] < 0)
            {
                return null;
            }
            bytes[i] = (byte)ToByte[entry[i]];
        }
        return bytes;
    }

    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        var builder = new StringBuilder(bytes.Length);
        foreach (byte value in bytes)
        {
            builder.Append(ToChar[value]);
        }
        return builder.ToString();
    }

    private static char[] Build()
    {
        char[] map = new char[256];
        char next = '\u0100';
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            map[b] = printable ? (char)b : next++;
        }
        return map;
    }

    private static short[] Invert()
    {
        short[] map = new short[ToChar.Max() + 1];
        Array.Fill(map, (short)-1);
        for (int b = 0; b < 256; b++)
        {
            map[ToChar[b]] = (short)b;
        }
        return map;
    }
}
