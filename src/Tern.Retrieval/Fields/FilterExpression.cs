using System.Text;

namespace Tern.Retrieval;

/// <summary>How a field's value must stand to another.</summary>
internal enum Comparison
{
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// <summary>
/// What documents must hold, evaluated a segment at a time into a bit for each document. A comparison is true only of
/// documents that have the field.
/// </summary>
internal abstract record FilterExpression
{
    /// <summary>Bits past the last document are clear.</summary>
    public abstract ulong[] Evaluate(FieldColumns columns);

    public sealed record And(FilterExpression Left, FilterExpression Right) : FilterExpression
    {
        public override ulong[] Evaluate(FieldColumns columns) => Combine(Left.Evaluate(columns), Right.Evaluate(columns), static (a, b) => a & b);
    }

    public sealed record Or(FilterExpression Left, FilterExpression Right) : FilterExpression
    {
        public override ulong[] Evaluate(FieldColumns columns) => Combine(Left.Evaluate(columns), Right.Evaluate(columns), static (a, b) => a | b);
    }

    public sealed record Not(FilterExpression Inner) : FilterExpression
    {
        public override ulong[] Evaluate(FieldColumns columns)
        {
            ulong[] bits = Inner.Evaluate(columns);
            for (int i = 0; i < bits.Length; i++)
            {
                bits[i] = ~bits[i];
            }

            if (columns.DocumentCount % 64 != 0)
            {
                bits[^1] &= (1UL << (columns.DocumentCount % 64)) - 1;
            }

            return bits;
        }
    }

    public sealed record Exists(int Field) : FilterExpression
    {
        public override ulong[] Evaluate(FieldColumns columns) => columns.Present(Field).ToArray();
    }

    /// <summary>Equal to one of some values.</summary>
    public sealed record AnyOf(int Field, IReadOnlyList<FieldValue> Values) : FilterExpression
    {
        public override ulong[] Evaluate(FieldColumns columns)
        {
            ulong[] bits = new ulong[columns.WordCount];
            foreach (FieldValue value in Values)
            {
                bits = Combine(bits, new Compare(Field, Comparison.Equal, value).Evaluate(columns), static (a, b) => a | b);
            }

            return bits;
        }
    }

    public sealed record Compare(int Field, Comparison Comparison, FieldValue Value) : FilterExpression
    {
        public override ulong[] Evaluate(FieldColumns columns)
        {
            // Every comparison is one of places, ticks or numbers with a bound, or two.
            ReadOnlySpan<long> values = columns.Values(Field);
            switch (Value.Kind)
            {
                case FieldKind.Number:
                    double number = BitConverter.Int64BitsToDouble(Value.Bits);
                    return Select(columns, values, value => Holds(BitConverter.Int64BitsToDouble(value).CompareTo(number)));
                case FieldKind.String:
                    long place = columns.LowerBound(Encoding.UTF8.GetBytes(Value.Text!), out bool isThere);
                    // Between two places a string that is not there is less than the second and greater than the first.
                    return Select(columns, values, value => Holds(value > place || (value == place && !isThere) ? 1 : value == place ? 0 : -1));
                default:
                    long bound = Value.Bits;
                    return Select(columns, values, value => Holds(value.CompareTo(bound)));
            }
        }

        private ulong[] Select(FieldColumns columns, ReadOnlySpan<long> values, Func<long, bool> holds)
        {
            ulong[] bits = columns.Present(Field).ToArray();
            for (int document = 0; document < values.Length; document++)
            {
                if ((bits[document >> 6] >> (document & 63) & 1) != 0 && !holds(values[document]))
                {
                    bits[document >> 6] &= ~(1UL << (document & 63));
                }
            }

            return bits;
        }

        private bool Holds(int order) => Comparison switch
        {
            Comparison.Equal => order == 0,
            Comparison.NotEqual => order != 0,
            Comparison.Less => order < 0,
            Comparison.LessOrEqual => order <= 0,
            Comparison.Greater => order > 0,
            _ => order >= 0,
        };
    }

    private static ulong[] Combine(ulong[] left, ulong[] right, Func<ulong, ulong, ulong> combine)
    {
        for (int i = 0; i < left.Length; i++)
        {
            left[i] = combine(left[i], right[i]);
        }

        return left;
    }
}
