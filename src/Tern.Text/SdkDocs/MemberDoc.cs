using System.Xml;
using System.Xml.Linq;

namespace Tern.Text;

/// <summary>What a documentation file says of one member: its id, summary, and the texts of its parameters and result.</summary>
internal sealed record MemberDoc(string Id, string Summary, List<string> Details)
{
    /// <summary>The members of a file that have a summary.</summary>
    public static List<MemberDoc> ReadAll(string path)
    {
        var docs = new List<MemberDoc>();
        using XmlReader reader = XmlReader.Create(path, new XmlReaderSettings { IgnoreComments = true, DtdProcessing = DtdProcessing.Prohibit });
        try
        {
            while (reader.ReadToFollowing("member"))
            {
                if (reader.GetAttribute("name") is { } id && Read(reader, id) is { Summary.Length: > 0 } doc)
                {
                    docs.Add(doc);
                }
            }
        }
        catch (XmlException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber}: not valid XML: {e.Message}", e);
        }
        return docs;
    }

    // Remarks and examples, most of a file, are skipped unparsed.
    private static MemberDoc Read(XmlReader reader, string id)
    {
        string summary = "";
        var details = new List<string>();
        using XmlReader member = reader.ReadSubtree();
        member.Read();
        member.Read();
        while (!member.EOF)
        {
            if (member.NodeType != XmlNodeType.Element)
            {
                member.Read();
            }
            else if (member.Name is not ("summary" or "param" or "returns"))
            {
                member.Skip();
            }
            else
            {
                var element = (XElement)XNode.ReadFrom(member);
                string text = XmlDocText.Of(element);
                if (element.Name.LocalName == "summary")
                {
                    summary = text;
                }
                else if (text.Length > 0)
                {
                    details.Add(text);
                }
            }
        }
        return new MemberDoc(id, summary, details);
    }
}
