using System.Globalization;
using System.Text.RegularExpressions;
using Tern.TestKit;

namespace Tern.Kernels.Tests;

/// <summary>One parameter of a kernel: <c>const bf16* input</c> has type <c>const bf16*</c>.</summary>
internal sealed record KernelParameter(string Type, string Name)
{
    public bool IsPointer => Type.EndsWith('*');
}

/// <summary>A line of native/kernels/kernels.txt.</summary>
internal sealed record KernelDeclaration(string Name, int Threads, string[] Grid, string SharedBytes, KernelParameter[] Parameters)
{
    public string Signature => string.Join(",", Parameters.Select(p => p.Type));
}

/// <summary>The kernels' names, launch shapes and parameters, as kernels.txt and hopper.txt in native/kernels declare them.</summary>
internal static partial class KernelTable
{
    /// <summary>Kernels for every GPU from sm_80 on.</summary>
    public static IReadOnlyDictionary<string, KernelDeclaration> Portable { get; } = Parse(File.ReadAllLines(Repository.PathOf("native", "kernels", "kernels.txt")));

    /// <summary>Kernels for sm_90a alone.</summary>
    public static IReadOnlyDictionary<string, KernelDeclaration> Hopper { get; } = Parse(File.ReadAllLines(Repository.PathOf("native", "kernels", "hopper.txt")));

    public static IReadOnlyDictionary<string, KernelDeclaration> All { get; } = Portable.Concat(Hopper).ToDictionary();

    /// <summary>The value of a launch expression: integers, sizes by name, + - * /, ceil(a, b), min(a, b), max(a, b).</summary>
    public static long Evaluate(string expression, Func<string, long> sizeOf)
    {
        string[] tokens = [.. Token().Matches(expression).Select(m => m.Value)];
        int next = 0;
        long value = Sum();
        return next == tokens.Length ? value : throw new FormatException($"'{expression}': unexpected '{tokens[next]}'");

        long Sum()
        {
            long sum = Product();
            while (next < tokens.Length && tokens[next] is "+" or "-")
            {
                sum = tokens[next++] == "+" ? sum + Product() : sum - Product();
            }

            return sum;
        }

        long Product()
        {
            long product = Factor();
            while (next < tokens.Length && tokens[next] is "*" or "/")
            {
                product = tokens[next++] == "*" ? product * Factor() : product / Factor();
            }

            return product;
        }

        long Factor()
        {
            string token = tokens[next++];
            if (token == "(")
            {
                long inner = Sum();
                Expect(")");
                return inner;
            }

            if (char.IsAsciiDigit(token[0]))
            {
                return long.Parse(token, CultureInfo.InvariantCulture);
            }

            if (next == tokens.Length || tokens[next] != "(")
            {
                return sizeOf(token);
            }

            Expect("(");
            long left = Sum();
            Expect(",");
            long right = Sum();
            Expect(")");
            return token switch
            {
                "ceil" => (left + right - 1) / right,
                "min" => Math.Min(left, right),
                "max" => Math.Max(left, right),
                _ => throw new FormatException($"'{expression}': no function '{token}'"),
            };
        }

        void Expect(string token)
        {
            if (next == tokens.Length || tokens[next++] != token)
            {
                throw new FormatException($"'{expression}': '{token}' expected");
            }
        }
    }

    private static Dictionary<string, KernelDeclaration> Parse(string[] lines)
    {
        var kernels = new Dictionary<string, KernelDeclaration>();
        foreach (string line in lines.Where(l => l.Length > 0 && l[0] != '#'))
        {
            string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
            if (cells.Length != 5)
            {
                throw new FormatException($"kernels.txt: five columns expected in '{line}'");
            }

            KernelParameter[] parameters = [.. cells[4].Split(',', StringSplitOptions.TrimEntries).Select(p => new KernelParameter(p[..p.LastIndexOf(' ')], p[(p.LastIndexOf(' ') + 1)..]))];
            kernels.Add(cells[0], new KernelDeclaration(cells[0], int.Parse(cells[1], CultureInfo.InvariantCulture), SplitOutsideParentheses(cells[2]), cells[3], parameters));
        }

        return kernels;
    }

    private static string[] SplitOutsideParentheses(string grid)
    {
        var parts = new List<string>();
        int depth = 0, start = 0;
        for (int i = 0; i < grid.Length; i++)
        {
            depth += grid[i] == '(' ? 1 : grid[i] == ')' ? -1 : 0;
            if (grid[i] == ',' && depth == 0)
            {
                parts.Add(grid[start..i].Trim());
                start = i + 1;
            }
        }

        parts.Add(grid[start..].Trim());
        return [.. parts];
    }

    [GeneratedRegex(@"\w+|[-+*/(),]")]
    private static partial Regex Token();
}
