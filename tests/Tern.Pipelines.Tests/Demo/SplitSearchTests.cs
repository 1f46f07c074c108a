using Tern.Pipelines.Demo.Stages;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

public class SplitSearchTests
{
    [Fact]
    public void TimeOfAQueryIsItsFastestCallAndOfASetTheMean()
    {
        var clock = new ManualClock();
        int calls = 0;

        // Queries of 10 and 30 µs; every other call is disturbed for a millisecond.
        double us = SplitSearch.MicrosecondsPerQuery(2, i => clock.Advance((i == 0 ? 10 : 30) + (calls++ % 2 == 0 ? 1000 : 0)), clock);

        // Ten calls, in turn query 0 and 1: all of query 0's are disturbed, none of query 1's.
        Assert.Equal(10, calls);
        Assert.Equal((1010 + 30) / 2.0, us);
    }

    [Fact]
    public void OneUndisturbedCallIsEnough()
    {
        var clock = new ManualClock();
        int calls = 0;
        Assert.Equal(7, SplitSearch.MicrosecondsPerQuery(1, _ => clock.Advance(++calls == 4 ? 7 : 900), clock));
    }

    [Fact]
    public void NoQueriesTakeNoTime() => Assert.Equal(0, SplitSearch.MicrosecondsPerQuery(0, _ => { }));

    private sealed class ManualClock : TimeProvider
    {
        private long _microseconds;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => _microseconds;

        public void Advance(long microseconds) => _microseconds += microseconds;
    }
}
