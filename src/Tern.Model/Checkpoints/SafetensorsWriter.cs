using System.Buffers.Binary;
using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>One tensor to be written; <paramref name="Write"/> must write exactly its bytes, little-endian, row-major.</summary>
public sealed record SafetensorsSource(string Name, string DType, IReadOnlyList<long> Shape, Action<Stream> Write)
{
    public long ByteCount => Shape.Aggregate((long)SafetensorsFile.ElementByteCount(DType), (product, d) => checked(product * d));
}

/// <summary>Writes safetensors files: aside, then renamed.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes the tensors in the given order.</summary>
    public static void Write(string path, IReadOnlyList<SafetensorsSource> tensors) => AtomicFile.Write(path, stream =>
    {
        byte[] header = Header(tensors);
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (SafetensorsSource tensor in tensors)
        {
            long start = stream.Position;
            tensor.Write(stream);
            if (stream.Position - start != tensor.ByteCount)
            {
                throw new InvalidOperationException($"tensor '{tensor.Name}' wrote {stream.Position - start} bytes instead of {tensor.ByteCount}");
            }
        }
    });

    private static byte[] Header(IReadOnlyList<SafetensorsSource> tensors)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            long offset = 0;
            foreach (SafetensorsSource tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.DType);
                json.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape)
                {
                    json.WriteNumberValue(dimension);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.ByteCount);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces behind the header keep the data on 64-byte boundaries of the mapped file.
        while ((buffer.Length + sizeof(long)) % 64 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.ToArray();
    }
}
