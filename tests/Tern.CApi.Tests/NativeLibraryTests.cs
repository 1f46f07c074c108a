using System.Globalization;
using System.Text;
using Tern.Compute;
using Tern.Retrieval;
using Tern.TestKit;
using Tern.Tests;
using Xunit;

namespace Tern.CApi.Tests;

/// <summary>
/// The library as native code, used by a C program: what it prints is what the managed library gives, bit for bit, on the
/// widest vectors of this machine.
/// </summary>
public sealed class NativeLibraryTests(TinyIndexes indexes) : IClassFixture<TinyIndexes>
{
    private const string Query = "the golden snake near café";
    private const string DocumentId = "golden-snake";

    [NativeLibraryFact]
    public void CProgramGetsWhatTheManagedLibraryGives()
    {
        bool wide = System.Runtime.Intrinsics.X86.Avx512DQ.VL.IsSupported && SimdPaths.Current.Name == "vector512";
        Succeed("bash", "build.sh", "capi", wide ? "x86-64-v4" : "x86-64-v3");
        string library = wide ? "artifacts/capi/lib/glibc-hwcaps/x86-64-v4" : "artifacts/capi/lib";
        using var directory = new TemporaryDirectory();
        Succeed("cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", "artifacts/capi/include",
            "tests/Tern.CApi.Tests/c/check_tern.c", "-o", directory["check_tern"], "-L", library, "-ltern", "-lpthread", $"-Wl,-rpath,{Repository.PathOf(library)}");
        string output = Succeed(directory["check_tern"], indexes.Sparse, indexes.Dense, indexes.Bm25, indexes.Model, Query, DocumentId);

        Assert.Equal(Expected(), output);
    }

    private static string Succeed(string program, params string[] arguments)
    {
        ProgramResult result = ProgramResult.Of(program, arguments, TimeSpan.FromMinutes(8));
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.Output}");
        return result.Output;
    }

    private string Expected()
    {
        var lines = new StringBuilder();
        using Retriever sparse = Retriever.Open(indexes.Sparse), dense = Retriever.Open(indexes.Dense), bm25 = Retriever.Open(indexes.Bm25);
        Line($"version {typeof(Exports).Assembly.GetName().Version!.ToString(3)}");
        Line($"simd {SimdPaths.Current.Name}");
        Vector("sparse-query", RetrievalSide.Query);
        Vector("sparse-document", RetrievalSide.Document);
        float[] values = dense.Model!.EncodeDense([Query], RetrievalSide.Query)[0];
        for (int i = 0; i < values.Length; i++)
        {
            Line($"dense-query {i} {Bits(values[i])}");
        }

        Hits("sparse-hit", sparse);
        Hits("dense-hit", dense);
        Hits("bm25-hit", bm25);
        Terms("sparse-term", sparse);
        Terms("dense-term", dense);
        Terms("bm25-term", bm25);
        return lines.Replace('\0', '\u001A').ToString(); // a zero byte would end a C string

        void Line(FormattableString line) => lines.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

        void Vector(string label, RetrievalSide side)
        {
            SparseVector vector = sparse.Model!.EncodeSparse([Query], side)[0];
            Assert.True(vector.Count > 0);
            for (int i = 0; i < vector.Count; i++)
            {
                Line($"{label} {vector.Terms.Span[i]} {Bits(vector.Weights.Span[i])}");
            }
        }

        void Hits(string label, Retriever retriever)
        {
            foreach (SearchResult hit in retriever.Search(Query, 5))
            {
                Line($"{label} {hit.Id} {Bits(hit.Score)} {hit.Document!.Name}");
            }
        }

        void Terms(string label, Retriever retriever)
        {
            QueryExplanation explanation = retriever.Explain(Query, DocumentId);
            string text = explanation.Result.Document!.Text;
            Line($"{label} score {Bits(explanation.Result.Score)}");
            foreach ((MatchedTerm term, TextSpan? span) in explanation.Result.Terms.Zip(explanation.Spans))
            {
                // The documents are ASCII: characters are bytes.
                string from = span is { } s ? $"{s.Start} [{text.Substring(s.Start, s.Length)}]" : "-1";
                Line($"{label} {Bits(term.Contribution)} {(term.IsExpansion ? 1 : 0)} {from} {term.Text}");
            }
        }
    }

    private static string Bits(float value) => BitConverter.SingleToUInt32Bits(value).ToString("x8", CultureInfo.InvariantCulture);
}
