using System.Globalization;

namespace Tern.Cuda.Kernels;

/// <summary>
/// An integer expression over a kernel's parameters, such as <c>ceil(columns, 1024) * 2</c>: + − * /, ceil, min, max and
/// parentheses. Compiled once to a list of steps that a launch evaluates without allocating.
/// </summary>
internal sealed class SizeExpression
{
    private const int MaxDepth = 16;
    private readonly List<(Step Step, long Value)> _steps = [];
    private readonly string _text;
    private readonly string[] _parameters;
    private int _at;

    /// <exception cref="FormatException">The text is no such expression, or names what is no parameter.</exception>
    public SizeExpression(string text, string[] parameters)
    {
        _text = text;
        _parameters = parameters;
        ParseSum();
        if (Peek() != '\0')
        {
            throw Error("an operator");
        }
    }

    private enum Step
    {
        Constant,
        Parameter,
        Add,
        Subtract,
        Multiply,
        Divide,
        Ceiling,
        Minimum,
        Maximum,
    }

    public long Evaluate(ReadOnlySpan<KernelArgument> arguments)
    {
        Span<long> stack = stackalloc long[MaxDepth];
        int count = 0;
        foreach ((Step step, long value) in _steps)
        {
            if (step is Step.Constant or Step.Parameter)
            {
                stack[count++] = step == Step.Constant ? value : arguments[(int)value].Integer;
                continue;
            }

            long right = stack[--count], left = stack[count - 1];
            stack[count - 1] = step switch
            {
                Step.Add => left + right,
                Step.Subtract => left - right,
                Step.Multiply => left * right,
                Step.Divide => left / right,
                Step.Ceiling => (left + right - 1) / right,
                Step.Minimum => Math.Min(left, right),
                _ => Math.Max(left, right),
            };
        }

        return stack[0];
    }

    public override string ToString() => _text;

    private void ParseSum()
    {
        ParseProduct();
        while (Peek() is '+' or '-')
        {
            Step step = _text[_at++] == '+' ? Step.Add : Step.Subtract;
            ParseProduct();
            _steps.Add((step, 0));
        }
    }

    private void ParseProduct()
    {
        ParseTerm();
        while (Peek() is '*' or '/')
        {
            Step step = _text[_at++] == '*' ? Step.Multiply : Step.Divide;
            ParseTerm();
            _steps.Add((step, 0));
        }
    }

    private void ParseTerm()
    {
        char next = Peek();
        if (next == '(')
        {
            _at++;
            ParseSum();
            Expect(')');
            return;
        }

        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] == '_'))
        {
            _at++;
        }

        string word = _text[start.._at];
        if (long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long value))
        {
            _steps.Add((Step.Constant, value));
        }
        else if (Peek() == '(' && word is "ceil" or "min" or "max")
        {
            _at++;
            ParseSum();
            Expect(',');
            ParseSum();
            Expect(')');
            _steps.Add((word == "ceil" ? Step.Ceiling : word == "min" ? Step.Minimum : Step.Maximum, 0));
        }
        else if (Array.IndexOf(_parameters, word) is int parameter and >= 0)
        {
            _steps.Add((Step.Parameter, parameter));
        }
        else
        {
            _at = start;
            throw Error("a number, a parameter, ceil, min or max");
        }
    }

    private char Peek()
    {
        while (_at < _text.Length && _text[_at] == ' ')
        {
            _at++;
        }

        return _at < _text.Length ? _text[_at] : '\0';
    }

    private void Expect(char wanted)
    {
        if (Peek() != wanted)
        {
            throw Error($"'{wanted}'");
        }

        _at++;
    }

    private FormatException Error(string wanted) => new($"'{_text}': {wanted} expected at '{_text[Math.Min(_at, _text.Length)..]}'");
}
