using Tern.Model;
using Tern.Retrieval;
using Xunit;

namespace Tern.Tests.Encoding;

/// <summary>Batching across callers. The tests hold the network to let requests gather; none depends on how long anything takes.</summary>
public sealed class EncodeQueueTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly TemporaryDirectory _directory = new();
    private readonly string _sparse;

    public EncodeQueueTests() => _sparse = TinyModel.Write(_directory["m"], RepresentationKind.Sparse);

    /// <summary>With a day's delay, a caller that paid it would not come back.</summary>
    [Fact]
    public async Task ALoneCallerIsNeverKeptBack()
    {
        using var model = Load(new ModelOptions { MaxQueueDelay = TimeSpan.FromDays(1) });
        await Task.Run(() =>
        {
            for (int i = 0; i < 20; i++)
            {
                Assert.NotEmpty(Encode(model, "golden horse").Terms.ToArray());
            }
        }).WaitAsync(Patience);
        for (int i = 0; i < 20; i++)
        {
            await model.EncodeSparseAsync(["golden horse"], RetrievalSide.Query).WaitAsync(Patience);
        }

        Assert.Equal(40, model.Queue.BatchCount);
    }

    /// <summary>The delay is for callers that were in company: those of the last batch are waited for.</summary>
    [Fact]
    public async Task CallersOfTheLastBatchAreWaitedForAndComeTogether()
    {
        using var model = Load(new ModelOptions { MaxQueueDelay = TimeSpan.FromDays(1) });
        Task[] first = await Gathered(model, TinyModel.Colors.Length, i => Encode(model, TinyModel.Colors[i % TinyModel.Colors.Length]));
        await Task.WhenAll(first).WaitAsync(Patience);
        long before = model.Queue.BatchCount;
        Assert.Equal(2, before);
        int company = TinyModel.Colors.Length - 1; // The first of them ran alone.
        Task[] second = [.. Enumerable.Range(0, company).Select(i => OnThread(() => Encode(model, TinyModel.Animals[i])))];
        await Task.WhenAll(second).WaitAsync(Patience);
        Assert.Equal(before + 1, model.Queue.BatchCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ATextHasTheSameBitsInAnyCompany(bool async)
    {
        using var model = Load();
        string[] texts = [.. TinyModel.Animals.Select(a => $"a {a}"), "", "the golden mouse and the red fox, near the river"];
        SparseVector[] alone = [.. texts.Select(t => Encode(model, t))];
        long before = model.Queue.BatchCount;
        var together = new SparseVector[texts.Length];
        Task[] calls = await Gathered(model, texts.Length, i => together[i] = Encode(model, texts[i]), async
            ? async i => together[i] = (await model.EncodeSparseAsync([texts[i]], RetrievalSide.Query)).Vectors[0]
            : null);
        await Task.WhenAll(calls).WaitAsync(Patience);
        Assert.Equal(before + 2, model.Queue.BatchCount);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(alone[i].Terms.ToArray(), together[i].Terms.ToArray());
            Assert.Equal(alone[i].Weights.ToArray(), together[i].Weights.ToArray());
        }
    }

    [Fact]
    public async Task BatchesKeepToTheirBound()
    {
        using var model = Load(new ModelOptions { MaxBatchTexts = 3, MaxQueueDelay = TimeSpan.Zero });
        Task[] calls = await Gathered(model, 10, i => Encode(model, TinyModel.Animals[i % 8]));
        await Task.WhenAll(calls).WaitAsync(Patience);
        Assert.Equal(1 + 3, model.Queue.BatchCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AWaitingCallerCanCancelAndTheOthersAreServed(bool async)
    {
        using var model = Load();
        using var cancellation = new CancellationTokenSource();
        Task canceled = Task.CompletedTask;
        Task[] calls;
        lock (model.Queue.NetworkLock)
        {
            calls = [OnThread(() => Encode(model, "fox"))];
            Until(() => model.Queue.IsRunning && model.Queue.WaitingCount == 0);
            canceled = async
                ? model.EncodeSparseAsync(["dog"], RetrievalSide.Query, cancellation.Token)
                : OnThread(() => model.EncodeSparse(["dog"], RetrievalSide.Query, cancellation.Token));
            Until(() => model.Queue.WaitingCount == 1);
            calls = [.. calls, OnThread(() => Encode(model, "cat"))];
            Until(() => model.Queue.WaitingCount == 2);
            cancellation.Cancel();
            Until(() => model.Queue.WaitingCount == 1);
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled.WaitAsync(Patience));
        await Task.WhenAll(calls).WaitAsync(Patience);
    }

    [Fact]
    public async Task AFullQueueHoldsCallersBack()
    {
        using var model = Load(new ModelOptions { QueueCapacity = 2 });
        Task[] calls;
        using var cancellation = new CancellationTokenSource();
        Task outside;
        lock (model.Queue.NetworkLock)
        {
            calls = [OnThread(() => Encode(model, "fox"))];
            Until(() => model.Queue.IsRunning && model.Queue.WaitingCount == 0);
            calls = [.. calls, OnThread(() => Encode(model, "dog"))];
            Until(() => model.Queue.WaitingCount == 1);
            outside = model.EncodeSparseAsync(["cat"], RetrievalSide.Query, cancellation.Token);
            Assert.Equal(1, model.Queue.WaitingCount);
            cancellation.Cancel();
            calls = [.. calls, model.EncodeSparseAsync(["bird"], RetrievalSide.Query)];
            Assert.Equal(1, model.Queue.WaitingCount);
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => outside.WaitAsync(Patience));
        await Task.WhenAll(calls).WaitAsync(Patience);
    }

    [Fact]
    public async Task DisposingServesThoseWhoWaitAndRefusesOthers()
    {
        RetrieverModel model = Load();
        Task[] calls = await Gathered(model, 4, i => Encode(model, TinyModel.Animals[i]), held: () => { });
        model.Dispose();
        await Task.WhenAll(calls).WaitAsync(Patience);
        Assert.Throws<ObjectDisposedException>(() => Encode(model, "fox"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => model.EncodeSparseAsync(["fox"], RetrievalSide.Query));
    }

    [Fact]
    public void AFailureIsTheCallersAndTheNextIsServed()
    {
        using var model = Load();
        var request = new EncodeRequest();
        request.Reset();
        request.Texts.Add([1_000_000]);
        Assert.Throws<ArgumentException>(() => model.Queue.Run(request, default));
        Assert.NotEmpty(Encode(model, "golden horse").Terms.ToArray());
    }

    [Fact]
    public async Task ManyCallersOfAllKindsGetTheirOwnVectors()
    {
        using var model = Load(new ModelOptions { MaxBatchTexts = 4, MaxBatchTokens = 40, QueueCapacity = 3 });
        string[] texts = [.. TinyModel.Documents.Select(d => d.Title)];
        SparseVector[] expected = [.. texts.Select(t => Encode(model, t))];
        await Task.WhenAll(Enumerable.Range(0, 12).Select(caller => OnThread(() =>
        {
            for (int i = 0; i < 40; i++)
            {
                int at = ((caller * 7) + i) % texts.Length;
                SparseVector vector = (i % 3) switch
                {
                    0 => Encode(model, texts[at]),
                    1 => model.EncodeSparseAsync([texts[at]], RetrievalSide.Query).GetAwaiter().GetResult().Vectors[0],
                    _ => model.EncodeSparse(texts, RetrievalSide.Query)[at],
                };
                Assert.Equal(expected[at].Weights.ToArray(), vector.Weights.ToArray());
            }
        }))).WaitAsync(Patience);
    }

    public void Dispose() => _directory.Dispose();

    private RetrieverModel Load(ModelOptions? options = null) => RetrieverModel.Load(_sparse, (options ?? new ModelOptions()) with { Threads = 2 });

    private static SparseVector Encode(RetrieverModel model, string text)
    {
        int[] terms = new int[model.Dimension];
        float[] weights = new float[model.Dimension];
        int count = model.EncodeSparse(text, RetrievalSide.Query, terms, weights);
        return new SparseVector(terms[..count], weights[..count]);
    }

    /// <summary>Holds the network until one call has it and the others wait in the order of their numbers; then lets go.</summary>
    private static async Task<Task[]> Gathered(RetrieverModel model, int count, Action<int> call, Func<int, Task>? asyncCall = null, Action? held = null)
    {
        await Task.Yield();
        var calls = new Task[count];
        lock (model.Queue.NetworkLock)
        {
            for (int i = 0; i < count; i++)
            {
                int number = i;
                calls[i] = asyncCall != null && i % 2 == 1 ? asyncCall(number) : OnThread(() => call(number));
                Until(() => model.Queue.IsRunning && model.Queue.WaitingCount == number);
            }

            held?.Invoke();
        }

        return calls;
    }

    private static void Until(Func<bool> condition) => Assert.True(SpinWait.SpinUntil(condition, Patience));

    private static Task OnThread(Action action) => Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
