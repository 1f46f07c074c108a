using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Tern.TestKit;

/// <summary>Writes files as <c>torch.save</c> does: a zip with a pickle of protocol 2 and one entry for each storage.</summary>
public sealed class TorchFileWriter
{
    private readonly MemoryStream _pickle = new();
    private readonly List<(string Key, byte[] Bytes)> _storages = [];

    /// <summary>Opens the ordered dictionary; <paramref name="plain"/>: a plain one.</summary>
    public TorchFileWriter(bool plain = false)
    {
        Bytes(0x80, 2);
        if (plain)
        {
            Code('}');
        }
        else
        {
            Global("collections", "OrderedDict");
            Code(')');
            Code('R');
        }

        Code('(');
    }

    public TorchFileWriter Add(string name, float[] values, long[] shape) => Add(name, "FloatStorage", MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), values.Length, 0, shape, Contiguous(shape));

    public TorchFileWriter Add(string name, string storageType, byte[] bytes, long elementCount, long offset, long[] shape, long[] strides)
    {
        Text(name);
        Global("torch._utils", "_rebuild_tensor_v2");
        Code('(');
        Code('(');
        Text("storage");
        Global("torch", storageType);
        string key = $"{_storages.Count}";
        _storages.Add((key, bytes));
        Text(key);
        Text("cpu");
        Number(elementCount);
        Code('t');
        Code('Q');
        Number(offset);
        Tuple(shape);
        Tuple(strides);
        Bytes(0x89); // requires_grad
        Global("collections", "OrderedDict");
        Code(')');
        Code('R');
        Code('t');
        Code('R');
        return this;
    }

    /// <summary>An entry whose value is the result of a call of any global with a text.</summary>
    public TorchFileWriter AddCall(string name, string module, string function, string argument)
    {
        Text(name);
        Global(module, function);
        Code('(');
        Text(argument);
        Code('t');
        Code('R');
        return this;
    }

    public void Save(string path, CompressionLevel compression = CompressionLevel.NoCompression)
    {
        Code('u');
        Code('.');
        using FileStream file = File.Create(path);
        using ZipArchive zip = new(file, ZipArchiveMode.Create);
        Entry(zip, "archive/data.pkl", _pickle.ToArray(), compression);
        Entry(zip, "archive/byteorder", "little"u8.ToArray(), CompressionLevel.NoCompression);
        foreach ((string key, byte[] bytes) in _storages)
        {
            Entry(zip, $"archive/data/{key}", bytes, CompressionLevel.NoCompression);
        }
    }

    private static long[] Contiguous(long[] shape)
    {
        long[] strides = new long[shape.Length];
        long stride = 1;
        for (int d = shape.Length - 1; d >= 0; d--)
        {
            strides[d] = stride;
            stride *= shape[d];
        }

        return strides;
    }

    private static void Entry(ZipArchive zip, string name, byte[] bytes, CompressionLevel compression)
    {
        using Stream stream = zip.CreateEntry(name, compression).Open();
        stream.Write(bytes);
    }

    private void Tuple(long[] values)
    {
        Code('(');
        foreach (long value in values)
        {
            Number(value);
        }

        Code('t');
    }

    private void Number(long value)
    {
        Bytes(0x8A, 8);
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        _pickle.Write(bytes);
    }

    private void Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        Code('X');
        _pickle.Write(length);
        _pickle.Write(bytes);
    }

    private void Global(string module, string name) => _pickle.Write(Encoding.UTF8.GetBytes($"c{module}\n{name}\n"));

    private void Code(char code) => _pickle.WriteByte((byte)code);

    private void Bytes(params ReadOnlySpan<byte> bytes) => _pickle.Write(bytes);
}
