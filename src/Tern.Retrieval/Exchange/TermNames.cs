using System.Globalization;

namespace Tern.Retrieval.Exchange;

/// <summary>What terms are called in files that people or other tools read: a name for each term id and back. Not thread-safe.</summary>
public sealed class TermNames
{
    private readonly List<string>? _names;
    private readonly Dictionary<string, int> _ids = [];
    private readonly bool _grows;

    private TermNames(List<string>? names, bool grows)
    {
        _names = names;
        _grows = grows;
        for (int i = 0; i < names?.Count; i++)
        {
            if (!_ids.TryAdd(names[i], i))
            {
                throw new ArgumentException($"terms {_ids[names[i]]} and {i} are both called '{names[i]}'", nameof(names));
            }
        }
    }

    /// <summary>Terms are called by their ids, in decimal.</summary>
    public static TermNames Ids { get; } = new(null, grows: false);

    /// <summary>Number of names; 0 for <see cref="Ids"/>.</summary>
    public int Count => _names?.Count ?? 0;

    /// <summary>Names by id; they must be distinct.</summary>
    public static TermNames Of(IEnumerable<string> names) => new([.. names], grows: false);

    /// <summary>Names by id, where some may be alike: of equal ones the first stays as it is, the others get '#' and their id.</summary>
    public static TermNames OfTexts(IEnumerable<string> texts)
    {
        var seen = new HashSet<string>();
        return Of(texts.Select((text, id) => seen.Add(text) ? text : FormattableString.Invariant($"{text}#{id}")));
    }

    /// <summary>The words of a BM25 index; <see cref="Ids"/> for an index of learned vectors, which has none.</summary>
    public static TermNames OfIndex(SegmentedIndex index) => index.Words is { } words ? Of(Enumerable.Range(0, words.Count).Select(words.Word)) : Ids;

    /// <summary>Starts empty; <see cref="Find"/> gives every new name the next id.</summary>
    public static TermNames Growing() => new([], grows: true);

    /// <summary>A file with one name a line; the first line is term 0.</summary>
    public static TermNames Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        try
        {
            return Of(File.ReadLines(path));
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{path}: {e.Message.Split(" (Parameter", 2)[0]}", e);
        }
    }

    /// <summary>The term's name; a term without one is an <see cref="InvalidDataException"/>.</summary>
    public string Name(int term) =>
        _names is null ? term.ToString(CultureInfo.InvariantCulture)
        : term < _names.Count ? _names[term]
        : throw new InvalidDataException($"term {term} has no name; there are names for {_names.Count} terms");

    /// <summary>The term of a name, or −1.</summary>
    public int Find(string name)
    {
        if (_names is null)
        {
            return int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : -1;
        }

        if (!_ids.TryGetValue(name, out int term))
        {
            if (!_grows)
            {
                return -1;
            }

            term = _names.Count;
            _names.Add(name);
            _ids.Add(name, term);
        }

        return term;
    }

    /// <summary>One name a line, as <see cref="Read"/> wants them.</summary>
    public void Write(TextWriter writer)
    {
        foreach (string name in _names ?? [])
        {
            writer.WriteLine(name.AsSpan().IndexOfAny('\r', '\n') < 0 ? name : throw new InvalidDataException($"the term '{name.ReplaceLineEndings(" ")}' has a line break in its name and cannot be listed one a line"));
        }
    }
}
