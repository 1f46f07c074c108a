namespace Tern.CApi;

/// <summary><c>tern_options</c>.</summary>
internal unsafe struct Options
{
    public nuint Size;
    public byte* ModelDirectory;
    public int Threads;
    public int SkipVerification;
}

/// <summary><c>tern_vector</c>.</summary>
internal unsafe struct Vector
{
    public int Count;
    public int* Terms;
    public float* Values;
}

/// <summary><c>tern_hit</c>.</summary>
internal unsafe struct Hit
{
    public byte* Id;
    public float Score;
    public byte* Name;
    public byte* Summary;
}

/// <summary><c>tern_hits</c>.</summary>
internal unsafe struct Hits
{
    public int Count;
    public Hit* Items;
}

/// <summary><c>tern_term</c>.</summary>
internal unsafe struct Term
{
    public byte* Text;
    public float QueryWeight;
    public float DocumentWeight;
    public float Contribution;
    public int IsExpansion;
    public int Start;
    public int Length;
}

/// <summary><c>tern_explanation</c>.</summary>
internal unsafe struct Explanation
{
    public float Score;
    public byte* Text;
    public int Count;
    public Term* Items;
}
