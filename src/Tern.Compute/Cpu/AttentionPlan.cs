namespace Tern.Compute.Cpu;

/// <summary>The operands of one attention call; a task is one key/value head of one sequence.</summary>
internal struct AttentionPlan
{
    public Tensor Query; // [T, N·D]
    public Tensor Key; // [T, G·D]
    public Tensor Value; // [T, G·D]
    public Tensor SequenceStarts; // [1, B + 1]
    public int TaskCount;
    public int HeadSize;
    public int KeyValueHeadCount;
    public int GroupSize; // query heads of one key/value head
    public float Scale;
    public bool Causal;
    public bool Narrow; // products in bfloat16
    public Tensor LogSumExp; // [T, N]
    public Tensor Output; // [T, N·D]
    public Tensor DOutput; // [T, N·D], backward only, as all below
    public Tensor DQuery; // [T, N·D]
    public Tensor DKey; // [T, G·D]
    public Tensor DValue; // [T, G·D]
}
