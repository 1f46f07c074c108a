using Tern.Compute;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>
/// Attention: on tensor cores for BFloat16 heads of 64 and 128, in Float32 for every other head, for which BFloat16
/// operands are widened first.
/// </summary>
public sealed partial class CudaBackend
{
    private const int LargestHead = 256;

    private static readonly KernelFamily AttentionDeltaKernel = new("tern_attention_delta");

    public void AttentionForward(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckAttention(query, key, value, sequenceStarts, headCount, keyValueHeadCount, logSumExp);
        CheckSameShape(query, destination);
        int headSize = query.Columns / headCount, sequences = sequenceStarts.Columns - 1, rows = query.Rows;
        if (query.DType == DType.BFloat16 && headSize is 64 or 128)
        {
            Launch(headSize == 64 ? "tern_attention_forward_64_bf16" : "tern_attention_forward_128_bf16", query, (long)query.RowPitch, key, (long)key.RowPitch, value, (long)value.RowPitch, sequenceStarts, sequences, rows, headCount, keyValueHeadCount, scale, causal, (long)destination.RowPitch, logSumExp, destination);
            return;
        }

        Tensor q = As(DType.Float32, query), k = As(DType.Float32, key), v = As(DType.Float32, value), y = Float32Unset(destination);
        Launch("tern_attention_forward_f32", q, (long)q.RowPitch, k, (long)k.RowPitch, v, (long)v.RowPitch, sequenceStarts, sequences, rows, headCount, keyValueHeadCount, headSize, scale, causal, (long)y.RowPitch, logSumExp, y);
        CopyBack(y, destination);
    }

    public void AttentionBackward(Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue)
    {
        using CudaRange range = Begin();
        CheckAttention(query, key, value, sequenceStarts, headCount, keyValueHeadCount, logSumExp);
        CheckSameShape(query, dOutput);
        CheckSameShape(query, output);
        CheckSameShape(query, dQuery);
        CheckSameShape(key, dKey);
        CheckSameShape(value, dValue);
        int headSize = query.Columns / headCount, sequences = sequenceStarts.Columns - 1, rows = query.Rows;
        Tensor delta = _arena.Take(DType.Float32, rows, headCount); // [T, N] rowsum(dO ⊙ O)
        Launch(AttentionDeltaKernel.For(output), dOutput, (long)dOutput.RowPitch, output, (long)output.RowPitch, rows, headCount, headSize, delta);
        if (query.DType == DType.BFloat16 && headSize is 64 or 128)
        {
            Launch(headSize == 64 ? "tern_attention_backward_query_64_bf16" : "tern_attention_backward_query_128_bf16", dOutput, (long)dOutput.RowPitch, query, (long)query.RowPitch, key, (long)key.RowPitch, value, (long)value.RowPitch, logSumExp, delta, sequenceStarts, sequences, rows, headCount, keyValueHeadCount, scale, causal, (long)dQuery.RowPitch, dQuery);
            Launch(headSize == 64 ? "tern_attention_backward_key_64_bf16" : "tern_attention_backward_key_128_bf16", dOutput, (long)dOutput.RowPitch, query, (long)query.RowPitch, key, (long)key.RowPitch, value, (long)value.RowPitch, logSumExp, delta, sequenceStarts, sequences, rows, headCount, keyValueHeadCount, scale, causal, (long)dKey.RowPitch, (long)dValue.RowPitch, dKey, dValue);
            return;
        }

        Tensor dy = As(DType.Float32, dOutput), q = As(DType.Float32, query), k = As(DType.Float32, key), v = As(DType.Float32, value);
        Tensor dq = Float32Unset(dQuery), dk = Float32Unset(dKey), dv = Float32Unset(dValue);
        Launch("tern_attention_backward_query_f32", dy, (long)dy.RowPitch, q, (long)q.RowPitch, k, (long)k.RowPitch, v, (long)v.RowPitch, logSumExp, delta, sequenceStarts, sequences, rows, headCount, keyValueHeadCount, headSize, scale, causal, (long)dq.RowPitch, dq);
        Launch("tern_attention_backward_key_f32", dy, (long)dy.RowPitch, q, (long)q.RowPitch, k, (long)k.RowPitch, v, (long)v.RowPitch, logSumExp, delta, sequenceStarts, sequences, rows, headCount, keyValueHeadCount, headSize, scale, causal, (long)dk.RowPitch, (long)dv.RowPitch, dk, dv);
        CopyBack(dq, dQuery);
        CopyBack(dk, dKey);
        CopyBack(dv, dValue);
    }

    /// <summary>A Float32 destination in the place of one of another type.</summary>
    private Tensor Float32Unset(Tensor destination) =>
        destination.DType == DType.Float32 ? destination : _arena.Take(DType.Float32, destination.Rows, destination.Columns);

    private static void CheckAttention(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, Tensor logSumExp)
    {
        CheckDevice(sequenceStarts, DType.Int32);
        CheckDevice(logSumExp, DType.Float32);
        CheckSameShape(key, value);
        int headSize = headCount > 0 ? query.Columns / headCount : 0;
        bool fits = keyValueHeadCount > 0 && headCount % keyValueHeadCount == 0 && headSize is > 0 and <= LargestHead && query.Columns == headCount * headSize
            && key.Columns == keyValueHeadCount * headSize && key.Rows == query.Rows && logSumExp.Rows == query.Rows && logSumExp.Columns == headCount && logSumExp.IsContiguous;
        if (!fits)
        {
            throw new ArgumentException($"attention of {headCount} heads over {keyValueHeadCount}, of at most {LargestHead} columns each: {query}, {key}, {value}, {logSumExp}");
        }
    }
}
