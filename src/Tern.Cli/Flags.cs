using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Tern.Compute;

namespace Tern.Cli;

/// <summary>Options whose errors name the flag, the value and the bound.</summary>
internal static partial class Flags
{
    public static Option<bool> Json(string what) => new("--json") { Description = $"Write {what} as JSON on standard output." };

    public static Option<int> Threads() => Count("--threads", "Threads to compute with; 0 takes all processors.", 0, least: 0);

    /// <summary>Where the model runs; <see cref="ReadDevice"/> looks for it.</summary>
    public static Option<string> Device() =>
        new("--device") { Description = "What computes: cpu, a GPU (cuda:0), or auto: the first GPU where there is one.", HelpName = "auto|cpu|cuda:N", DefaultValueFactory = _ => "auto" };

    /// <exception cref="UsageException">There is no such device; the message says why.</exception>
    public static BackendFactory ReadDevice(ParseResult parsed, Option<string> device)
    {
        string name = parsed.GetRequiredValue(device);
        return Devices.TryFind(name, out BackendFactory? factory, out string? whyNot) ? factory : throw new UsageException($"--device {name}: {whyNot}");
    }

    /// <summary>A whole number of at least <paramref name="least"/>; without a default the option is absent unless given.</summary>
    public static Option<int> Count(string name, string description, int defaultValue, int least = 1) =>
        new(name)
        {
            Description = description,
            HelpName = "n",
            DefaultValueFactory = _ => defaultValue,
            CustomParser = result => ParseCount(result, name, least) ?? 0,
        };

    public static Option<int?> OptionalCount(string name, string description, int least = 1) =>
        new(name)
        {
            Description = description,
            HelpName = "n",
            CustomParser = result => ParseCount(result, name, least),
        };

    public static Option<double> Number(string name, string description, double defaultValue, double least = 0) =>
        new(name)
        {
            Description = description,
            HelpName = "x",
            DefaultValueFactory = _ => defaultValue,
            CustomParser = result => ParseNumber(result, name, least) ?? 0,
        };

    public static Option<double?> OptionalNumber(string name, string description, double least = 0) =>
        new(name)
        {
            Description = description,
            HelpName = "x",
            CustomParser = result => ParseNumber(result, name, least),
        };

    /// <summary>Bytes, as a number with or without B, K, M, G, T (KB and KiB alike: powers of 1024).</summary>
    public static Option<long?> ByteSize(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "size",
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                Match match = ByteSizePattern().Match(text);
                if (match.Success && double.TryParse(match.Groups["number"].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
                {
                    string unit = match.Groups["unit"].Value.ToUpperInvariant();
                    return (long)(value * Math.Pow(1024, unit.Length == 0 ? 0 : 1 + "KMGT".IndexOf(unit, StringComparison.Ordinal)));
                }

                result.AddError($"{name}: '{text}' is no size such as 8GiB or 500M");
                return null;
            },
        };

    public static Option<string?> Text(string name, string description, string helpName) =>
        new(name) { Description = description, HelpName = helpName };

    public static Option<string> RequiredText(string name, string description, string helpName) =>
        new(name) { Description = description, HelpName = helpName, Required = true };

    /// <summary>One of a few words, matched without regard to case; the error lists them.</summary>
    public static Option<string> Choice(string name, string description, string? defaultValue, params string[] choices)
    {
        var option = new Option<string>(name)
        {
            Description = description,
            HelpName = string.Join('|', choices),
            Required = defaultValue is null,
            CustomParser = result => ParseChoice(result, name, choices),
        };
        if (defaultValue is not null)
        {
            option.DefaultValueFactory = _ => defaultValue;
        }

        return option;
    }

    private static int? ParseCount(ArgumentResult result, string name, int least)
    {
        string text = result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out int value))
        {
            result.AddError($"{name}: '{text}' is not a whole number");
            return null;
        }

        if (value < least)
        {
            result.AddError($"{name}: {value} is too small; the least is {least}");
        }

        return value;
    }

    /// <summary>Whole numbers above 0 with commas between.</summary>
    public static int[] ParseCounts(string name, string list) => Array.ConvertAll(list.Split(',', StringSplitOptions.TrimEntries), part =>
        int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0 ? count : throw new UsageException($"{name}: '{part}' is not a whole number above 0; write for example {name} 10,100"));

    private static double? ParseNumber(ArgumentResult result, string name, double least)
    {
        string text = result.Tokens[0].Value;
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !double.IsFinite(value))
        {
            result.AddError($"{name}: '{text}' is not a number");
            return null;
        }

        if (value < least)
        {
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name}: {value} is too small; the least is {least}"));
        }

        return value;
    }

    private static string ParseChoice(ArgumentResult result, string name, string[] choices)
    {
        string text = result.Tokens[0].Value;
        string? match = choices.FirstOrDefault(c => string.Equals(c, text, StringComparison.OrdinalIgnoreCase));
        if (match is null)
        {
            result.AddError($"{name}: '{text}' is none of {string.Join(", ", choices)}");
        }

        return match ?? text;
    }

    [GeneratedRegex(@"^(?<number>[0-9]+(\.[0-9]+)?) ?(?<unit>[KMGT]?)(i?B)?$", RegexOptions.IgnoreCase)]
    private static partial Regex ByteSizePattern();
}
