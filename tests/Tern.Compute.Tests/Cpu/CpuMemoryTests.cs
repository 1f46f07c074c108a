using Tern.Compute.Cpu;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public sealed class CpuMemoryTests
{
    [Fact]
    public void GrowsWhenAskedForMoreAndNeverShrinks()
    {
        using CpuMemory memory = new(DType.Float32, 0);
        Assert.True(memory.Shape(0, 5).IsEmpty);
        Tensor large = memory.Shape(7, 9);
        Assert.Equal(0, large.Address % 64);
        large.Span<float>().Fill(1);
        Assert.Equal(63, memory.Capacity);
        Assert.Equal(large.Address, memory.Shape(3, 3).Address);
        Assert.Equal(63, memory.Capacity);
    }

    [Fact]
    public void RefusesUseAfterDispose()
    {
        CpuMemory memory = new(DType.Int32, 10);
        memory.Dispose();
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => memory.Shape(1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuMemory(DType.Int32, -1));
    }
}
