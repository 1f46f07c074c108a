using System.Text;
using System.Xml.Linq;

namespace Tern.Text;

/// <summary>Plain words of documentation elements: references become the names they refer to, white space collapses.</summary>
internal static class XmlDocText
{
    public static string Of(XElement? element)
    {
        if (element == null)
        {
            return "";
        }
        var text = new StringBuilder();
        Append(element, text);
        return Collapse(text);
    }

    private static void Append(XElement element, StringBuilder text)
    {
        foreach (XNode node in element.Nodes())
        {
            switch (node)
            {
                case XText run:
                    text.Append(run.Value);
                    break;
                case XElement child when Reference(child) is { } name:
                    text.Append(name);
                    break;
                case XElement child:
                    // Blocks (para, item, ...) end words; c, see and the like stand within them.
                    bool isInline = child.Name.LocalName is "c" or "see" or "seealso" or "em" or "b" or "i" or "a" or "strong";
                    text.Append(isInline ? "" : " ");
                    Append(child, text);
                    text.Append(isInline ? "" : " ");
                    break;
                default:
                    break;
            }
        }
    }

    private static string? Reference(XElement element) => element.Name.LocalName switch
    {
        "paramref" or "typeparamref" => (string?)element.Attribute("name") ?? "",
        "see" or "seealso" when string.IsNullOrWhiteSpace(element.Value) =>
            element.Attribute("cref") is { } cref ? MemberName.Parse(cref.Value).ShortName
            : (string?)element.Attribute("langword") ?? (string?)element.Attribute("href") ?? "",
        _ => null,
    };

    private static string Collapse(StringBuilder text)
    {
        var result = new StringBuilder(text.Length);
        bool pending = false;
        foreach (ReadOnlyMemory<char> chunk in text.GetChunks())
        {
            foreach (char c in chunk.Span)
            {
                if (char.IsWhiteSpace(c))
                {
                    pending = result.Length > 0;
                    continue;
                }
                if (pending)
                {
                    result.Append(' ');
                    pending = false;
                }
                result.Append(c);
            }
        }
        return result.ToString();
    }
}
