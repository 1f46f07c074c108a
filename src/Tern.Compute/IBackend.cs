namespace Tern.Compute;

/// <summary>
/// The operations that the model, the losses and the optimiser are made of, named by their maths; one implementation per
/// kind of device. Argument order: sources, saved values, sizes and scalars, destinations last. Destinations are
/// overwritten, except those named <c>accumulate…</c>, which are added to. Destinations must not overlap sources unless
/// the operation says "in place". Letters in shapes: B sequences, T tokens of all sequences together, H hidden size,
/// N query heads, G key/value heads, D head size, I intermediate size, V vocabulary, M candidates.
/// <para>Sequences are packed: <c>sequenceStarts</c> is Int32 [1, B + 1] with sequence b in rows
/// <c>sequenceStarts[b] .. sequenceStarts[b + 1]</c>; there is no padding. Every result element is computed by one fixed
/// order of additions that depends neither on the other rows in the batch nor on the thread count.</para>
/// <para>A backend serves one caller at a time; it may use many threads inside an operation.</para>
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>The name it is chosen by, such as <c>cpu</c>.</summary>
    string Name { get; }

    /// <summary>How projections and the sparse head multiply; every other operation is Float32.</summary>
    ProductPrecision Precision { get; }

    /// <summary>How what lies between the products is kept; the residual stream, statistics, representations and gradients of weights are Float32.</summary>
    DType ActivationType => DType.Float32;

    // ---- memory -------------------------------------------------------------------------------------------------

    /// <summary>New memory for tensors of one element type; the caller disposes it.</summary>
    TensorMemory Allocate(DType dtype, nint elementCount = 0);

    /// <summary>Host to device (on the CPU backend a copy). Lengths must agree.</summary>
    void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged;

    /// <summary>Device to host, after everything before it has finished.</summary>
    void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged;

    /// <summary>Sets every element of a Float32 tensor.</summary>
    void Fill(float value, Tensor destination);

    /// <summary>Copies elements between tensors of one shape; BFloat16 sources may widen into Float32 destinations.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>destination += scale · source, Float32, same shape.</summary>
    void AddScaled(Tensor source, float scale, Tensor accumulateDestination);

    // ---- products ------------------------------------------------------------------------------------------------

    /// <summary>
    /// destination = op(left) · op(right), or += when <paramref name="accumulate"/>; op transposes when asked. Always
    /// Float32, in the order of the inner dimension. <paramref name="right"/> may be BFloat16.
    /// </summary>
    void MatMul(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination);

    /// <summary>Lays a frozen weight [out, in] out for the operations that take a <see cref="ProjectionWeight"/>; their results have the same bits with and without it, Int8 excepted.</summary>
    PreparedWeight Prepare(Tensor weight);

    /// <summary>
    /// destination = start + input · weightᵀ. input [T, in]; weight [out, in]; start [T, out], empty for zero, may be the
    /// destination: the residual addition and the projection before it.
    /// </summary>
    void ProjectForward(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination);

    /// <summary>dInput = dOutput · weight, or += when asked; dWeight += dOutputᵀ · input unless it is empty (frozen).</summary>
    void ProjectBackward(Tensor dOutput, Tensor input, Tensor weight, bool accumulate, Tensor dInput, Tensor accumulateDWeight);

    /// <summary>
    /// LoRA's addend: projected = scale · drop(input) · aᵀ, then destination += projected · bᵀ. input [T, in], a [rank, in],
    /// b [out, rank], destination [T, out]; projected [T, rank] is kept for the backward. The mask is <see cref="Dropout"/>'s, bit for bit.
    /// </summary>
    void LoraForward(Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination);

    /// <summary>
    /// Gradients of <see cref="LoraForward"/> with the same mask: dInput += drop′(scale · dOutput · b · a), dA and dB likewise unless
    /// they are empty (frozen).
    /// </summary>
    void LoraBackward(Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB);

    /// <summary>
    /// With g = input · gateᵀ and u = input · upᵀ: activated = g · σ(g) · u, all [T, I]. gateOutput and upOutput get g and u
    /// for the backward (<see cref="SwiGluBackward"/>, then <see cref="ProjectBackward"/>), or are both empty.
    /// </summary>
    void GatedProjectForward(Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated);

    /// <summary>
    /// The sparse head: for each sequence b and vocabulary entry v, maxima[b, v] = max over rows i of b of
    /// scale · (hidden[i] · weight[v]) + bias[v], and argMax[b, v] = the (absolute) row i, the first on a tie.
    /// hidden [T, H]; weight [V, H], Float32 or BFloat16; bias [1, V] or empty; maxima [B, V]; argMax Int32 [B, V].
    /// Never writes [T, V]. An empty sequence has maxima −∞ and argMax −1.
    /// </summary>
    void MaxPoolProductForward(Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax);

    /// <summary>
    /// With g = dMaxima[b, v] and i = argMax[b, v]: dHidden[i] += scale · g · weight[v], dWeight[v] += scale · g · hidden[i],
    /// dBias[v] += g. argMax is the forward's: no two sequences share a row. Entries with g = 0 are skipped. dWeight and dBias may be empty (frozen).
    /// </summary>
    void MaxPoolProductBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias);

    /// <summary>
    /// losses[m] = −log softmax(hidden[m] · weightᵀ)[labels[m]] without writing [M, V]; best[m] is the entry of the greatest logit, the
    /// first on a tie. hidden [M, H]; weight [V, H], Float32 or BFloat16; labels Int32 [1, M]; logSumExp and losses [1, M]; best Int32 [1, M].
    /// </summary>
    void CrossEntropyProductForward(Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best);

    /// <summary>
    /// dHidden = lossWeight · ∂Σ losses/∂hidden, dWeight += lossWeight · ∂Σ losses/∂weight unless it is empty (frozen). Logits are
    /// computed again; logSumExp is the forward's.
    /// </summary>
    void CrossEntropyProductBackward(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight);

    // ---- the transformer -----------------------------------------------------------------------------------------

    /// <summary>destination[t] = table[tokens[t]]; table [V, H] Float32 or BFloat16; tokens Int32 [1, T]; destination [T, H].</summary>
    void EmbeddingForward(Tensor table, Tensor tokens, Tensor destination);

    /// <summary>dTable[tokens[t]] += dOutput[t], for equal tokens in order of t.</summary>
    void EmbeddingBackward(Tensor dOutput, Tensor tokens, Tensor accumulateDTable);

    /// <summary>destination = input · r · weight with r = 1/√(mean(input²) + epsilon) per row; inverseRms [1, T] keeps r. weight [1, H].</summary>
    void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination);

    /// <summary>
    /// Gradient of the norm, where <paramref name="input"/> is what was normalised. Adds into dInput, so that the residual
    /// stream's gradient passes through in place; dWeight [1, H] may be empty (frozen).
    /// </summary>
    void RmsNormBackward(Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight);

    /// <summary>
    /// Rotary position embedding in place, rotate-half convention, position = row index within its sequence.
    /// values [T, heads · D]; rotations [positions, D]: cos of D/2 angles, then sin of D/2 angles, per position.
    /// </summary>
    void RopeForward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values);

    /// <summary>The inverse rotation in place: turns the gradient of the rotated values into that of the plain ones.</summary>
    void RopeBackward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues);

    /// <summary>
    /// Softmax(scale · Q Kᵀ) V within each sequence; query head n reads key/value head n / (N/G).
    /// query [T, N·D], key and value [T, G·D], logSumExp [T, N], destination [T, N·D].
    /// Causal: row i sees rows ≤ i of its sequence; otherwise the whole sequence.
    /// </summary>
    void AttentionForward(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination);

    /// <summary>Gradients of <see cref="AttentionForward"/>; output is its result. Probabilities are recomputed from logSumExp.</summary>
    void AttentionBackward(Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue);

    /// <summary>destination = gate · σ(gate) · up, elementwise on [T, I].</summary>
    void SwiGluForward(Tensor gate, Tensor up, Tensor destination);

    /// <summary>dGate and dUp of <see cref="SwiGluForward"/>; either may be the memory of its forward operand (in place).</summary>
    void SwiGluBackward(Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp);

    // ---- the two heads' ends ---------------------------------------------------------------------------------------

    /// <summary>destination = ln(1 + max(0, maxima)), elementwise on [B, V]; in place allowed.</summary>
    void Log1pReluForward(Tensor maxima, Tensor destination);

    /// <summary>dMaxima = dOutput / (1 + maxima) where maxima &gt; 0, else 0; in place on dOutput allowed.</summary>
    void Log1pReluBackward(Tensor dOutput, Tensor maxima, Tensor dMaxima);

    /// <summary>
    /// The dense head: destination[b] = mean over rows i of b of hidden[i] / max(‖hidden[i]‖, 1e-12); not normalised again.
    /// inverseNorms [1, T] keeps 1/max(‖·‖, 1e-12). hidden [T, H], destination [B, H]; an empty sequence gives zeros.
    /// </summary>
    void NormalizedMeanForward(Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination);

    /// <summary>Gradient of <see cref="NormalizedMeanForward"/> with respect to hidden.</summary>
    void NormalizedMeanBackward(Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden);

    /// <summary>counts[b] = the entries of row b that are not 0; values Float32. A device sends the counts, not the values.</summary>
    void CountNonZeros(Tensor values, Span<int> counts) => NonZeros.Count(this, values, counts);

    // ---- losses: per-query values forward, gradients with respect to scores backward ---------------------------------

    /// <summary>losses[b] = −log softmax(inverseTemperature · scores[b])[labels[b]]; scores [B, M], labels Int32 [1, B], logSumExp and losses [1, B].</summary>
    void InfoNceForward(Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses);

    /// <summary>dScores += weight · ∂losses[b]/∂scores[b].</summary>
    void InfoNceBackward(Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores);

    /// <summary>losses[b] = KL(softmax(teacher[b]) ‖ softmax(inverseTemperature · student[b])); student and teacher [B, M], losses [1, B].</summary>
    void KlDivergenceForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses);

    /// <summary>dStudent += weight · ∂losses[b]/∂student[b].</summary>
    void KlDivergenceBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent);

    /// <summary>
    /// losses[b] = mean over j ≥ 1 of (inverseTemperature · (student[b,0] − student[b,j]) − (teacher[b,0] − teacher[b,j]))²;
    /// column 0 is the positive. student and teacher [B, M ≥ 2], losses [1, B].
    /// </summary>
    void MarginMseForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses);

    /// <summary>dStudent += weight · ∂losses[b]/∂student[b].</summary>
    void MarginMseBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent);

    /// <summary>destination[b, j] = source[b, columns[b, j]]; columns Int32 [B, n].</summary>
    void GatherColumnsForward(Tensor source, Tensor columns, Tensor destination);

    /// <summary>dSource[b, columns[b, j]] += dOutput[b, j].</summary>
    void GatherColumnsBackward(Tensor dOutput, Tensor columns, Tensor accumulateDSource);

    /// <summary>columnMeans[v] = mean over rows of |values[b, v]|; returns Σ_v columnMeans[v]², the FLOPS regulariser. values [B, V].</summary>
    double FlopsForward(Tensor values, Tensor columnMeans);

    /// <summary>dValues[b, v] += weight · ∂FLOPS/∂values[b, v].</summary>
    void FlopsBackward(Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues);

    // ---- optimiser -----------------------------------------------------------------------------------------------

    /// <summary>Σ of squares in a fixed order, accumulated in double precision; for gradient clipping.</summary>
    double SumOfSquares(Tensor values);

    /// <summary>Σ of squares of all of them together; a device is waited for once.</summary>
    double SumOfSquares(IReadOnlyList<Tensor> values)
    {
        double sum = 0;
        for (int i = 0; i < values.Count; i++)
        {
            sum += SumOfSquares(values[i]);
        }

        return sum;
    }

    /// <summary>
    /// One AdamW update of <paramref name="parameter"/> in place, decoupled weight decay, bias-corrected at
    /// <paramref name="step"/> (1-based); the gradient is multiplied by <paramref name="gradientScale"/> (clipping) first,
    /// and is zero on return, ready for the next step's to be added.
    /// </summary>
    void AdamW(Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter);
}

/// <summary>AdamW's constants; defaults are those of PyTorch with no weight decay.</summary>
public readonly record struct AdamWSettings(float Beta1 = 0.9f, float Beta2 = 0.999f, float Epsilon = 1e-8f, float WeightDecay = 0f)
{
    public AdamWSettings()
        : this(0.9f)
    {
    }
}
