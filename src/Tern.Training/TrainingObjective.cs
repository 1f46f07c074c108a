namespace Tern.Training;

/// <summary>
/// Which ranking losses are minimised and with what weights; a value, so every head takes every objective.
/// InfoNCE ranks the positive above all contexts of the batch; KL and Margin-MSE follow a teacher over the query's own
/// candidates (positive, then its hard negatives).
/// </summary>
public readonly record struct TrainingObjective(float InfoNceWeight, float KlDivergenceWeight, float MarginMseWeight)
{
    /// <summary>Contrastive: cross-entropy over in-batch and hard negatives.</summary>
    public static TrainingObjective InfoNce => new(1f, 0f, 0f);

    /// <summary>Kullback-Leibler divergence from the teacher's softmax over the own candidates.</summary>
    public static TrainingObjective KlDivergence => new(0f, 1f, 0f);

    /// <summary>Squared error of the score margins between the positive and each negative.</summary>
    public static TrainingObjective MarginMse => new(0f, 0f, 1f);

    /// <summary>½ (InfoNCE + KL).</summary>
    public static TrainingObjective InfoNceAndKlDivergence => new(0.5f, 0.5f, 0f);

    /// <summary>True when examples must carry teacher scores and hard negatives.</summary>
    public bool UsesTeacher => KlDivergenceWeight > 0f || MarginMseWeight > 0f;

    /// <summary>The objective of that name: <c>nce</c>, <c>kldiv</c>, <c>margin_mse</c> or <c>nce_kldiv</c>.</summary>
    /// <exception cref="ArgumentException">Another name.</exception>
    public static TrainingObjective Parse(string name) => name switch
    {
        "nce" => InfoNce,
        "kldiv" => KlDivergence,
        "margin_mse" => MarginMse,
        "nce_kldiv" => InfoNceAndKlDivergence,
        _ => throw new ArgumentException($"no objective '{name}'; one of nce, kldiv, margin_mse, nce_kldiv", nameof(name)),
    };

    public override string ToString() => this switch
    {
        _ when this == InfoNce => "nce",
        _ when this == KlDivergence => "kldiv",
        _ when this == MarginMse => "margin_mse",
        _ when this == InfoNceAndKlDivergence => "nce_kldiv",
        _ => FormattableString.Invariant($"{InfoNceWeight} nce + {KlDivergenceWeight} kldiv + {MarginMseWeight} margin_mse"),
    };

    internal void Validate()
    {
        if (!(InfoNceWeight >= 0f) || !(KlDivergenceWeight >= 0f) || !(MarginMseWeight >= 0f)
            || !(InfoNceWeight + KlDivergenceWeight + MarginMseWeight > 0f) || !float.IsFinite(InfoNceWeight + KlDivergenceWeight + MarginMseWeight))
        {
            throw new ArgumentException($"objective weights {this}: each must be finite and at least 0, and one of them above 0");
        }
    }
}
