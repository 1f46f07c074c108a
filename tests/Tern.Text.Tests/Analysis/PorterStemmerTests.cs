namespace Tern.Text.Tests.Analysis;

public sealed class PorterStemmerTests
{
    // The examples of the rules in Porter's paper, each after all steps.
    [Theory]
    [InlineData("caresses caress ponies poni ties ti caress caress cats cat")]
    [InlineData("feed feed agreed agre plastered plaster bled bled motoring motor sing sing")]
    [InlineData("conflated conflat troubled troubl sized size hopping hop tanned tan falling fall hissing hiss fizzed fizz failing fail filing file")]
    [InlineData("happy happi sky sky")]
    [InlineData("relational relat conditional condit rational ration valenci valenc hesitanci hesit digitizer digit conformabli conform radicalli radic differentli differ vileli vile analogousli analog")]
    [InlineData("vietnamization vietnam predication predic operator oper feudalism feudal decisiveness decis hopefulness hope callousness callous formaliti formal sensitiviti sensit sensibiliti sensibl")]
    [InlineData("triplicate triplic formative form formalize formal electriciti electr electrical electr hopeful hope goodness good")]
    [InlineData("revival reviv allowance allow inference infer airliner airlin gyroscopic gyroscop adjustable adjust defensible defens irritant irrit replacement replac adjustment adjust dependent depend adoption adopt homologou homolog communism commun activate activ angulariti angular homologous homolog effective effect bowdlerize bowdler")]
    [InlineData("probate probat rate rate cease ceas controll control roll roll")]
    [InlineData("generalizations gener oscillators oscil")]
    [InlineData("apology apolog archaeology archaeolog possibly possibl")]
    [InlineData("a a is is ies i as as by by sss sss yes ye say sai eed eed ing ing")]
    [InlineData("naïve naïv écoles école 1980s 1980")]
    public void Stems(string pairs)
    {
        string[] words = pairs.Split(' ');
        for (int i = 0; i < words.Length; i += 2)
        {
            char[] buffer = [.. words[i], ' '];
            string stem = new(buffer, 0, PorterStemmer.Stem(buffer, words[i].Length));
            Assert.True(stem == words[i + 1], $"{words[i]}: expected {words[i + 1]}, got {stem}");
        }
    }
}
