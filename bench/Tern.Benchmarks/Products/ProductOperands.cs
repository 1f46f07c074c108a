namespace Tern.Benchmarks.Products;

/// <summary>The operands that every library multiplies.</summary>
internal sealed unsafe class ProductOperands(ProductShape shape) : IDisposable
{
    public ProductShape Shape { get; } = shape;

    public NativeMatrix Left { get; } = shape.TransposeLeft ? new(shape.K, shape.M) : new(shape.M, shape.K);

    public NativeMatrix Right { get; } = shape.TransposeRight ? new(shape.N, shape.K) : new(shape.K, shape.N);

    public NativeMatrix Destination { get; } = new(shape.M, shape.N);

    /// <summary>Runs one product into a cleared destination and compares some elements with double precision; the tolerance is in parts of the sum of magnitudes.</summary>
    /// <exception cref="InvalidOperationException">An element is wrong: the times of such a library say nothing.</exception>
    public void Check(string library, double tolerance, Action multiply)
    {
        ProductShape s = Shape;
        for (int i = 0; i < s.M; i++)
        {
            Destination.Tensor.Row<float>(i).Fill(s.Accumulates ? 0f : float.NaN);
        }

        multiply();
        for (int sample = 0; sample < 200; sample++)
        {
            int row = (int)(sample * 7919L % s.M), column = (int)(((sample * 104_729L) + 13) % s.N);
            double sum = 0, magnitude = 0;
            for (int k = 0; k < s.K; k++)
            {
                double left = s.TransposeLeft ? Left.Address[((nint)k * s.M) + row] : Left.Address[((nint)row * s.K) + k];
                double right = s.TransposeRight ? Right.Address[((nint)column * s.K) + k] : Right.Address[((nint)k * s.N) + column];
                sum += left * right;
                magnitude += Math.Abs(left * right);
            }

            float actual = Destination.Address[((nint)row * s.N) + column];
            if (!(Math.Abs(actual - sum) <= tolerance * magnitude))
            {
                throw new InvalidOperationException($"{library}: {s.M} x {s.N} x {s.K} {s.Layout}: element [{row}, {column}] is {actual}, not {sum}");
            }
        }
    }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
        Destination.Dispose();
    }
}
