using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The sparse head's fused vocabulary product and maximum over each sequence, and its sparse backward; see <see cref="IBackend"/>.</summary>
internal static unsafe class MaxPoolProduct
{
    public static void Forward(WorkerPool pool, Tensor hidden, Tensor weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax)
    {
        pool.Run(
            weight.Rows,
            (hidden, weight, bias, sequenceStarts, scale, maxima, argMax),
            static (v, s) =>
            {
                int* starts = (int*)s.sequenceStarts.Address;
                for (int b = 0; b < s.maxima.Rows; b++)
                {
                    float maximum = float.NegativeInfinity;
                    int argMax = starts[b] < starts[b + 1] ? starts[b] : -1;
                    for (int i = starts[b]; i < starts[b + 1]; i++)
                    {
                        float sum = 0;
                        for (int k = 0; k < s.hidden.Columns; k++)
                        {
                            sum = MathF.FusedMultiplyAdd(Element(s.hidden, i, k), Element(s.weight, v, k), sum);
                        }

                        if (!(sum <= maximum) && !float.IsNaN(maximum))
                        {
                            maximum = sum;
                            argMax = i;
                        }
                    }

                    maximum *= s.scale;
                    ((float*)s.maxima.Address)[((nint)b * s.maxima.RowPitch) + v] = s.bias.IsEmpty || argMax < 0 ? maximum : maximum + Element(s.bias, 0, v);
                    ((int*)s.argMax.Address)[((nint)b * s.argMax.RowPitch) + v] = argMax;
                }
            });
    }

    public static void Backward(WorkerPool pool, Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias)
    {
        for (int b = 0; b < dMaxima.Rows; b++)
        {
            for (int v = 0; v < dMaxima.Columns; v++)
            {
                float gradient = Element(dMaxima, b, v);
                int i = ((int*)argMax.Address)[((nint)b * argMax.RowPitch) + v];
                if (gradient == 0 || i < 0)
                {
                    continue;
                }

                float scaled = scale * gradient;
                for (int k = 0; k < hidden.Columns; k++)
                {
                    ref float dHidden = ref ((float*)accumulateDHidden.Address)[((nint)i * accumulateDHidden.RowPitch) + k];
                    dHidden = MathF.FusedMultiplyAdd(scaled, Element(weight, v, k), dHidden);
                    if (!accumulateDWeight.IsEmpty)
                    {
                        ref float dWeight = ref ((float*)accumulateDWeight.Address)[((nint)v * accumulateDWeight.RowPitch) + k];
                        dWeight = MathF.FusedMultiplyAdd(scaled, Element(hidden, i, k), dWeight);
                    }
                }

                if (!accumulateDBias.IsEmpty)
                {
                    ((float*)accumulateDBias.Address)[v] += gradient;
                }
            }
        }
    }

    private static float Element(Tensor tensor, int row, int column)
    {
        nint index = ((nint)row * tensor.RowPitch) + column;
        return tensor.DType == DType.Float32
            ? ((float*)tensor.Address)[index]
            : BitConverter.UInt32BitsToSingle((uint)((ushort*)tensor.Address)[index] << 16);
    }
}
