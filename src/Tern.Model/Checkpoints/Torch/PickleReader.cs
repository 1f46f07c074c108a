using System.Buffers.Binary;
using System.Text;

namespace Tern.Model.Checkpoints;

/// <summary>
/// Reads the pickle of a PyTorch state dict. It knows the few instructions and the few globals that such a pickle needs
/// and refuses every other by name, so that a file can describe tensors and do nothing else: nothing is imported, nothing
/// called. Source: Python's pickletools (protocols 2 to 5) and PyTorch's torch/_utils.py.
/// </summary>
internal sealed class PickleReader
{
    private static readonly object Mark = new();

    private static readonly Dictionary<string, string> StorageTypes = new(StringComparer.Ordinal)
    {
        ["torch FloatStorage"] = "F32",
        ["torch HalfStorage"] = "F16",
        ["torch BFloat16Storage"] = "BF16",
        ["torch DoubleStorage"] = "F64",
        ["torch LongStorage"] = "I64",
        ["torch IntStorage"] = "I32",
        ["torch ShortStorage"] = "I16",
        ["torch CharStorage"] = "I8",
        ["torch ByteStorage"] = "U8",
        ["torch BoolStorage"] = "BOOL",
    };

    private static readonly HashSet<string> Callables = ["collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"];

    private readonly string _path;
    private readonly byte[] _bytes;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<int, object?> _memo = [];
    private int _position;

    private PickleReader(string path, byte[] bytes)
    {
        _path = path;
        _bytes = bytes;
    }

    /// <summary>The tensors of the dictionary that the pickle describes.</summary>
    /// <param name="path">Opens error messages.</param>
    /// <exception cref="InvalidDataException">Not such a pickle, damaged, or it asks for something else; names file, offset and what was asked for.</exception>
    public static IReadOnlyDictionary<string, TorchTensor> ReadStateDict(string path, byte[] bytes)
    {
        var reader = new PickleReader(path, bytes);
        object? result;
        try
        {
            result = reader.Run();
        }
        catch (Exception e) when (e is InvalidCastException or ArgumentOutOfRangeException or OverflowException or NullReferenceException or DecoderFallbackException)
        {
            throw reader.Damaged($"the pickle does not hold together ({e.GetType().Name})");
        }

        if (result is not Dictionary<object, object?> dictionary)
        {
            throw new InvalidDataException($"{path}: holds {Describe(result)}, not a dictionary of tensors");
        }

        var tensors = new Dictionary<string, TorchTensor>(StringComparer.Ordinal);
        foreach ((object key, object? value) in dictionary)
        {
            tensors.Add(
                key as string ?? throw new InvalidDataException($"{path}: a key of the dictionary is {Describe(key)}, not a name"),
                value as TorchTensor ?? throw new InvalidDataException($"{path}: '{key}' is {Describe(value)}, not a tensor"));
        }

        return tensors;
    }

    private object? Run()
    {
        while (true)
        {
            int at = _position;
            byte code = Byte();
            switch (code)
            {
                case 0x80: // PROTO
                    byte protocol = Byte();
                    if (protocol is < 2 or > 5)
                    {
                        throw Damaged($"pickle protocol {protocol} is not between 2 and 5", at);
                    }

                    break;
                case 0x95: // FRAME
                    Take(8);
                    break;
                case (byte)'.':
                    return _stack.Count == 1 ? Pop() : throw Damaged("the pickle ends with more than one value", at);
                case (byte)'(':
                    _stack.Add(Mark);
                    break;
                case (byte)'0':
                    Pop();
                    break;
                case (byte)'N':
                    _stack.Add(null);
                    break;
                case 0x88:
                    _stack.Add(true);
                    break;
                case 0x89:
                    _stack.Add(false);
                    break;
                case (byte)'K':
                    _stack.Add((long)Byte());
                    break;
                case (byte)'M':
                    _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                    break;
                case (byte)'J':
                    _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                    break;
                case 0x8A: // LONG1
                    _stack.Add(Long(Byte(), at));
                    break;
                case (byte)'G':
                    _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                    break;
                case (byte)'X':
                    _stack.Add(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                    break;
                case 0x8C: // SHORT_BINUNICODE
                    _stack.Add(Text(Byte()));
                    break;
                case (byte)')':
                    _stack.Add(Array.Empty<object?>());
                    break;
                case 0x85 or 0x86 or 0x87: // TUPLE1 to TUPLE3
                    _stack.Add(Last(code - 0x84));
                    break;
                case (byte)'t':
                    _stack.Add(SinceMark());
                    break;
                case (byte)']':
                    _stack.Add(new List<object?>());
                    break;
                case (byte)'a':
                    object? item = Pop();
                    ((List<object?>)Peek()!).Add(item);
                    break;
                case (byte)'e':
                    object?[] items = SinceMark();
                    ((List<object?>)Peek()!).AddRange(items);
                    break;
                case (byte)'}':
                    _stack.Add(new Dictionary<object, object?>());
                    break;
                case (byte)'s':
                    SetItems(Last(2));
                    break;
                case (byte)'u':
                    SetItems(SinceMark());
                    break;
                case (byte)'q':
                    _memo[Byte()] = Peek();
                    break;
                case (byte)'r':
                    _memo[BinaryPrimitives.ReadInt32LittleEndian(Take(4))] = Peek();
                    break;
                case 0x94: // MEMOIZE
                    _memo[_memo.Count] = Peek();
                    break;
                case (byte)'h':
                    _stack.Add(Recall(Byte()));
                    break;
                case (byte)'j':
                    _stack.Add(Recall(BinaryPrimitives.ReadInt32LittleEndian(Take(4))));
                    break;
                case (byte)'c':
                    _stack.Add(Global(Line() + " " + Line(), at));
                    break;
                case 0x93: // STACK_GLOBAL
                    object?[] names = Last(2);
                    _stack.Add(Global($"{(string)names[0]!} {(string)names[1]!}", at));
                    break;
                case (byte)'Q':
                    _stack.Add(Storage(Pop(), at));
                    break;
                case (byte)'R':
                    object?[] call = Last(2);
                    _stack.Add(Call((PickleGlobal)call[0]!, (object?[])call[1]!, at));
                    break;
                case (byte)'b':
                    // An ordered dictionary's attributes: PyTorch keeps its modules' versions there.
                    object? state = Pop();
                    if (Peek() is not Dictionary<object, object?> || state is not Dictionary<object, object?>)
                    {
                        throw Damaged($"it sets the state of {Describe(Peek())}, which no dictionary of tensors needs", at);
                    }

                    break;
                default:
                    throw Damaged($"pickle instruction 0x{code:X2} is not one that a dictionary of tensors needs; the file is damaged, or made to do something else", at);
            }
        }
    }

    private object Call(PickleGlobal function, object?[] arguments, int at)
    {
        switch (function.Name)
        {
            case "collections OrderedDict" when arguments.Length == 0:
                return new Dictionary<object, object?>();
            case "torch._utils _rebuild_parameter" when arguments.Length >= 1 && arguments[0] is TorchTensor tensor:
                return tensor;
            case "torch._utils _rebuild_tensor_v2" when arguments.Length is 6 or 7 && arguments[0] is TorchStorage storage && arguments[1] is long offset:
                long[] shape = Numbers(arguments[2], at), strides = Numbers(arguments[3], at);
                return new TorchTensor(storage, offset, shape, strides);
            default:
                throw Damaged($"it calls {function.Name} with {arguments.Length} arguments that no tensor is built from", at);
        }
    }

    private PickleGlobal Global(string name, int at) => Callables.Contains(name) || StorageTypes.ContainsKey(name)
        ? new PickleGlobal(name)
        : throw Damaged($"it asks for {name.Replace(' ', '.')}, which no dictionary of tensors needs: such a file can run code where it is unpickled; nothing of it was run here", at);

    private TorchStorage Storage(object? id, int at) =>
        id is object?[] { Length: 5 } parts && parts[0] is "storage" && parts[1] is PickleGlobal type && StorageTypes.TryGetValue(type.Name, out string? dtype) && parts[2] is string key && parts[4] is long count
            ? new TorchStorage(dtype, key, count)
            : throw Damaged("a persistent id is not that of a tensor's storage", at);

    private long[] Numbers(object? tuple, int at) => tuple is object?[] items && items.All(i => i is long)
        ? [.. items.Select(i => (long)i!)]
        : throw Damaged($"a tensor's shape or strides are {Describe(tuple)}, not a tuple of numbers", at);

    private void SetItems(object?[] items)
    {
        var dictionary = (Dictionary<object, object?>)Peek()!;
        for (int i = 0; i + 1 < items.Length; i += 2)
        {
            dictionary[items[i] ?? throw Damaged("a dictionary has a key that is None")] = items[i + 1];
        }
    }

    private object? Recall(int index) => _memo.TryGetValue(index, out object? value) ? value : throw Damaged($"it recalls value {index}, which it never stored");

    private object? Peek() => _stack.Count > 0 ? _stack[^1] : throw Damaged("an instruction finds no value");

    private object? Pop()
    {
        object? top = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private object?[] Last(int count)
    {
        if (_stack.Count < count)
        {
            throw Damaged("an instruction finds too few values");
        }

        object?[] last = [.. _stack.GetRange(_stack.Count - count, count)];
        _stack.RemoveRange(_stack.Count - count, count);
        return last;
    }

    private object?[] SinceMark()
    {
        int mark = _stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Damaged("an instruction finds no mark");
        }

        object?[] items = Last(_stack.Count - mark - 1);
        _stack.RemoveAt(mark);
        return items;
    }

    private long Long(int byteCount, int at)
    {
        if (byteCount > 8)
        {
            throw Damaged($"a number of {byteCount} bytes", at);
        }

        ReadOnlySpan<byte> bytes = Take((uint)byteCount);
        long value = 0;
        for (int i = byteCount - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[i];
        }

        int unused = 64 - (8 * byteCount);
        return byteCount == 0 ? 0 : value << unused >> unused;
    }

    private string Text(uint byteCount) => Encoding.UTF8.GetString(Take(byteCount));

    private string Line()
    {
        int end = Array.IndexOf(_bytes, (byte)'\n', _position);
        string line = Encoding.UTF8.GetString(Take((uint)((end < 0 ? _bytes.Length : end) - _position)));
        Take(1);
        return line;
    }

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(uint count)
    {
        if (count > (uint)(_bytes.Length - _position))
        {
            throw Damaged($"the pickle ends within an instruction, after {_bytes.Length} bytes", _bytes.Length);
        }

        _position += (int)count;
        return _bytes.AsSpan(_position - (int)count, (int)count);
    }

    private InvalidDataException Damaged(string what, int? at = null) => new($"{_path}: offset {at ?? _position}: {what}");

    private static string Describe(object? value) => value switch
    {
        null => "None",
        string text => $"the text '{text}'",
        long or double or bool => "a number",
        object?[] => "a tuple",
        List<object?> => "a list",
        Dictionary<object, object?> => "a dictionary",
        TorchTensor => "a tensor",
        PickleGlobal global => global.Name.Replace(' ', '.'),
        _ => "something else",
    };

    /// <summary>Something that was asked for by module and name, and is known.</summary>
    private sealed record PickleGlobal(string Name);
}
