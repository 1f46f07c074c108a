namespace Tern;

/// <summary>Working memory for any number of threads: as many as were ever in use at once, made on demand, never given up.</summary>
internal sealed class ScratchPool<T>(Func<T> create)
{
    private readonly Stack<T> _idle = new();

    public T Rent()
    {
        lock (_idle)
        {
            if (_idle.TryPop(out T? scratch))
            {
                return scratch;
            }
        }

        return create();
    }

    public void Return(T scratch)
    {
        lock (_idle)
        {
            _idle.Push(scratch);
        }
    }
}
