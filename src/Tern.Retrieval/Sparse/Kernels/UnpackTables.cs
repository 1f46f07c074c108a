using System.Runtime.InteropServices;

namespace Tern.Retrieval.Kernels;

/// <summary>
/// For each bit width: which bytes hold each packed value and how far it is shifted in them. Widths up to 25, so that a
/// value and its shift fit 4 bytes.
/// </summary>
internal static unsafe class UnpackTables
{
    public const int WidestVector = 25;

    /// <summary>For each width 64 byte indices, 4 for each of 16 values, then 16 shifts of 32 bits; 128 bytes a width.</summary>
    public static readonly byte* Sixteen = CreateSixteen();

    /// <summary>
    /// For each width the same for two times four values of which each four begin at a byte below 16: 32 indices, 8 shifts;
    /// 64 bytes a width.
    /// </summary>
    public static readonly byte* TwiceFour = CreateTwiceFour();

    public const int HalfRow = 96;

    /// <summary>
    /// For each width, 16 values of at most 14 bits in the 16-bit lanes of half a vector: 32 byte indices, 8 bytes for each four
    /// values; from which of their bits each byte is taken, 32 bytes; the mask of a value, 32 bytes.
    /// </summary>
    public static readonly byte* Halves = CreateHalves();

    private static byte* CreateHalves()
    {
        const int Widest = 14;
        byte* table = (byte*)NativeMemory.AlignedAlloc((Widest + 1) * HalfRow, 32);
        for (int width = 0; width <= Widest; width++)
        {
            byte* row = table + (HalfRow * width);
            for (int i = 0; i < 32; i++)
            {
                int four = i / 8;
                int first = 4 * width * four;
                row[i] = (byte)((first >> 3) + (i % 8));
                row[32 + i] = (byte)(((first & 7) + (i % 8 / 2 * width) + (8 * (i & 1))) & 63);
                row[64 + i] = (byte)(((1 << width) - 1) >> (8 * (i & 1)));
            }
        }

        return table;
    }

    private static byte* CreateSixteen()
    {
        byte* table = (byte*)NativeMemory.AlignedAlloc((WidestVector + 1) * 128, 64);
        for (int width = 0; width <= WidestVector; width++)
        {
            byte* row = table + (128 * width);
            for (int i = 0; i < 16; i++)
            {
                Fill(row + (4 * i), (uint*)(row + 64) + i, i * width);
            }
        }

        return table;
    }

    private static byte* CreateTwiceFour()
    {
        byte* table = (byte*)NativeMemory.AlignedAlloc((WidestVector + 1) * 64, 64);
        for (int width = 0; width <= WidestVector; width++)
        {
            byte* row = table + (64 * width);
            for (int i = 0; i < 8; i++)
            {
                // The upper four are loaded from the byte that holds their first bit.
                Fill(row + (4 * i), (uint*)(row + 32) + i, (i * width) - (i < 4 ? 0 : 4 * width / 8 * 8));
            }
        }

        return table;
    }

    private static void Fill(byte* indices, uint* shift, int bit)
    {
        for (int b = 0; b < 4; b++)
        {
            indices[b] = (byte)((bit >> 3) + b);
        }

        *shift = (uint)bit & 7;
    }
}
