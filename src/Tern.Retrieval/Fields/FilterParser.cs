namespace Tern.Retrieval;

/// <summary>
/// Reads filters: comparisons (<c>=  !=  &lt;  &lt;=  &gt;  &gt;=</c>) of a field with a value, <c>in (a, b)</c>, <c>exists</c>,
/// joined by <c>and</c>, <c>or</c>, <c>not</c> and parentheses; <c>and</c> binds closer than <c>or</c>. Values are words, or
/// quoted by ' or " with the quote doubled inside. Errors are <see cref="ArgumentException"/>s that name the column, from 1.
/// </summary>
internal sealed class FilterParser
{
    private const int DeepestNesting = 100;
    private const int MostConditions = 1000;

    private static readonly (string Text, Comparison Comparison)[] Comparisons =
    [
        ("!=", Comparison.NotEqual), ("<=", Comparison.LessOrEqual), (">=", Comparison.GreaterOrEqual), ("<", Comparison.Less), (">", Comparison.Greater), ("=", Comparison.Equal),
    ];

    private readonly string _text;
    private readonly IReadOnlyList<FieldDefinition> _fields;
    private int _at;
    private int _depth;
    private int _conditionCount;

    private FilterParser(string text, IReadOnlyList<FieldDefinition> fields)
    {
        _text = text;
        _fields = fields;
    }

    public static FilterExpression Parse(string text, IReadOnlyList<FieldDefinition> fields)
    {
        var parser = new FilterParser(text, fields);
        FilterExpression expression = parser.Or();
        parser.SkipSpace();
        return parser._at == text.Length ? expression : throw Error(parser._at, $"'and', 'or' or the end was expected, not '{parser.Rest()}'");
    }

    private FilterExpression Or()
    {
        FilterExpression left = And();
        while (TakeWord("or"))
        {
            left = new FilterExpression.Or(left, And());
        }

        return left;
    }

    private FilterExpression And()
    {
        FilterExpression left = Factor();
        while (TakeWord("and"))
        {
            left = new FilterExpression.And(left, Factor());
        }

        return left;
    }

    private FilterExpression Factor()
    {
        if (++_depth > DeepestNesting)
        {
            throw Error(_at, $"nested more than {DeepestNesting} deep");
        }

        try
        {
            if (TakeWord("not"))
            {
                return new FilterExpression.Not(Factor());
            }

            if (!Take("("))
            {
                return Condition();
            }

            FilterExpression inner = Or();
            return Take(")") ? inner : throw Error(_at, "a ')' is missing");
        }
        finally
        {
            _depth--;
        }
    }

    private FilterExpression Condition()
    {
        SkipSpace();
        int start = _at;
        if (++_conditionCount > MostConditions)
        {
            throw Error(start, $"more than {MostConditions} conditions; lists of values go after 'in'");
        }

        while (_at < _text.Length && (_at == start ? FieldDefinition.IsNameStart(_text[_at]) : FieldDefinition.IsNamePart(_text[_at])))
        {
            _at++;
        }

        string name = _text[start.._at];
        int field = FieldColumnsWriter.Find(_fields, name);
        if (field < 0)
        {
            throw Error(start, name.Length == 0 ? $"a field was expected, not '{Rest()}'" : $"no field '{name}'; the index has {FieldColumnsWriter.Describe(_fields)}");
        }

        if (TakeWord("exists"))
        {
            return new FilterExpression.Exists(field);
        }

        if (TakeWord("in"))
        {
            return In(field);
        }

        foreach ((string text, Comparison comparison) in Comparisons)
        {
            if (Take(text))
            {
                return new FilterExpression.Compare(field, comparison, Value(_fields[field]));
            }
        }

        throw Error(_at, $"after '{name}' one of =, !=, <, <=, >, >=, in, exists was expected");
    }

    private FilterExpression.AnyOf In(int field)
    {
        if (!Take("("))
        {
            throw Error(_at, "after 'in' a list in parentheses was expected");
        }

        var values = new List<FieldValue> { Value(_fields[field]) };
        while (Take(","))
        {
            values.Add(Value(_fields[field]));
        }

        return Take(")") ? new FilterExpression.AnyOf(field, values) : throw Error(_at, "a ',' or a ')' is missing");
    }

    private FieldValue Value(FieldDefinition field)
    {
        SkipSpace();
        int start = _at;
        string text = _at < _text.Length && _text[_at] is '\'' or '"' ? Quoted() : Word();
        return FieldValue.TryParse(field.Kind, text, out FieldValue value)
            ? value
            : throw Error(start, $"'{text}' is no {field.Kind.ToString().ToLowerInvariant()}, which field '{field.Name}' holds{(field.Kind == FieldKind.Date ? " (2024-05-01 or 2024-05-01T12:30:00Z)" : "")}");
    }

    private string Word()
    {
        int start = _at;
        while (_at < _text.Length && !char.IsWhiteSpace(_text[_at]) && !"()<>=!,'\"".Contains(_text[_at], StringComparison.Ordinal))
        {
            _at++;
        }

        return _at > start ? _text[start.._at] : throw Error(start, $"a value was expected, not '{Rest()}'");
    }

    private string Quoted()
    {
        int start = _at;
        char quote = _text[_at++];
        var text = new System.Text.StringBuilder();
        while (_at < _text.Length)
        {
            char c = _text[_at++];
            if (c != quote)
            {
                text.Append(c);
            }
            else if (_at < _text.Length && _text[_at] == quote)
            {
                text.Append(quote);
                _at++;
            }
            else
            {
                return text.ToString();
            }
        }

        throw Error(start, $"the closing {quote} is missing");
    }

    private bool TakeWord(string word)
    {
        SkipSpace();
        int end = _at + word.Length;
        if (!_text.AsSpan(_at).StartsWith(word, StringComparison.OrdinalIgnoreCase) || (end < _text.Length && FieldDefinition.IsNamePart(_text[end])))
        {
            return false;
        }

        _at = end;
        return true;
    }

    private bool Take(string symbol)
    {
        SkipSpace();
        if (!_text.AsSpan(_at).StartsWith(symbol, StringComparison.Ordinal))
        {
            return false;
        }

        _at += symbol.Length;
        return true;
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at]))
        {
            _at++;
        }
    }

    private string Rest() => _at >= _text.Length ? "the end" : _text.Length - _at <= 20 ? _text[_at..] : $"{_text[_at..(_at + 20)]}…";

    private static ArgumentException Error(int at, string problem) => new($"filter, column {at + 1}: {problem}");
}
