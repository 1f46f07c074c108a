using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Cuda;
using Tern.Model.Checkpoints;

namespace Tern.Cli.Benches.Kernels;

/// <summary>Times operations and sets each beside the least that its bytes and its products can take on this device.</summary>
internal sealed class KernelBench(IBackend backend, KernelShape shape, int seed, int repeats)
{
    private const int WarmUps = 3;

    private readonly KernelCases _cases = new(backend, shape, seed);

    public IEnumerable<string> Operations => _cases.All.Keys;

    /// <summary>What this device reaches: bytes a second of a copy (read and written), operations a second of a large product.</summary>
    public DeviceCeilings MeasureCeilings(int copyMebibytes, int productSize)
    {
        using var clock = new DeviceClock(backend);
        using TensorMemory from = backend.Allocate(DType.Float32), to = backend.Allocate(DType.Float32);
        Tensor source = from.Shape(copyMebibytes, 1 << 18), target = to.Shape(copyMebibytes, 1 << 18);
        backend.Fill(1, source);
        double copy = Times(clock, () => backend.Copy(source, target), null).Min();
        double productTime;
        using (TensorMemory left = backend.Allocate(DType.Float32), right = backend.Allocate(DType.Float32), product = backend.Allocate(DType.Float32))
        {
            // Random numbers: zeros would draw less power and run faster.
            Tensor a = left.Shape(productSize, productSize), b = right.Shape(productSize, productSize), c = product.Shape(productSize, productSize);
            var random = new Random(seed);
            float[] row = [.. Enumerable.Range(0, productSize).Select(_ => (float)(random.NextDouble() - 0.5))];
            for (int i = 0; i < productSize; i++)
            {
                backend.Upload<float>(row, a.SliceRows(i, 1));
                backend.Upload<float>(row, b.SliceRows(i, 1));
            }

            using PreparedWeight prepared = backend.Prepare(b);
            productTime = Times(clock, () => backend.ProjectForward(a, new ProjectionWeight(b, prepared), default, c), null).Min();
        }

        return new DeviceCeilings(2.0 * copyMebibytes * (1 << 20) / copy * 1000, 2.0 * productSize * productSize * productSize / productTime * 1000);
    }

    public KernelTiming Time(string operation, DeviceCeilings ceilings, int flushMebibytes)
    {
        using KernelCase made = _cases.All[operation]();
        using var clock = new DeviceClock(backend);
        using TensorMemory flushed = backend.Allocate(DType.Float32);
        Tensor flush = flushed.Shape(flushMebibytes, 1 << 18);
        made.Reset();
        long before = Launches;
        made.Run();
        long launches = Launches - before;

        // Nothing of the operands is left in the caches.
        List<double> times = Times(clock, made.Run, () => backend.Fill(0, flush));
        times.Sort();
        double floor = 1000 * Math.Max(made.ByteCount / ceilings.BytesPerSecond, made.FlopCount / ceilings.FlopsPerSecond);
        return new KernelTiming(operation, times[times.Count / 2], times[0], made.ByteCount, made.FlopCount, floor, launches);
    }

    /// <summary>
    /// Runs an operation on fresh operands, twice, and writes operands and results for a check elsewhere: NAME for inputs,
    /// before.NAME for what is changed, after.NAME for results. Returns whether both runs gave the same bits.
    /// </summary>
    public bool Write(string operation, string path, out IReadOnlyDictionary<string, double> scalars)
    {
        using KernelCase made = _cases.All[operation]();
        scalars = made.Scalars;
        List<SafetensorsSource> tensors = [];
        made.Reset();
        foreach (KernelOperand operand in made.Operands.Where(o => o.Role != KernelRole.Output))
        {
            tensors.Add(Source(operand.Role == KernelRole.Changed ? "before." + operand.Name : operand.Name, operand.Tensor, Download(operand.Tensor)));
        }

        made.Run();
        KernelOperand[] results = [.. made.Operands.Where(o => o.Role != KernelRole.Input)];
        byte[][] first = [.. results.Select(o => Download(o.Tensor))];
        made.Reset();
        made.Run();
        bool same = true;
        for (int i = 0; i < results.Length; i++)
        {
            same &= first[i].AsSpan().SequenceEqual(Download(results[i].Tensor));
            tensors.Add(Source("after." + results[i].Name, results[i].Tensor, first[i]));
        }

        SafetensorsWriter.Write(path, tensors);
        return same;
    }

    private long Launches => (backend as CudaBackend)?.LaunchCount ?? 0;

    private List<double> Times(DeviceClock clock, Action run, Action? between)
    {
        List<double> times = [];
        for (int i = -WarmUps; i < repeats; i++)
        {
            between?.Invoke();
            double time = clock.Milliseconds(run);
            if (i >= 0)
            {
                times.Add(time);
            }
        }

        return times;
    }

    /// <summary>BFloat16 comes widened.</summary>
    private byte[] Download(Tensor tensor)
    {
        if (tensor.DType == DType.BFloat16)
        {
            ushort[] halves = new ushort[tensor.ElementCount];
            backend.Download<ushort>(tensor, halves);
            return MemoryMarshal.AsBytes<float>(Array.ConvertAll(halves, h => BitConverter.UInt32BitsToSingle((uint)h << 16))).ToArray();
        }

        byte[] bytes = new byte[tensor.ElementCount * tensor.DType.ByteSize()];
        if (tensor.DType == DType.Int32)
        {
            backend.Download<int>(tensor, MemoryMarshal.Cast<byte, int>(bytes.AsSpan()));
        }
        else
        {
            backend.Download<float>(tensor, MemoryMarshal.Cast<byte, float>(bytes.AsSpan()));
        }

        return bytes;
    }

    /// <summary>Integers are written as floats, which hold every row and token that a bench has.</summary>
    private static SafetensorsSource Source(string name, Tensor tensor, byte[] bytes)
    {
        byte[] written = tensor.DType == DType.Int32
            ? MemoryMarshal.AsBytes<float>(Array.ConvertAll(MemoryMarshal.Cast<byte, int>(bytes).ToArray(), i => (float)i)).ToArray()
            : bytes;
        return new SafetensorsSource(name, "F32", [tensor.Rows, tensor.Columns], stream => stream.Write(written));
    }
}

/// <summary>What a device reaches on its own.</summary>
internal sealed record DeviceCeilings(double BytesPerSecond, double FlopsPerSecond);

/// <summary>One row of <c>tern bench kernels</c>; times in milliseconds, the median and the least.</summary>
internal sealed record KernelTiming(string Operation, double Median, double Least, double ByteCount, double FlopCount, double Floor, long Launches)
{
    public double PercentOfFloor => 100 * Floor / Median;
}
