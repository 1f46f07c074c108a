using System.Globalization;
using System.Text.RegularExpressions;

namespace Tern.Kernels.Tests.Ptx;

/// <summary>
/// Inline PTX against a table of instructions, since clang passes on whatever it is given. A line of the table is
/// <c>mnemonic | operands</c>; operands are separated by commas: a type (<c>f32</c>), <c>out</c> before what is written,
/// <c>4 b32</c> for a group in braces, <c>[shared]</c> and <c>[global]</c> for addresses, <c>[tensor2]</c> for a place in a
/// tensor map, <c>imm</c> for a constant, <c>pred</c> for a predicate, <c>sink</c> for what is not wanted.
/// </summary>
internal static partial class InlinePtx
{
    /// <summary>What is wrong with the asm statements of a source; empty when nothing is.</summary>
    public static List<string> Errors(string source, IReadOnlyDictionary<string, string> table)
    {
        var errors = new List<string>();
        foreach (Match statement in Statement().Matches(source))
        {
            string code = string.Concat(Literal().Matches(statement.Groups[2].Value).Select(m => m.Groups[1].Value)).Trim();
            string[] sections = SplitSections(statement.Groups[3].Value);
            List<string> constraints = [.. sections.Take(2).SelectMany(s => Constraint().Matches(s)).Select(m => m.Groups[1].Value)];
            int outputs = sections.Length > 0 ? Constraint().Count(sections[0]) : 0;
            if (code.Length == 0)
            {
                continue;
            }

            string? error = Error(code, constraints, outputs, table);
            if (error is not null)
            {
                errors.Add($"{code}: {error}");
            }
            else if (outputs == 0 && (statement.Groups[1].Length == 0 || !(sections.Length > 2 && sections[2].Contains("\"memory\"", StringComparison.Ordinal))))
            {
                errors.Add($"{code}: has no result, so it must be volatile and clobber memory");
            }
        }

        return errors;
    }

    public static Dictionary<string, string> ReadTable(IEnumerable<string> lines) => lines
        .Where(line => line.Length > 0 && line[0] != '#')
        .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
        .ToDictionary(cells => cells[0], cells => cells[1]);

    private static string? Error(string code, List<string> constraints, int outputs, IReadOnlyDictionary<string, string> table)
    {
        string[] instructions = (code[0] == '{' ? code[1..^1] : code).Split(';', StringSplitOptions.TrimEntries);
        if (instructions[^1].Length > 0 || (code[0] != '{' && instructions.Length > 2))
        {
            return "one instruction with ';' at its end is expected, or several in braces";
        }

        var used = new HashSet<int>();
        foreach (string instruction in instructions[..^1].Where(i => !i.StartsWith(".reg ", StringComparison.Ordinal)))
        {
            if (InstructionError(instruction, constraints, outputs, table, used) is { } error)
            {
                return error;
            }
        }

        return used.Count == constraints.Count ? null : $"{constraints.Count} constraints, {used.Count} of them used";
    }

    private static string? InstructionError(string instruction, List<string> constraints, int outputs, IReadOnlyDictionary<string, string> table, HashSet<int> used)
    {
        string[] parts = instruction.Split(' ', 2);
        if (!table.TryGetValue(parts[0], out string? declared))
        {
            return "the table has no such instruction";
        }

        string[] expected = declared.Length == 0 ? [] : declared.Split(',', StringSplitOptions.TrimEntries);
        string[] actual = parts.Length == 1 ? [] : Operand().Matches(parts[1]).Select(m => m.Value.Trim()).ToArray();
        if (expected.Length != actual.Length)
        {
            return $"{actual.Length} operands, {expected.Length} expected";
        }

        for (int i = 0; i < expected.Length; i++)
        {
            if (OperandError(actual[i], expected[i], constraints, outputs, used) is { } error)
            {
                return $"operand {i + 1} ({actual[i]}): {error}";
            }
        }

        return null;
    }

    private static string? OperandError(string actual, string expected, List<string> constraints, int outputs, HashSet<int> used)
    {
        string inner = actual.Trim('{', '}', '[', ']').Trim();
        int[] numbers = [.. Placeholder().Matches(inner).Select(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];
        used.UnionWith(numbers);
        if (numbers.Any(n => n >= constraints.Count))
        {
            return "there is no such constraint";
        }

        if (expected is "sink" or "pred")
        {
            return expected == "sink" ? actual == "_" ? null : "'_' is expected" : numbers.Length == 0 && char.IsAsciiLetter(actual[0]) ? null : "a predicate is expected";
        }

        if (expected == "[tensor2]")
        {
            return TensorAddress().IsMatch(actual) && string.Concat(numbers.Select(n => constraints[n])) == "lrr" ? null : "a tensor map with constraint l and two coordinates with constraint r are expected";
        }

        if (expected is "[shared]" or "[global]")
        {
            string letter = expected == "[shared]" ? "r" : "l";
            return actual[0] == '[' && numbers.Length == 1 && constraints[numbers[0]] == letter ? null : $"an address in brackets with constraint {letter} is expected";
        }

        if (expected == "imm")
        {
            return (numbers.Length == 0 && int.TryParse(inner, CultureInfo.InvariantCulture, out _)) || (numbers.Length == 1 && constraints[numbers[0]] == "n") ? null : "a constant is expected";
        }

        string[] words = expected.Split(' ');
        int count = int.TryParse(words[0], CultureInfo.InvariantCulture, out int group) ? group : 1;
        bool written = words.Contains("out");
        if (numbers.Length != count || (count > 1) != (actual[0] == '{'))
        {
            return $"{count} registers expected";
        }

        string register = Letter(words[^1]);
        foreach (int n in numbers)
        {
            string constraint = constraints[n].TrimStart('=', '+');
            if (constraint != register)
            {
                return $"constraint {constraint} for a register of type {words[^1]}";
            }

            if ((n < outputs) != (constraints[n][0] is '=' or '+'))
            {
                return n < outputs ? "is an output without '=' or '+'" : "is an input with '=' or '+'";
            }

            if (written != (n < outputs) && !(n < outputs && constraints[n][0] == '+'))
            {
                return written ? "is written but not an output" : "is an output but only read";
            }
        }

        return null;
    }

    private static string Letter(string type) => type switch
    {
        "f32" => "f",
        "b16" => "h",
        "b32" or "u32" or "s32" => "r",
        "b64" or "u64" => "l",
        _ => throw new FormatException($"the table of instructions has an unknown type '{type}'"),
    };

    // outputs : inputs : clobbers, without the colons inside literals.
    private static string[] SplitSections(string text)
    {
        List<string> sections = [""];
        bool literal = false;
        foreach (char c in text)
        {
            literal ^= c == '"';
            if (c == ':' && !literal)
            {
                sections.Add("");
            }
            else
            {
                sections[^1] += c;
            }
        }

        return [.. sections.Skip(1)];
    }

    [GeneratedRegex("""asm( volatile)?\(((?:\s*"[^"]*")+)((?:[^;"]|"[^"]*")*)\);""")]
    private static partial Regex Statement();

    [GeneratedRegex("\"([^\"]*)\"")]
    private static partial Regex Literal();

    [GeneratedRegex("\"([=+]?[a-z])\"\\(")]
    private static partial Regex Constraint();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|[^,{}\[\]\s][^,]*")]
    private static partial Regex Operand();

    [GeneratedRegex(@"^\[%\d+, \{%\d+, %\d+\}\]$")]
    private static partial Regex TensorAddress();

    [GeneratedRegex(@"%(\d+)")]
    private static partial Regex Placeholder();
}
