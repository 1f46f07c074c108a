namespace Tern.Pipelines.Demo.Report;

/// <summary>What was run on what, by hash, and the commands that do it again.</summary>
internal static class ReproduceSection
{
    public static void Render(HtmlText page, DemoResults results)
    {
        page.Element("h2", "Do it again");
        page.Element("pre", results.Command);
        page.Element("p", "Step counts given, the same collection on the same code gives the same numbers; only the times differ. Then ask the index yourself:");
        page.Element("pre", "artifacts/bin/tern search --index artifacts/demo/index/sparse \"make a copy of part of an array\"");
        page.Markup("<dl>");
        Entry(page, "collection", $"{results.Collection.Name}, {results.Collection.Source}");
        Entry(page, "collection hash", results.Collection.Fingerprint);
        Entry(page, "sparse model", results.SparseTraining.ModelFingerprint);
        Entry(page, "dense model", results.DenseTraining.ModelFingerprint);
        Entry(page, "machine", results.Machine);
        Entry(page, "runtime", results.Dotnet);
        page.Markup("</dl>\n");
        page.Element("h3", "Seconds by stage");
        page.Markup("<div class=\"scroll\"><table><tbody>\n");
        foreach ((string stage, double seconds) in results.Seconds)
        {
            page.Markup("<tr>").Element("td", stage).Element("td", HtmlText.Format(seconds, "0.0")).Markup("</tr>\n");
        }

        page.Markup("<tr>").Element("td", "all").Element("td", HtmlText.Format(results.Seconds.Values.Sum(), "0.0"), "class=\"best\"").Markup("</tr></tbody></table></div>\n");
        page.Markup("<details><summary>The recipe</summary>").Element("pre", ResultsFile.Write(results.Recipe)).Markup("</details>\n");
    }

    private static void Entry(HtmlText page, string name, string value) => page.Element("dt", name).Element("dd", value);
}
