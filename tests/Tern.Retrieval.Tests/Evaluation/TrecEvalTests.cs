using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class TrecEvalTests
{
    [Fact]
    public void NdcgHasLinearGainsAndIgnoresTheRelevanceLevel()
    {
        (Qrels qrels, Run run) = Example();
        Assert.Equal(0.7884, Evaluate(qrels, run, "nDCG@10"), 4);
        Assert.Equal(0.7884, Evaluate(qrels, run, "ndcg", new EvaluationOptions { RelevanceLevel = 2 }), 4);
        Assert.Equal(1.0, Evaluate(qrels, run, "RR"));
        Assert.Equal(0.5, Evaluate(qrels, run, "RR", new EvaluationOptions { RelevanceLevel = 2 }));
        Assert.Equal(0.9167, Evaluate(qrels, run, "AP"), 4);
        Assert.Equal(0.5, Evaluate(qrels, run, "map", new EvaluationOptions { RelevanceLevel = 2 }), 4);
        Assert.Equal(0.5, Evaluate(qrels, run, "RR(rel=2)@10"));
    }

    [Fact]
    public void NdcgsVariantsAreNamed()
    {
        (Qrels qrels, Run run) = Example();
        Assert.Equal(0.7884, Evaluate(qrels, run, "nDCG(dcg=log2)@10"), 4);
        Assert.Equal(0.7142, Evaluate(qrels, run, "nDCG(dcg='exp-log2')@10"), 4);
        Assert.Equal(0.7142, Evaluate(qrels, run, "nDCG_burges@10"), 4);
        Assert.Equal(0.9675, Evaluate(qrels, run, "nDCG(dcg=binary)@10"), 4);

        // Levels 1, 3, none, 2 at ranks 1 to 4 satisfy with 1/16, 7/16, 0 and 3/16.
        Assert.Equal((1.0 / 16) + (15.0 / 16 * 7 / 16 / 2) + (15.0 / 16 * 9 / 16 * 3 / 16 / 4), Evaluate(qrels, run, "ERR@20"), 12);
    }

    [Fact]
    public void TheNewerRulesRefuseARunThatLacksATopic()
    {
        (Qrels qrels, Run run) = Example();
        qrels.Add("lost", "a", 1);
        var rules = new EvaluationOptions { Semantics = EvaluationSemantics.Trec10 };
        Assert.Contains("'lost'", Assert.Throws<InvalidDataException>(() => Evaluate(qrels, run, "AP", rules)).Message, StringComparison.Ordinal);
        Assert.Equal(0.4583, Evaluate(qrels, run, "AP", rules with { CompleteTopics = true }), 4);
        Assert.Equal(0.9167, Evaluate(qrels, run, "AP"), 4);
    }

    [Theory]
    [InlineData("RR", 1.0 / 3)]
    [InlineData("RR@2", 0)]
    [InlineData("RR@3", 1.0 / 3)]
    [InlineData("P@5", 0.4)]
    [InlineData("P@10", 0.2)]
    [InlineData("R@3", 1.0 / 3)]
    [InlineData("R@100", 2.0 / 3)]
    [InlineData("AP", (1.0 / 3 + 2.0 / 5) / 3)]
    [InlineData("AP@4", 1.0 / 9)]
    [InlineData("map_cut_4", 1.0 / 9)]
    [InlineData("Success@2", 0)]
    [InlineData("Success@3", 1)]
    [InlineData("Rprec", 1.0 / 3)]
    [InlineData("bpref", (0 + 0.0) / 3)]
    [InlineData("num_ret", 6)]
    [InlineData("num_rel", 3)]
    [InlineData("num_rel_ret", 2)]
    [InlineData("num_nonrel_judged_ret", 1)]
    [InlineData("iprec_at_recall_0.00", 0.4)]
    [InlineData("iprec_at_recall_0.50", 0.4)]
    [InlineData("iprec_at_recall_1.00", 0)]
    [InlineData("set_P", 1.0 / 3)]
    [InlineData("set_recall", 2.0 / 3)]
    [InlineData("set_F", 4.0 / 9)]
    [InlineData("unj_5", 0.4)]
    [InlineData("Judged@5", 0.6)]
    [InlineData("Judged@20", 0.5)] // a short ranking is not filled
    [InlineData("R_cap@2", 0)]
    [InlineData("R_cap@3", 1.0 / 3)]
    [InlineData("R_cap@5", 2.0 / 3)]
    [InlineData("Accuracy@3", 1)]
    [InlineData("RBP(p=0.5)", 0.5 * (0.25 + 0.0625))]
    [InlineData("SetF(beta=1)", 4.0 / 9)]
    [InlineData("ndcg_at_2", 0)]
    public void ComputesByHandOnASmallRanking(string measure, double expected)
    {
        // Ranks:      1 unjudged, 2 judged 0, 3 relevant, 4 unjudged, 5 relevant, 6 unjudged; one relevant is missing.
        var qrels = new Qrels();
        var run = new Run();
        foreach ((string document, int level) in new[] { ("zero", 0), ("one", 1), ("two", 1), ("missing", 1) })
        {
            qrels.Add("q", document, level);
        }

        string[] ranking = ["u1", "zero", "one", "u2", "two", "u3"];
        for (int i = 0; i < ranking.Length; i++)
        {
            run.Add("q", ranking[i], 10 - i);
        }

        Assert.Equal(expected, Evaluate(qrels, run, measure), 12);
    }

    [Fact]
    public void BreaksTiesByDescendingBytesAndIgnoresRanks()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("run");
        // In UTF-16 order the emoji (surrogates) would stand below the full-width tilde; in bytes it is above.
        File.WriteAllText(path, "q Q0 \uFF5E 1 0.5 t\nq Q0 a 2 0.5 t\nq Q0 😀 3 0.5 t\nq Q0 b 4 0.75 t\n");
        Run run = Run.Read(path);
        Assert.Equal(["b", "😀", "\uFF5E", "a"], run["q"].Select(d => d.Id));
        var qrels = new Qrels();
        qrels.Add("q", "😀", 1);
        Assert.Equal(0.5, Evaluate(qrels, run, "recip_rank"));
    }

    [Fact]
    public void ScoresThatDifferBelowFloat32AreTies()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("run");
        File.WriteAllText(path, "q Q0 a 1 1.00000001 t\nq Q0 b 2 1.0 t\n");
        Assert.Equal(["b", "a"], Run.Read(path)["q"].Select(d => d.Id));
    }

    [Fact]
    public void AveragesOverTheIntersectionOrOverAllTopics()
    {
        var qrels = new Qrels();
        qrels.Add("1", "a", 1);
        qrels.Add("2", "a", 1);
        qrels.Add("none", "a", 0);
        var run = new Run();
        run.Add("1", "a", 1f);
        run.Add("none", "a", 1f);
        run.Add("unjudged topic", "a", 1f);
        Measure measure = Measure.Parse("RR@10");
        Assert.Equal(0.5, TrecEval.Evaluate(qrels, run, [measure]).Summary(measure));
        EvaluationReport complete = TrecEval.Evaluate(qrels, run, [measure], new EvaluationOptions { CompleteTopics = true });
        Assert.Equal(1.0 / 3, complete.Summary(measure));
        Assert.Equal(["1", "2", "none"], complete.Topics);
        Assert.Equal([1.0, 0.0, 0.0], complete.PerTopic(measure));
    }

    [Fact]
    public void MaxDocumentsAndJudgedOnlyCutTheRanking()
    {
        (Qrels qrels, Run run) = Example();
        Assert.Equal(2, Evaluate(qrels, run, "num_ret", new EvaluationOptions { MaxDocuments = 2 }));
        Assert.Equal(3, Evaluate(qrels, run, "num_ret", new EvaluationOptions { JudgedDocumentsOnly = true }));
        Assert.Equal(1.0, Evaluate(qrels, run, "P@3", new EvaluationOptions { JudgedDocumentsOnly = true }));
    }

    [Fact]
    public void PrintsAsTrecEvalDoesRoundingTiesToEven()
    {
        var qrels = new Qrels();
        qrels.Add("q", "relevant", 1);
        var run = new Run("TAG");
        run.Add("q", "relevant", 0f);
        for (int i = 0; i < 31; i++)
        {
            run.Add("q", $"d{i}", 1f);
        }

        var writer = new StringWriter();
        TrecEval.Evaluate(qrels, run, Measure.ParseList("runid num_q recip_rank gm_map P.5,10")).Write(writer, perTopic: true);
        Assert.Equal(
            "recip_rank            \tq\t0.0312\nP_5                   \tq\t0.0000\nP_10                  \tq\t0.0000\n"
            + "runid                 \tall\tTAG\nnum_q                 \tall\t1\nrecip_rank            \tall\t0.0312\ngm_map                \tall\t0.0312\nP_5                   \tall\t0.0000\nP_10                  \tall\t0.0000\n",
            writer.ToString());
    }

    [Fact]
    public void ADocumentListedTwiceIsAnError()
    {
        (Qrels qrels, Run run) = Example();
        run.Add("q", "a", 0f);
        Assert.Contains("lists document 'a' twice", Assert.Throws<ArgumentException>(() => Evaluate(qrels, run, "AP")).Message, StringComparison.Ordinal);
    }

    /// <summary>Judgements a=3, b=2, c=1; ranking c, a, z, b.</summary>
    private static (Qrels Qrels, Run Run) Example()
    {
        var qrels = new Qrels();
        qrels.Add("q", "a", 3);
        qrels.Add("q", "b", 2);
        qrels.Add("q", "c", 1);
        var run = new Run();
        run.Add("q", "b", 1f);
        run.Add("q", "z", 2f);
        run.Add("q", "a", 3f);
        run.Add("q", "c", 4f);
        return (qrels, run);
    }

    private static double Evaluate(Qrels qrels, Run run, string measure, EvaluationOptions? options = null) =>
        TrecEval.Evaluate(qrels, run, [Measure.Parse(measure)], options)[measure];
}
