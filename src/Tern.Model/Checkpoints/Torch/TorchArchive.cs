using System.IO.Compression;
using System.IO.Hashing;

namespace Tern.Model.Checkpoints;

/// <summary>A run of elements in the archive, which tensors are views of.</summary>
internal sealed record TorchStorage(string DType, string Key, long ElementCount);

/// <summary>One tensor of an archive; offset and strides count elements.</summary>
internal sealed record TorchTensor(TorchStorage Storage, long Offset, IReadOnlyList<long> Shape, IReadOnlyList<long> Strides);

/// <summary>
/// The tensors of a file that <c>torch.save</c> wrote (PyTorch 1.6 and later: a zip with a pickle and the elements of each
/// storage), read without executing what the pickle says. Whole tensors are copied out: meant for adapters.
/// </summary>
public sealed class TorchArchive : IDisposable
{
    private const long MaxPickleByteCount = 100_000_000;

    private readonly ZipArchive _zip;
    private readonly string _prefix;
    private readonly IReadOnlyDictionary<string, TorchTensor> _tensors;

    private TorchArchive(string path, ZipArchive zip)
    {
        Path = path;
        _zip = zip;
        ZipArchiveEntry pickle = zip.Entries.FirstOrDefault(e => e.Name == "data.pkl" && e.FullName.Count(c => c == '/') <= 1)
            ?? throw new InvalidDataException($"{path}: a zip without data.pkl: not a file of torch.save");
        _prefix = pickle.FullName[..^pickle.Name.Length];
        if (pickle.Length > MaxPickleByteCount)
        {
            throw new InvalidDataException($"{path}: {pickle.FullName} has {pickle.Length} bytes, more than any dictionary of tensors needs");
        }

        if (zip.GetEntry(_prefix + "byteorder") is { } order && System.Text.Encoding.ASCII.GetString(Bytes(order, order.Length)).Trim() != "little")
        {
            throw new InvalidDataException($"{path}: its elements are not little-endian; save it again on a little-endian machine");
        }

        _tensors = PickleReader.ReadStateDict(path, Bytes(pickle, pickle.Length));
        foreach ((string name, TorchTensor tensor) in _tensors)
        {
            Check(name, tensor);
        }
    }

    public string Path { get; }

    public IReadOnlyCollection<string> Names => (IReadOnlyCollection<string>)_tensors.Keys;

    /// <exception cref="InvalidDataException">Not such a file, damaged, or its pickle asks for more than tensors; names file and place.</exception>
    public static TorchArchive Open(string path)
    {
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            Span<byte> start = stackalloc byte[2];
            if (stream.ReadAtLeast(start, 2, throwOnEndOfStream: false) < 2 || start[0] != 'P' || start[1] != 'K')
            {
                throw new InvalidDataException($"{path}: offset 0: not a zip, as torch.save has written since PyTorch 1.6: an older format, cut off or damaged; save it again, or as safetensors");
            }

            return new TorchArchive(path, new ZipArchive(stream, ZipArchiveMode.Read));
        }
        catch (Exception e)
        {
            stream.Dispose();
            if (e is InvalidDataException && !e.Message.StartsWith(path, StringComparison.Ordinal))
            {
                throw new InvalidDataException($"{path}: the zip is damaged ({e.Message}); copy or download it again", e);
            }

            throw;
        }
    }

    public (string DType, IReadOnlyList<long> Shape) Describe(string name) => (_tensors[name].Storage.DType, _tensors[name].Shape);

    /// <summary>A tensor's elements row by row, as Float32.</summary>
    /// <exception cref="InvalidDataException">Its type is not F32, F16 or BF16, or its bytes are damaged.</exception>
    public float[] Read(string name)
    {
        TorchTensor tensor = _tensors[name];
        if (tensor.Storage.DType is not ("F32" or "F16" or "BF16"))
        {
            throw new InvalidDataException($"{Path}: tensor '{name}' is {tensor.Storage.DType}; F32, BF16 and F16 are supported");
        }

        ZipArchiveEntry entry = Entry(name, tensor.Storage);
        float[] storage = new float[tensor.Storage.ElementCount];
        WeightLoader.Widen(tensor.Storage.DType, Bytes(entry, entry.Length), storage);
        float[] values = new float[tensor.Shape.Aggregate(1L, (product, d) => product * d)];
        long[] index = new long[tensor.Shape.Count];
        long at = tensor.Offset;
        for (long i = 0; i < values.Length; i++)
        {
            values[i] = storage[at];
            for (int d = index.Length - 1; d >= 0; d--)
            {
                at += tensor.Strides[d];
                if (++index[d] < tensor.Shape[d])
                {
                    break;
                }

                at -= tensor.Strides[d] * index[d];
                index[d] = 0;
            }
        }

        return values;
    }

    public void Dispose() => _zip.Dispose();

    /// <summary>Every element of the tensor lies in its storage, and that in the file.</summary>
    private void Check(string name, TorchTensor tensor)
    {
        int size = SafetensorsFile.ElementByteCount(tensor.Storage.DType);
        ZipArchiveEntry entry = Entry(name, tensor.Storage);
        if (tensor.Storage.ElementCount < 0 || (Int128)tensor.Storage.ElementCount * size != entry.Length)
        {
            throw new InvalidDataException($"{Path}: tensor '{name}': {entry.FullName} has {entry.Length} bytes instead of {tensor.Storage.ElementCount} elements of {size}; copy or download the file again");
        }

        Int128 last = tensor.Offset, count = 1;
        bool fits = tensor.Offset >= 0 && tensor.Shape.Count == tensor.Strides.Count;
        for (int d = 0; fits && d < tensor.Shape.Count; d++)
        {
            fits = tensor.Shape[d] >= 0 && tensor.Strides[d] >= 0 && tensor.Shape[d] <= int.MaxValue;
            last += Int128.Max(tensor.Shape[d] - 1, 0) * tensor.Strides[d];
            count *= tensor.Shape[d];
            fits &= last <= long.MaxValue && count <= int.MaxValue;
        }

        if (!fits || (count > 0 && last >= tensor.Storage.ElementCount))
        {
            throw new InvalidDataException($"{Path}: tensor '{name}' of shape [{string.Join(", ", tensor.Shape)}] and strides [{string.Join(", ", tensor.Strides)}] does not lie in its storage of {tensor.Storage.ElementCount} elements");
        }
    }

    private ZipArchiveEntry Entry(string name, TorchStorage storage) => _zip.GetEntry($"{_prefix}data/{storage.Key}")
        ?? throw new InvalidDataException($"{Path}: tensor '{name}': its elements, {_prefix}data/{storage.Key}, are not in the file; copy or download it again");

    /// <summary>An entry's bytes; torch.save stores them as they are, and so a small file cannot claim much memory.</summary>
    private byte[] Bytes(ZipArchiveEntry entry, long count)
    {
        if (entry.CompressedLength != entry.Length || count > Array.MaxLength)
        {
            throw new InvalidDataException($"{Path}: {entry.FullName} is compressed or too large, which torch.save's entries are not");
        }

        byte[] bytes = new byte[count];
        try
        {
            using Stream stream = entry.Open();
            stream.ReadExactly(bytes);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException($"{Path}: {entry.FullName} cannot be read ({e.Message}); copy or download the file again", e);
        }

        if (Crc32.HashToUInt32(bytes) != entry.Crc32)
        {
            throw new InvalidDataException($"{Path}: {entry.FullName} does not have the checksum that the zip says; copy or download the file again");
        }

        return bytes;
    }
}
