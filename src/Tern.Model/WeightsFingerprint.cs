using System.IO.Hashing;
using System.Text;
using System.Text.Json;

namespace Tern.Model;

/// <summary>
/// The hash that stands for a model's weights: config, then of every weight name, type, shape and bytes in file order. Fed
/// as weights are read or written.
/// </summary>
internal sealed class WeightsFingerprint
{
    private readonly XxHash128 _hash = new();

    public WeightsFingerprint(LlamaConfig config)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            LlamaConfigJson.Write(config, json);
        }

        _hash.Append(buffer.ToArray());
    }

    /// <summary>Of what lies above weights with that fingerprint.</summary>
    public WeightsFingerprint(string below) => _hash.Append(Encoding.UTF8.GetBytes(below));

    /// <summary>Opens a weight; its bytes follow.</summary>
    public void Begin(string name, string dtype, IReadOnlyList<long> shape) =>
        _hash.Append(Encoding.UTF8.GetBytes($"{name} {dtype} [{string.Join(", ", shape)}]\n"));

    public void Append(ReadOnlySpan<byte> bytes) => _hash.Append(bytes);

    /// <summary>32 hexadecimal digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(_hash.GetCurrentHash());
}
