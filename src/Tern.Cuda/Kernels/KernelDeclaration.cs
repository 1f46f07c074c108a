namespace Tern.Cuda.Kernels;

/// <summary>
/// One row of <c>native/kernels/kernels.txt</c>: how a kernel is launched and what it takes. The host, the emulator and
/// the tests read the same file, so a launch is its arguments and nothing else.
/// </summary>
internal sealed class KernelDeclaration
{
    private readonly SizeExpression[] _grid;
    private readonly SizeExpression _sharedByteCount;

    private KernelDeclaration(string name, int block, SizeExpression[] grid, SizeExpression sharedByteCount, KernelParameter[] parameters)
    {
        Name = name;
        Block = block;
        _grid = grid;
        _sharedByteCount = sharedByteCount;
        Parameters = parameters;
    }

    public string Name { get; }

    /// <summary>Threads of a block.</summary>
    public int Block { get; }

    public IReadOnlyList<KernelParameter> Parameters { get; }

    /// <summary>All kernels by name. A line is name | threads | grid | shared bytes | parameters; # begins a remark.</summary>
    /// <exception cref="FormatException">A line is no declaration; the message has its number.</exception>
    public static Dictionary<string, KernelDeclaration> ReadAll(TextReader reader)
    {
        Dictionary<string, KernelDeclaration> all = new(StringComparer.Ordinal);
        for (int number = 1; reader.ReadLine() is { } line; number++)
        {
            if (line.Trim() is { Length: > 0 } text && text[0] != '#')
            {
                try
                {
                    KernelDeclaration declaration = Parse(text);
                    all.Add(declaration.Name, declaration);
                }
                catch (Exception e) when (e is FormatException or ArgumentException or IndexOutOfRangeException)
                {
                    throw new FormatException($"kernels.txt:{number}: {e.Message}", e);
                }
            }
        }

        return all;
    }

    /// <summary>The launch for these arguments; a grid of 0 blocks where there is no work.</summary>
    public LaunchShape Shape(ReadOnlySpan<KernelArgument> arguments) =>
        new((int)_grid[0].Evaluate(arguments), Block, (int)_sharedByteCount.Evaluate(arguments), _grid.Length > 1 ? (int)_grid[1].Evaluate(arguments) : 1, _grid.Length > 2 ? (int)_grid[2].Evaluate(arguments) : 1);

    /// <exception cref="ArgumentException">The arguments are not of the parameters' number and sizes.</exception>
    public void Require(ReadOnlySpan<KernelArgument> arguments)
    {
        bool same = arguments.Length == Parameters.Count;
        for (int i = 0; same && i < arguments.Length; i++)
        {
            same = arguments[i].ByteCount == Parameters[i].ByteCount;
        }

        if (!same)
        {
            throw new ArgumentException($"{Name}: arguments of {string.Join(", ", arguments.ToArray().Select(a => a.ByteCount))} bytes for {string.Join(", ", Parameters.Select(p => $"{p.Type} {p.Name}"))}");
        }
    }

    private static KernelDeclaration Parse(string line)
    {
        string[] fields = line.Split('|', StringSplitOptions.TrimEntries);
        KernelParameter[] parameters = [.. fields[4].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(KernelParameter.Parse)];
        string[] names = [.. parameters.Select(p => p.Name)];
        return new KernelDeclaration(
            fields[0],
            int.Parse(fields[1], System.Globalization.CultureInfo.InvariantCulture),
            [.. SplitOutside(fields[2]).Select(text => new SizeExpression(text, names))],
            new SizeExpression(fields[3], names),
            parameters);
    }

    /// <summary>Splits at commas outside parentheses.</summary>
    private static IEnumerable<string> SplitOutside(string text)
    {
        int depth = 0, start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
            if (text[i] == ',' && depth == 0)
            {
                yield return text[start..i].Trim();
                start = i + 1;
            }
        }

        yield return text[start..].Trim();
    }
}

/// <summary>A kernel's parameter: <c>const f32* input</c>.</summary>
internal readonly record struct KernelParameter(string Type, string Name)
{
    public bool IsPointer => Type.EndsWith('*');

    public int ByteCount => IsPointer || Type.EndsWith("64", StringComparison.Ordinal) ? 8 : 4;

    public static KernelParameter Parse(string text)
    {
        int space = text.LastIndexOf(' ');
        return space > 0 ? new KernelParameter(text[..space].Trim(), text[(space + 1)..]) : throw new FormatException($"'{text}' is no parameter with a type and a name");
    }
}
