using Tern.Cuda.Kernels;
using Tern.TestKit;
using Xunit;

namespace Tern.Cuda.Tests;

public sealed class KernelLibraryTests
{
    [EmulatedDeviceFact]
    public void EveryKernelOfTheTableIsOnTheDeviceWithItsBlockAndItsParameters()
    {
        using Device device = new();
        using CudaModule module = new(device.Context, KernelImages.For(device.Context.Device)[0].Bytes, "emulated");
        Dictionary<string, KernelDeclaration> declarations = KernelImages.Declarations();
        Assert.NotEmpty(declarations);
        foreach (KernelDeclaration declaration in declarations.Values)
        {
            Assert.True(module.TryKernel(declaration.Name, out CudaKernel? kernel), declaration.Name);
            Assert.Equal(declaration.Block, kernel.MaxThreadsPerBlock);
            Assert.Equal(declaration.Parameters.Select(p => p.ByteCount), kernel.ParameterByteCounts);
        }

        Assert.False(module.TryKernel("tern_nothing_f32", out _));
    }

    [Fact]
    public void ALineThatIsNoDeclarationIsRefusedWithItsNumber()
    {
        StringReader table = new("# remark\n\nkernel_a | 32 | rows | 0 | i32 rows\nkernel_b | 32 | lines | 0 | i32 rows\n");
        FormatException e = Assert.Throws<FormatException>(() => KernelDeclaration.ReadAll(table));
        Assert.StartsWith("kernels.txt:4: 'lines'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADeclarationGivesTheLaunch()
    {
        KernelDeclaration declaration = KernelDeclaration.ReadAll(new StringReader("k | 64 | rows, ceil(columns, 8), 3 | 4 * columns | const f32* x, i64 pitch, i32 rows, i32 columns"))["k"];
        KernelArgument[] arguments = [(nint)1, 20L, 5, 17];
        declaration.Require(arguments);
        Assert.Equal(new LaunchShape(5, 64, 68, 3, 3), declaration.Shape(arguments));
        ArgumentException e = Assert.Throws<ArgumentException>(() => declaration.Require(arguments.AsSpan(1)));
        Assert.Contains("k: arguments of 8, 4, 4 bytes for const f32* x, i64 pitch, i32 rows, i32 columns", e.Message, StringComparison.Ordinal);
    }

    [EmulatedDeviceFact]
    public void LaunchesThatDoNotFitTheKernelAreRefusedByName()
    {
        using Device device = new();
        using CudaModule module = new(device.Context, KernelImages.For(device.Context.Device)[0].Bytes, "emulated");
        Assert.True(module.TryKernel("tern_log1p_relu_forward_f32", out CudaKernel? kernel));
        using CudaDeviceVariable memory = new(device.Stream, 64);
        Refuses("tern_log1p_relu_forward_f32: blocks of 1024 threads; it runs with at most 256", new LaunchShape(1, 1024), memory.Address, 16L, memory.Address);
        Refuses("tern_log1p_relu_forward_f32: a grid of 0 x 1 x 1 blocks", new LaunchShape(0, 256), memory.Address, 16L, memory.Address);
        Refuses("tern_log1p_relu_forward_f32: a grid of 1 x 70000 x 1 blocks", new LaunchShape(1, 256, GridY: 70000), memory.Address, 16L, memory.Address);
        Refuses("tern_log1p_relu_forward_f32: 0 + 240000 bytes of shared memory", new LaunchShape(1, 256, 240000), memory.Address, 16L, memory.Address);
        Refuses("tern_log1p_relu_forward_f32: arguments of 8, 4, 8 bytes for parameters of 8, 8, 8", new LaunchShape(1, 256), memory.Address, 16, memory.Address);

        void Refuses(string message, LaunchShape shape, params KernelArgument[] arguments) =>
            Assert.StartsWith(message, Assert.Throws<ArgumentException>(() => kernel.Launch(device.Stream, shape, arguments)).Message, StringComparison.Ordinal);
    }
}
