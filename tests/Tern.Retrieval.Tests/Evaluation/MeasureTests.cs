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
    [InlineData("Rprec_mult_0.20", "Rprec_mult.0.2")]
    public void TwoNamesOfOneMeasureAgree(string first, string second)
    {
        Measure a = Measure.Parse(first), b = Measure.Parse(second);
        Assert.Equal((a.Kind, a.Cutoff, a.Fraction), (b.Kind, b.Cutoff, b.Fraction));
        Assert.Equal(first, a.Name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nDCG@")]
    [InlineData("nDCG@0")]
    [InlineData("P")]
    [InlineData("P@x")]
    [InlineData("precision@5")]
    [InlineData("set_P@5")]
    [InlineData("RR@10.5")]
    public void UnknownNamesListWhatThereIs(string name) =>
        Assert.Contains("recip_rank", Assert.Throws<ArgumentException>(() => Measure.Parse(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void ListsRepeatAStemAfterAComma()
    {
        Assert.Equal(["ndcg_cut.10", "ndcg_cut.20", "RR@10", "P@5", "map"], Measure.ParseList("ndcg_cut.10,20 RR@10 P@5,map").Select(m => m.Name));
        Assert.Equal(29, Measure.TrecDefault.Count);
    }

    [Fact]
    public void ALevelInTheNameIsKept() => Assert.Equal(2, Measure.Parse("P(rel=2)@5").RelevanceLevel);
}
