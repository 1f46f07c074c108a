namespace Tern.Benchmarks.Products;

/// <summary>One product: destination [M, N] = op(left) · op(right) over the inner length K.</summary>
internal sealed record ProductShape(string Use, int M, int N, int K, bool TransposeLeft, bool TransposeRight)
{
    public string Layout => $"{(TransposeLeft ? 'T' : 'N')}{(TransposeRight ? 'T' : 'N')}";

    public double FlopCount => 2.0 * M * N * K;

    /// <summary>A weight gradient is added to what is there, as in training.</summary>
    public bool Accumulates => TransposeLeft;
}

/// <summary>The shapes that the tables are stated over.</summary>
internal static class ProductShapes
{
    private static readonly int[] Rows = [512, 1024, 2048, 4096];
    private static readonly int[] Widths = [128, 192, 256, 512, 1024, 2048];
    private static readonly int[] SelectedRows = [512, 4096];
    private static readonly (int N, int K)[] SelectedWidths = [(128, 128), (192, 192), (512, 192), (192, 512), (256, 256), (512, 512), (1536, 512), (512, 1536), (1024, 1024), (512, 2048), (2048, 2048)];
    private static readonly (int N, int K)[] SelectedGradients = [(192, 192), (512, 512), (1536, 512), (512, 1536)];

    /// <summary>Every projection of M tokens from K to N, with the gradients of the square ones.</summary>
    public static IEnumerable<ProductShape> All =>
    [
        .. from m in Rows from n in Widths from k in Widths select Projection(m, n, k),
        .. from m in Rows from n in Widths from k in Widths where n == k || n == 512 select InputGradient(m, n, k),
        .. from m in Rows from n in Widths from k in Widths where n == k || n == 512 select WeightGradient(m, n, k),
        .. Vocabulary,
    ];

    /// <summary>Small and large M over a selection of widths, gradients and vocabularies.</summary>
    public static IEnumerable<ProductShape> Selection =>
    [
        .. from m in SelectedRows from w in SelectedWidths select Projection(m, w.N, w.K),
        .. SelectedGradients.Select(w => InputGradient(4096, w.N, w.K)),
        .. SelectedGradients.Select(w => WeightGradient(4096, w.N, w.K)),
        .. Vocabulary,
    ];

    /// <summary>A few shapes, for a first look.</summary>
    public static IEnumerable<ProductShape> Few =>
        [Projection(1024, 192, 192), Projection(1024, 256, 256), Projection(4096, 512, 512), Projection(4096, 1536, 512), InputGradient(4096, 512, 512), WeightGradient(4096, 512, 512), Vocabulary.First()];

    private static IEnumerable<ProductShape> Vocabulary =>
        from s in new[] { (1024, 8000, 192), (1024, 32_000, 512), (1024, 128_256, 256) } select new ProductShape("vocabulary", s.Item1, s.Item2, s.Item3, false, true);

    private static ProductShape Projection(int tokens, int output, int input) => new("projection", tokens, output, input, false, true);

    private static ProductShape InputGradient(int tokens, int output, int input) => new("input gradient", tokens, input, output, false, false);

    private static ProductShape WeightGradient(int tokens, int output, int input) => new("weight gradient", output, input, tokens, true, false);
}
