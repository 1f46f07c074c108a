using System.Runtime.InteropServices;
using System.Text;
using Tern.Retrieval;
using Tern.Tests;
using Xunit;

namespace Tern.CApi.Tests;

/// <summary>The exports through the pointers that C has, without the native compiler.</summary>
public sealed unsafe class ExportsTests(TinyIndexes indexes) : IClassFixture<TinyIndexes>
{
    private static readonly delegate* unmanaged[Cdecl]<byte*, Options*, void**, Status> Open = &Exports.Open;
    private static readonly delegate* unmanaged[Cdecl]<void*, byte*, int, Vector**, Status> Encode = &Exports.Encode;
    private static readonly delegate* unmanaged[Cdecl]<void*, byte*, int, Hits**, Status> Search = &Exports.Search;
    private static readonly delegate* unmanaged[Cdecl]<void*, byte*, byte*, Explanation**, Status> Explain = &Exports.Explain;
    private static readonly delegate* unmanaged[Cdecl]<void*, void> Free = &Exports.Free;
    private static readonly delegate* unmanaged[Cdecl]<byte*> LastErrorText = &Exports.GetLastError;

    [Fact]
    public void SparseVectorIsTheLibrarys()
    {
        using RetrieverModel model = RetrieverModel.Load(indexes.Model);
        SparseVector expected = model.EncodeSparse(["red fox"], RetrievalSide.Query)[0];
        void* retriever = OpenOk(indexes.Model);
        Vector* vector = null;
        fixed (byte* text = "red fox\0"u8)
        {
            Assert.Equal(Status.Ok, Encode(retriever, text, 0, &vector));
        }

        Assert.Equal(expected.Terms.ToArray(), new ReadOnlySpan<int>(vector->Terms, vector->Count).ToArray());
        Assert.Equal(expected.Weights.ToArray(), new ReadOnlySpan<float>(vector->Values, vector->Count).ToArray());
        Free(vector);
        Free(retriever);
    }

    [Fact]
    public void PositionsCountBytesOfTheText()
    {
        string text = "Straße – the golden snake, naïve"; // a document beyond ASCII
        using var directory = new TemporaryDirectory();
        using (RetrieverModel model = RetrieverModel.Load(indexes.Model))
        {
            IndexWriter.WriteLearned(directory["index"], model, indexes.Model, [new Text.Document("1", "", text)]);
        }

        void* retriever = OpenOk(directory["index"]);
        Explanation* explanation = null;
        fixed (byte* query = "golden snake\0"u8, id = "1\0"u8)
        {
            Assert.Equal(Status.Ok, Explain(retriever, query, id, &explanation));
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal(text, Marshal.PtrToStringUTF8((nint)explanation->Text));
        using Retriever managed = Retriever.Open(directory["index"]);
        QueryExplanation expected = managed.Explain("golden snake", "1");
        Assert.Contains(expected.Spans, s => s is { Start: > 7 });
        for (int i = 0; i < explanation->Count; i++)
        {
            Term term = explanation->Items[i];
            if (expected.Spans[i] is { } span)
            {
                Assert.Equal(text.Substring(span.Start, span.Length), Encoding.UTF8.GetString(bytes, term.Start, term.Length));
            }
        }

        Free(explanation);
        Free(retriever);
    }

    [Fact]
    public void MessageBelongsToTheThread()
    {
        void* retriever = null;
        fixed (byte* path = "/no/such/place\0"u8)
        {
            Assert.Equal(Status.BadInput, Open(path, null, &retriever));
        }

        Assert.Contains("/no/such/place", Message(), StringComparison.Ordinal);
        string other = "unset";
        var thread = new Thread(() => other = Message());
        thread.Start();
        thread.Join();
        Assert.Equal("", other);
        Assert.Contains("/no/such/place", Message(), StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedIndexIsBadInput()
    {
        using var directory = new TemporaryDirectory();
        foreach (string file in Directory.GetFiles(indexes.Bm25))
        {
            File.Copy(file, directory[Path.GetFileName(file)]);
        }

        File.WriteAllText(directory["index.json"], "{ not JSON");
        void* retriever = (void*)1;
        fixed (byte* path = Encoding.UTF8.GetBytes(directory.Path + '\0'))
        {
            Assert.Equal(Status.BadInput, Open(path, null, &retriever));
        }

        Assert.True(retriever == null);
        Assert.Contains("index.json", Message(), StringComparison.Ordinal);
    }

    [Fact]
    public void FreedOrForeignHandlesAreRefused()
    {
        void* retriever = OpenOk(indexes.Bm25);
        Hits* hits = null;
        fixed (byte* query = "fox\0"u8)
        {
            Assert.Equal(Status.Ok, Search(retriever, query, 3, &hits));
            Assert.Equal(3, hits->Count);
            Hits* more = null;
            Assert.Equal(Status.Usage, Search(hits, query, 3, &more)); // a result is no retriever
            Assert.True(more == null);
        }

        Free(hits);
        Free(retriever);
    }

    [Fact]
    public void ThreadsAndModelDirectoryAreOptions()
    {
        using var directory = new TemporaryDirectory();
        string moved = directory["moved"];
        Directory.CreateDirectory(moved);
        foreach (string file in Directory.GetFiles(indexes.Model))
        {
            File.Copy(file, Path.Combine(moved, Path.GetFileName(file)));
        }

        fixed (byte* model = Encoding.UTF8.GetBytes(moved + '\0'), path = Encoding.UTF8.GetBytes(indexes.Sparse + '\0'), wrong = "/no/model/here\0"u8)
        {
            var options = new Options { Size = (nuint)sizeof(Options), ModelDirectory = model, Threads = 1, SkipVerification = 1 };
            void* retriever = null;
            Assert.Equal(Status.Ok, Open(path, &options, &retriever));
            Free(retriever);
            options.ModelDirectory = wrong;
            Assert.Equal(Status.BadInput, Open(path, &options, &retriever));
            options.ModelDirectory = model;
            options.Threads = -1;
            Assert.Equal(Status.Usage, Open(path, &options, &retriever));
        }
    }

    private static void* OpenOk(string directory)
    {
        void* retriever = null;
        fixed (byte* path = Encoding.UTF8.GetBytes(directory + '\0'))
        {
            Status status = Open(path, null, &retriever);
            Assert.True(status == Status.Ok, Message());
        }

        return retriever;
    }

    private static string Message() => Marshal.PtrToStringUTF8((nint)LastErrorText())!;
}
