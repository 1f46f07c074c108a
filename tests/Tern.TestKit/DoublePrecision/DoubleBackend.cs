using Tern.Compute;

namespace Tern.TestKit.DoublePrecision;

/// <summary>
/// Every operation in double precision, written as its formula reads: the slow oracle for whole models and whole training steps,
/// where Float32's rounding would hide what is to be seen. Gives the trainer tensors that say Float32 and hold doubles.
/// </summary>
public sealed partial class DoubleBackend : IBackend
{
    public string Name => "double";

    /// <summary>Multiply-adds of products and attention, counted one by one in the innermost loops since this backend was made.</summary>
    public long MultiplyAdds { get; private set; }

    public ProductPrecision Precision => ProductPrecision.Float32;

    public TensorMemory Allocate(DType dtype, nint elementCount = 0) => new DoubleMemory(dtype, elementCount);

    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        DoubleMatrix to = new(destination);
        for (int i = 0; i < source.Length; i++)
        {
            to[i / destination.Columns, i % destination.Columns] = source[i] is int integer ? integer : (float)(object)source[i];
        }
    }

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        DoubleMatrix from = new(source);
        for (int i = 0; i < destination.Length; i++)
        {
            double value = from[i / source.Columns, i % source.Columns];
            destination[i] = typeof(T) == typeof(int) ? (T)(object)(int)value : typeof(T) == typeof(double) ? (T)(object)value : (T)(object)(float)value;
        }
    }

    /// <summary>All elements, unrounded.</summary>
    public double[] Doubles(Tensor source)
    {
        double[] values = new double[source.ElementCount];
        Download<double>(source, values);
        return values;
    }

    public void Fill(float value, Tensor destination) => Each(destination, (_, _) => value);

    public void Copy(Tensor source, Tensor destination)
    {
        DoubleMatrix from = new(source);
        Each(destination, (i, j) => from[i, j]);
    }

    public void AddScaled(Tensor source, float scale, Tensor accumulateDestination)
    {
        DoubleMatrix from = new(source);
        DoubleMatrix to = new(accumulateDestination);
        Each(accumulateDestination, (i, j) => to[i, j] + (scale * from[i, j]));
    }

    public void MatMul(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination)
    {
        DoubleMatrix l = new(left);
        DoubleMatrix r = new(right);
        DoubleMatrix to = new(destination);
        int inner = transposeLeft ? l.Rows : l.Columns;
        Each(destination, (i, j) =>
        {
            double sum = accumulate ? to[i, j] : 0;
            for (int k = 0; k < inner; k++)
            {
                sum += (transposeLeft ? l[k, i] : l[i, k]) * (transposeRight ? r[j, k] : r[k, j]);
                MultiplyAdds++;
            }

            return sum;
        });
    }

    public PreparedWeight Prepare(Tensor weight) => throw new NotSupportedException("frozen weights are not prepared in double precision");

    public void ProjectForward(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination)
    {
        if (!start.IsEmpty && start.Address != destination.Address)
        {
            Copy(start, destination);
        }

        MatMul(input, false, weight.Matrix, true, !start.IsEmpty, destination);
    }

    public void ProjectBackward(Tensor dOutput, Tensor input, Tensor weight, bool accumulate, Tensor dInput, Tensor accumulateDWeight)
    {
        MatMul(dOutput, false, weight, false, accumulate, dInput);
        if (!accumulateDWeight.IsEmpty)
        {
            MatMul(dOutput, true, input, false, true, accumulateDWeight);
        }
    }

    public void GatedProjectForward(Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated)
    {
        using TensorMemory gateMemory = Allocate(DType.Float32);
        using TensorMemory upMemory = Allocate(DType.Float32);
        Tensor g = gateOutput.IsEmpty ? gateMemory.Shape(activated.Rows, activated.Columns) : gateOutput;
        Tensor u = upOutput.IsEmpty ? upMemory.Shape(activated.Rows, activated.Columns) : upOutput;
        MatMul(input, false, gate.Matrix, true, false, g);
        MatMul(input, false, up.Matrix, true, false, u);
        SwiGluForward(g, u, activated);
    }

    public double SumOfSquares(Tensor values)
    {
        DoubleMatrix v = new(values);
        double sum = 0;
        for (int i = 0; i < v.Rows; i++)
        {
            foreach (double value in v.Row(i))
            {
                sum += value * value;
            }
        }

        return sum;
    }

    public void AdamW(Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter)
    {
        DoubleMatrix g = new(gradient);
        DoubleMatrix m = new(firstMoment);
        DoubleMatrix v = new(secondMoment);
        DoubleMatrix p = new(parameter);
        for (int i = 0; i < p.Rows; i++)
        {
            for (int j = 0; j < p.Columns; j++)
            {
                double scaled = g[i, j] * gradientScale;
                m[i, j] = (settings.Beta1 * m[i, j]) + ((1 - settings.Beta1) * scaled);
                v[i, j] = (settings.Beta2 * v[i, j]) + ((1 - settings.Beta2) * scaled * scaled);
                double mean = m[i, j] / (1 - Math.Pow(settings.Beta1, step));
                double square = v[i, j] / (1 - Math.Pow(settings.Beta2, step));
                p[i, j] = (p[i, j] * (1 - ((double)learningRate * settings.WeightDecay))) - (learningRate * mean / (Math.Sqrt(square) + settings.Epsilon));
                g[i, j] = 0;
            }
        }
    }

    public void Dispose()
    {
    }

    private static void Each(Tensor destination, Func<int, int, double> value)
    {
        DoubleMatrix to = new(destination);
        for (int i = 0; i < to.Rows; i++)
        {
            for (int j = 0; j < to.Columns; j++)
            {
                to[i, j] = value(i, j);
            }
        }
    }
}
