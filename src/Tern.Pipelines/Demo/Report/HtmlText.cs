using System.Globalization;
using System.Net;
using System.Text;

namespace Tern.Pipelines.Demo.Report;

/// <summary>A page in the making: markup goes in as it is, text and numbers encoded and culture-free.</summary>
internal sealed class HtmlText
{
    private readonly StringBuilder _builder = new();

    public HtmlText Markup(string markup)
    {
        _builder.Append(markup);
        return this;
    }

    public HtmlText Text(string text)
    {
        _builder.Append(WebUtility.HtmlEncode(text));
        return this;
    }

    /// <summary>A number with a .NET format string, in the invariant culture.</summary>
    public HtmlText Number(double value, string format = "0.##")
    {
        _builder.Append(Format(value, format));
        return this;
    }

    /// <summary>An element with text in it; <paramref name="attributes"/> is markup.</summary>
    public HtmlText Element(string name, string text, string attributes = "")
    {
        _builder.Append('<').Append(name);
        if (attributes.Length > 0)
        {
            _builder.Append(' ').Append(attributes);
        }

        _builder.Append('>');
        Text(text);
        _builder.Append("</").Append(name).Append(">\n");
        return this;
    }

    public static string Format(double value, string format = "0.##") => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>A p value as a reader wants it: three digits, or the bound that it is below.</summary>
    public static string Probability(double p) => p < 0.001 ? "< 0.001" : "= " + Format(p, "0.000");

    /// <summary>A difference of two scores.</summary>
    public static string Signed(double difference) => Format(difference, "+0.000;−0.000");

    public override string ToString() => _builder.ToString();
}
