namespace Tern.Kernels.Tests.Faults;

/// <summary>
/// A mistake put into a source below native/: the occurrence-th <paramref name="Original"/> of the file becomes
/// <paramref name="Faulty"/>. The kernel source is compiled with it, and with the other sources that the check needs, and must fail the named check.
/// </summary>
public sealed record PlantedFault(string Name, string Kernels, string File, string Original, string Faulty, string Check, int Occurrence = 1)
{
    public override string ToString() => Name;

    /// <summary>The kinds of mistakes that a GPU shows as a wrong number now and then, or not at all.</summary>
    public static IReadOnlyList<PlantedFault> All { get; } =
    [
        new("block sum without the barrier before the sums of the warps are read", "rmsnorm.cu", "include/reduce.cuh", "    __syncthreads();\n    T sum", "    T sum", "RMS norm f32"),
        new("block maximum without the barrier before its buffer is used again", "losses.cu", "include/reduce.cuh", "    __syncthreads();\n    return maximum;", "    return maximum;", "InfoNCE"),
        new("warp sum that leaves out half of the lanes", "optimizer.cu", "include/reduce.cuh", "int lanes = 16", "int lanes = 8", "sum of squares"),
        new("attention without the barrier before a buffer is loaded again", "attention.cu", "kernels/attention.cu", "        __syncthreads();   // the next", "        // the next", "attention bf16"),
        new("attention that does not wait for its last copies", "attention.cu", "kernels/attention.cu", "copy_async_wait<0>", "copy_async_wait<1>", "attention bf16"),
        new("attention whose last key is one too far", "attention.cu", "kernels/attention.cu", "column >= tile.length ||", "column > tile.length ||", "attention bf16"),
        new("attention with one buffer for keys where two are used", "attention.cu", "kernels/attention.cu", "keys, 2 * attention_rows * size", "keys, attention_rows * size", "attention bf16"),
        new("attention's key gradient without the diagonal", "attention.cu", "kernels/attention.cu", "causal && k > q", "causal && k >= q", "attention bf16"),
        new("halves of a right fragment exchanged", "attention.cu", "include/tiles.cuh", "a, b[2], b[3]", "a, b[3], b[2]", "attention bf16"),
        new("tile loaded without the swizzle it is read with", "attention.cu", "include/tiles.cuh", "copy_async_16(tile_chunk<columns>(tile, row, chunk)", "copy_async_16(tile + (row * columns + chunk * 8)", "attention bf16"),
        new("row pitch of the columns instead of the tensor", "rmsnorm.cu", "kernels/rmsnorm.cu", "input + blockIdx.x * input_pitch", "input + blockIdx.x * (i64)columns", "RMS norm f32"),
        new("one element more than there are", "elements.cu", "kernels/elements.cu", "i < columns;", "i <= columns;", "copy"),
        new("barrier that one lane of a warp reaches", "embedding.cu", "kernels/embedding.cu", "if (lane == 0) matches[warp] = votes;\n        __syncthreads();", "if (lane == 0) {\n            matches[warp] = votes;\n            __syncthreads();\n        }", "embedding"),
        new("shuffle that some lanes skip", "rope.cu", "kernels/rope.cu", "        int angle = i % half", "        __syncwarp();\n        int angle = i % half", "RoPE f32"),
        new("positions that go on from one sequence to the next", "rope.cu", "kernels/rope.cu", "row - starts[sequence_of(starts, sequences, row)]", "row", "RoPE f32"),
        new("last row instead of the first on a tie", "head.cu", "kernels/head.cu", "!(logit <= best)", "!(logit < best)", "sparse head forward"),
        new("list filled without waiting until every lane has read its place", "head.cu scan.cu", "kernels/head.cu", "        __syncwarp();\n        if (row < 0) return;", "        if (row < 0) return;", "sparse head backward"),
        new("sums that include the element itself", "scan.cu", "kernels/scan.cu", "before = through - value", "before = through", "exclusive sums"),
        new("ties by the higher document", "top_k.cu", "kernels/top_k.cu", "| (0xffffffffu - document)", "| document", "dense top-k"),
        new("sparse scores without a barrier between terms", "top_k.cu", "kernels/top_k.cu", "        __syncthreads();\n        u32 end", "        u32 end", "sparse top-k"),
        new("kept elements that are not scaled up", "lora.cu rmsnorm.cu", "kernels/lora.cu", "x >= threshold ? keep : 0.0f", "x >= threshold ? 1.0f : 0.0f", "LoRA f32"),
        new("logits of an earlier block left on their old scale", "cross_entropy.cu", "kernels/cross_entropy.cu", "accumulate_state[rows + m] * exp_float(before - greatest)", "accumulate_state[rows + m]", "cross-entropy"),
        new("fused head that lets a stage go before its product is done", "head_fused.cu", "kernels/head_fused.cu", "wgmma_wait<1>", "wgmma_wait<2>", "sparse head forward, fused"),
        new("fused head that reads its sums too early", "head_fused.cu", "kernels/head_fused.cu", "wgmma_wait<0>", "wgmma_wait<1>", "sparse head forward, fused"),
        new("fused head that does not wait for a box", "head_fused.cu", "kernels/head_fused.cu", "mbarrier_wait(full + stage, parity)", "mbarrier_wait(full + stage, parity ^ 1)", "sparse head forward, fused"),
        new("fused head whose barrier expects too few bytes", "head_fused.cu", "kernels/head_fused.cu", "(fused_rows + tokens) * fused_step * 2);", "fused_rows * fused_step * 2);", "sparse head forward, fused"),
        new("fused head whose second product starts 16 bytes on", "head_fused.cu", "kernels/head_fused.cu", "a + part * 2, b + part * 2", "a + part, b + part * 2", "sparse head forward, fused"),
        new("fused head that scores the next sequence's rows", "head_fused.cu", "kernels/head_fused.cu", "if (row < length)", "if (row <= length)", "sparse head forward, fused"),
    ];
}
