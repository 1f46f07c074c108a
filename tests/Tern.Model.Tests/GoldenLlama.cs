using System.Runtime.InteropServices;
using System.Text.Json;
using Tern.Model.Checkpoints;
using Tern.TestKit;

namespace Tern.Model.Tests;

/// <summary>The checkpoint under tests/golden/llama and what make_llama.py computed for it in double precision.</summary>
internal static class GoldenLlama
{
    private static readonly JsonElement Expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Directory, "expected.json"))).RootElement;

    public static string Directory => Repository.PathOf("tests", "golden", "llama");

    public static int[] Tokens { get; } = [.. Expected.GetProperty("tokens").EnumerateArray().Select(t => t.GetInt32())];

    public static int[] SequenceStarts { get; } = [.. Expected.GetProperty("sequence_starts").EnumerateArray().Select(t => t.GetInt32())];

    public static double[] InverseFrequencies { get; } = [.. Expected.GetProperty("inverse_frequencies").EnumerateArray().Select(t => t.GetDouble())];

    public static unsafe float[] Values(string name)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Directory, "expected.safetensors"));
        SafetensorsEntry entry = file.Entries[name];
        return MemoryMarshal.Cast<byte, float>(new ReadOnlySpan<byte>((void*)file.Address(entry), (int)entry.ByteCount)).ToArray();
    }
}
