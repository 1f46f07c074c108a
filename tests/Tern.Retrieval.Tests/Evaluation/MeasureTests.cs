using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class MeasureTests
{
    [Theory]
    [InlineData("nDCG@10", "ndcg_cut_10")]
    [InlineData("ndcg_cut.10", "ndcg_cut_10")]
    [InlineData("RR", "recip_rank")]
    [InlineData("MRR@10", "RR@10")]
    [InlineData("R@100", "recall_100")]
    [InlineData("AP", "map")]
    [InlineData("MAP@100", "map_cut_100")]
    [InlineData("Success@5", "success_5")]
    [InlineData("mrr_at_10", "RR@10")]
    [InlineData("Recall@5", "recall_5")]
    [InlineData("IPrec@0.1", "iprec_at_recall.0.1")]
    [InlineData("Rprec_mult_0.20", "Rprec_mult.0.2")]
    public void TwoNamesOfOneMeasureAgree(string first, string second)
    {
        Measure a = Measure.Parse(first), b = Measure.Parse(second);
        Assert.Equal((a.Kind, a.Cutoff, a.Gain), (b.Kind, b.Cutoff, b.Gain));
        Assert.Equal(a.Parameters, b.Parameters);
        Assert.Equal(first.Replace("cut.", "cut_", StringComparison.Ordinal), a.Name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nDCG@")]
    [InlineData("nDCG@0")]
    [InlineData("P@x")]
    [InlineData("prec@5")]
    [InlineData("set_P@5")]
    [InlineData("utility.1,2")]
    [InlineData("ndcg.x=1")]
    [InlineData("recall.0")]
    [InlineData("R")]
    [InlineData("RR@10.5")]
    public void UnknownNamesListWhatThereIs(string name) =>
        Assert.Contains("recip_rank", Assert.Throws<ArgumentException>(() => Measure.Parse(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void ListsRepeatAStemAfterAComma()
    {
        Assert.Equal(["ndcg_cut_10", "ndcg_cut_20", "RR@10", "P@5", "map"], Measure.ParseList("ndcg_cut.10,20 RR@10 P@5,map").Select(m => m.Name));
        Assert.Equal(30, Measure.TrecDefault.Count);
    }

    [Fact]
    public void ALevelInTheNameIsKept() => Assert.Equal(2, Measure.Parse("P(rel=2)@5").RelevanceLevel);

    [Fact]
    public void TrecEvalsReportsAndDefaultsAreKnown()
    {
        Assert.Equal(["P_5", "P_10", "P_15", "P_20", "P_30", "P_100", "P_200", "P_500", "P_1000"], Measure.ParseList("P").Select(m => m.Name));
        Assert.DoesNotContain("unj_5", Measure.ParseList("all_trec").Select(m => m.Name));
        Assert.Contains("unj_5", Measure.ParseList("all_trec", EvaluationSemantics.Trec10).Select(m => m.Name));
        Assert.Equal(["map", "P_5", "P_10", "ndcg_cut_3", "nDCG@3"], Measure.InTrecOrder(Measure.ParseList("nDCG@3 ndcg_cut.3 P.10,5 map map")).Select(m => m.Name));
        Assert.Equal(["utility_1,-1,0,0", "11pt_avg_0.2,0.8", "ndcg_1=2,2=5"], Measure.ParseList("utility.1,-1,0,0 11pt_avg.0.2,0.8 ndcg.1=2,2=5").Select(m => m.Name));
        Assert.Contains("'foo=1'", Assert.Throws<ArgumentException>(() => Measure.Parse("nDCG(foo=1)@5")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nDCG@10", "ndcg_at_10")]
    [InlineData("AP@100", "map_at_100")]
    [InlineData("R@100", "recall_at_100")]
    [InlineData("RR@10", "mrr_at_10")]
    [InlineData("nDCG(dcg=binary)@10", null)]
    [InlineData("P(rel=2)@5", null)]
    [InlineData("AP", null)]
    public void BeirsAndMtebsKeys(string name, string? key) => Assert.Equal(key, Measure.Parse(name).MtebKey);
}
