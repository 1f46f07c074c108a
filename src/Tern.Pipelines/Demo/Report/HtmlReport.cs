namespace Tern.Pipelines.Demo.Report;

/// <summary>Renders <c>report.html</c>: one file with its styles and pictures inside, no script and no address of another host.</summary>
public static class HtmlReport
{
    public static string Render(DemoReport report)
    {
        DemoResults results = report.Results;
        var page = new HtmlText();
        page.Markup("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Tern: ")
            .Text(results.Collection.Name).Markup("</title>\n<style>\n").Markup(PageStyle.Css).Markup("\n</style></head><body>\n");
        page.Element("h1", $"Tern on {results.Collection.Name}");
        page.Element("p", FormattableString.Invariant($"A learned sparse and a learned dense retriever, both small Llamas trained from random weights on {results.Collection.TrainExamples:#,0} pairs, beside BM25."));
        HeadlineSection.Render(page, results);
        AblationSection.Render(page, results);
        ExplainedSection.Render(page, report.Examples);
        WinsLossesSection.Render(page, report.Outcomes);
        TrainingSection.Render(page, report);
        ReproduceSection.Render(page, results);
        return page.Markup("</body></html>\n").ToString();
    }
}
