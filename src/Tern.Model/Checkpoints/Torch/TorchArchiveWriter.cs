using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Model.Checkpoints;

/// <summary>
/// Writes a dictionary of Float32 tensors as <c>torch.save</c> does: a zip of a pickle of protocol 2 and one uncompressed entry for each
/// tensor's elements. For readers that know adapters by the name <c>adapter_model.bin</c> only.
/// </summary>
internal static class TorchArchiveWriter
{
    private const string Root = "archive/";

    // A day that every zip can say: the same tensors give the same bytes.
    private static readonly DateTimeOffset Epoch = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static void Write(string path, IReadOnlyList<(string Name, IReadOnlyList<int> Shape, Func<float[]> Read)> tensors) => AtomicFile.Write(path, stream =>
    {
        using ZipArchive zip = new(stream, ZipArchiveMode.Create, leaveOpen: true);
        Entry(zip, "data.pkl", Pickle(tensors));
        Entry(zip, "byteorder", "little"u8);
        for (int i = 0; i < tensors.Count; i++)
        {
            Entry(zip, FormattableString.Invariant($"data/{i}"), MemoryMarshal.AsBytes(tensors[i].Read().AsSpan()));
        }

        Entry(zip, "version", "3\n"u8);
    });

    private static void Entry(ZipArchive zip, string name, ReadOnlySpan<byte> bytes)
    {
        ZipArchiveEntry entry = zip.CreateEntry(Root + name, CompressionLevel.NoCompression);
        entry.LastWriteTime = Epoch;
        using Stream stream = entry.Open();
        stream.Write(bytes);
    }

    /// <summary>collections.OrderedDict of torch._utils._rebuild_tensor_v2(persistent storage, 0, shape, strides, False, OrderedDict()).</summary>
    private static byte[] Pickle(IReadOnlyList<(string Name, IReadOnlyList<int> Shape, Func<float[]> Read)> tensors)
    {
        using var pickle = new MemoryStream();
        pickle.Write([0x80, 2]);
        Global("collections", "OrderedDict");
        Codes(")R(");
        for (int i = 0; i < tensors.Count; i++)
        {
            (string name, IReadOnlyList<int> shape, _) = tensors[i];
            long count = shape.Aggregate(1L, (product, d) => product * d);
            Text(name);
            Global("torch._utils", "_rebuild_tensor_v2");
            Codes("((");
            Text("storage");
            Global("torch", "FloatStorage");
            Text(FormattableString.Invariant($"{i}"));
            Text("cpu");
            Number(count);
            Codes("tQ");
            Number(0);
            Tuple(shape);
            Tuple([.. Enumerable.Range(0, shape.Count).Select(d => shape.Skip(d + 1).Aggregate(1, (product, s) => product * s))]);
            pickle.WriteByte(0x89); // requires_grad: false
            Global("collections", "OrderedDict");
            Codes(")RtR");
        }

        Codes("u.");
        return pickle.ToArray();

        void Codes(string codes) => pickle.Write(Encoding.ASCII.GetBytes(codes));

        void Global(string module, string name) => Codes($"c{module}\n{name}\n");

        void Text(string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            Codes("X");
            Span<byte> length = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            pickle.Write(length);
            pickle.Write(bytes);
        }

        void Number(long value)
        {
            pickle.Write([0x8A, 8]);
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            pickle.Write(bytes);
        }

        void Tuple(IReadOnlyList<int> values)
        {
            Codes("(");
            foreach (int value in values)
            {
                Number(value);
            }

            Codes("t");
        }
    }
}
