using Tern.Compute.Cpu;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public sealed class OperandTests
{
    [Fact]
    public void AMismatchNamesTheOperandWhatWasExpectedAndWhatWasFound()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        Tensor good = tensors.Unset(3, 4), bad = tensors.Unset(3, 5), integers = tensors.Ints(new int[12], 3, 4);
        ArgumentException shape = Assert.Throws<ArgumentException>(() => tensors.Backend.SwiGluForward(good, bad, good));
        Assert.Equal("up: expected Float32[3, 4] in host memory, found Float32[3, 5] (Parameter 'up')", shape.Message);
        ArgumentException type = Assert.Throws<ArgumentException>(() => tensors.Backend.SwiGluForward(good, good, integers));
        Assert.Contains("destination: expected Float32[3, 4] in host memory, found Int32[3, 4]", type.Message, StringComparison.Ordinal);
        ArgumentException empty = Assert.Throws<ArgumentException>(() => tensors.Backend.RmsNormForward(good, default, 0, good, good));
        Assert.Equal("weight", empty.ParamName);
        ArgumentException device = Assert.Throws<ArgumentException>(() => tensors.Backend.SwiGluForward(good with { IsHost = false }, good, good));
        Assert.Equal("gate", device.ParamName);
    }

    [Fact]
    public void SequenceStartsMustCoverTheRowsInOrder()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        Assert.Equal(3, Operand.CheckSequences(tensors.Ints([0, 2, 2, 5], 1, 4), 5));
        Assert.Equal(0, Operand.CheckSequences(tensors.Ints([0], 1, 1), 0));
        Assert.Throws<ArgumentException>(() => Operand.CheckSequences(tensors.Ints([0, 2, 5], 1, 3), 6));
        Assert.Throws<ArgumentException>(() => Operand.CheckSequences(tensors.Ints([1, 2, 5], 1, 3), 5));
        Assert.Throws<ArgumentException>(() => Operand.CheckSequences(tensors.Ints([0, 4, 3, 5], 1, 4), 5));
        Assert.Throws<ArgumentException>(() => Operand.CheckSequences(tensors.Unset(1, 2), 0));
    }
}
