using System.Text.Json.Serialization;

namespace Tern.Model;

/// <summary>How a text's tokens become one dense vector: h_i are the hidden states after the final norm, n of them.</summary>
public enum DensePooling
{
    /// <summary>The mean of h_i / |h_i|: the paper's models.</summary>
    [JsonStringEnumMemberName("normalized_mean")]
    NormalizedMean,

    /// <summary>Σ h_i / n.</summary>
    [JsonStringEnumMemberName("mean")]
    Mean,

    /// <summary>Σ h_i / √n.</summary>
    [JsonStringEnumMemberName("mean_sqrt_length")]
    MeanSqrtLength,

    /// <summary>Σ i · h_i / Σ i, i from 1: later tokens have seen more.</summary>
    [JsonStringEnumMemberName("weighted_mean")]
    WeightedMean,

    /// <summary>h_n.</summary>
    [JsonStringEnumMemberName("last_token")]
    LastToken,

    /// <summary>h_1.</summary>
    [JsonStringEnumMemberName("first_token")]
    FirstToken,
}
