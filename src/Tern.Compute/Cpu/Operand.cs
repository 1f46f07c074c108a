using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

/// <summary>Checks of operands at the entry of an operation: every failure names the operand, what was expected and what was found.</summary>
internal static unsafe class Operand
{
    /// <summary>The operand is a host tensor of that type and shape.</summary>
    public static void Check(Tensor tensor, DType dtype, int rows, int columns, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor.DType != dtype || tensor.Rows != rows || tensor.Columns != columns || !IsReadable(tensor))
        {
            Fail(name, $"{dtype}[{rows}, {columns}]", tensor);
        }
    }

    /// <summary>The operand is a Float32 host tensor of that shape.</summary>
    public static void Check(Tensor tensor, int rows, int columns, [CallerArgumentExpression(nameof(tensor))] string name = "") =>
        Check(tensor, DType.Float32, rows, columns, name);

    /// <summary>The operand is a Float32 host tensor of any shape.</summary>
    public static void Check(Tensor tensor, [CallerArgumentExpression(nameof(tensor))] string name = "") =>
        Check(tensor, DType.Float32, tensor.Rows, tensor.Columns, name);

    /// <summary>The operand is a Float32 row vector: elements follow each other.</summary>
    public static void CheckVector(Tensor tensor, int columns, [CallerArgumentExpression(nameof(tensor))] string name = "") =>
        Check(tensor, DType.Float32, 1, columns, name);

    /// <summary>The operand is a row of Int32 values below <paramref name="limit"/> and not negative.</summary>
    public static void CheckIndices(Tensor tensor, int rows, int columns, int limit, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        Check(tensor, DType.Int32, rows, columns, name);
        for (int row = 0; row < rows; row++)
        {
            int* values = tensor.Ints(row);
            for (int column = 0; column < columns; column++)
            {
                if ((uint)values[column] >= (uint)limit)
                {
                    throw new ArgumentException($"{name}[{row}, {column}] is {values[column]}: expected 0 to {limit - 1}", name);
                }
            }
        }
    }

    /// <summary>The operand is Int32 [1, B + 1], begins with 0, never falls and ends with the token count; returns B.</summary>
    public static int CheckSequences(Tensor sequenceStarts, int tokenCount, [CallerArgumentExpression(nameof(sequenceStarts))] string name = "")
    {
        if (sequenceStarts.DType != DType.Int32 || sequenceStarts.Rows != 1 || sequenceStarts.Columns < 1 || !IsReadable(sequenceStarts))
        {
            Fail(name, "Int32[1, sequences + 1]", sequenceStarts);
        }

        int* starts = sequenceStarts.Ints(0);
        int count = sequenceStarts.Columns - 1;
        if (starts[0] != 0 || starts[count] != tokenCount)
        {
            throw new ArgumentException($"{name} runs from {starts[0]} to {starts[count]}: expected 0 to {tokenCount}, the number of rows", name);
        }

        for (int b = 0; b < count; b++)
        {
            if (starts[b + 1] < starts[b])
            {
                throw new ArgumentException($"{name}[{b + 1}] is {starts[b + 1]}, below {starts[b]} before it", name);
            }
        }

        return count;
    }

    [DoesNotReturn]
    public static void Fail(string name, string expected, Tensor found) =>
        throw new ArgumentException($"{name}: expected {expected} in host memory, found {found}", name);

    /// <summary>Address of a row of a Float32 tensor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Floats(this Tensor tensor, int row) => (float*)tensor.Address + ((nint)row * tensor.RowPitch);

    /// <summary>Address of a row of an Int32 tensor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int* Ints(this Tensor tensor, int row) => (int*)tensor.Address + ((nint)row * tensor.RowPitch);

    private static bool IsReadable(Tensor tensor) => tensor.IsHost && (tensor.Address != 0 || tensor.ElementCount == 0);
}
