using System.Text;
using System.Text.RegularExpressions;

namespace Tern.Text;

/// <summary>
/// A documentation id without parameters and arity: "M:System.Collections.BitArray.CopyTo(System.Array,System.Int32)" is the method
/// CopyTo of the type System.Collections.BitArray.
/// </summary>
internal sealed partial record MemberName(char Prefix, string TypeName, string MemberPart, string ShortName)
{
    public static MemberName Parse(string id)
    {
        bool hasPrefix = id.Length > 2 && id[1] == ':';
        char prefix = hasPrefix ? id[0] : 'T';
        ReadOnlySpan<char> name = hasPrefix ? id.AsSpan(2) : id;
        int end = name.IndexOfAny('(', '~');
        string plain = Arity().Replace((end < 0 ? name : name[..end]).ToString(), "");
        int dot = plain.LastIndexOf('.');
        string last = plain[(dot + 1)..];
        if (prefix is 'T' or 'N' || dot < 0)
        {
            return new MemberName(prefix, plain, last, last);
        }
        string type = plain[..dot];
        bool isConstructor = last is "#ctor" or "#cctor";
        // Explicit implementations are written Interface#Member, with # for every dot of the interface's name.
        string part = isConstructor ? type[(type.LastIndexOf('.') + 1)..] : last.Replace('#', '.');
        string shortName = part[(part.LastIndexOf('.') + 1)..];
        bool isOperator = shortName.StartsWith("op_", StringComparison.Ordinal);
        return new MemberName(isConstructor ? 'C' : isOperator ? 'O' : prefix, type, part, isOperator ? shortName[3..] : shortName);
    }

    public string FullName => Prefix is 'T' or 'N' ? TypeName : $"{TypeName}.{MemberPart}";

    public string Kind => Prefix switch
    {
        'T' => "type",
        'N' => "namespace",
        'C' => "constructor",
        'O' => "operator",
        'P' => "property",
        'F' => "field",
        'E' => "event",
        _ => "method",
    };

    /// <summary>"ReadOnlySpan" is "Read Only Span", "IOException" "IO Exception", "Get_Value" "Get Value".</summary>
    public static string InWords(string name)
    {
        var words = new StringBuilder(name.Length + 8);
        for (int i = 0; i < name.Length; i++)
        {
            bool starts = i > 0 && char.IsUpper(name[i])
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (starts && words[^1] != ' ')
            {
                words.Append(' ');
            }
            words.Append(name[i] is '_' or '.' or '#' ? ' ' : name[i]);
        }
        return words.ToString().Trim();
    }

    [GeneratedRegex("`+[0-9]+")]
    private static partial Regex Arity();
}
