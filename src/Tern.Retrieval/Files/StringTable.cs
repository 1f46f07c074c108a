namespace Tern.Retrieval.Files;

/// <summary>
/// Strings of bytes by number, in two sections of a file: where each begins, one number more than there are strings, and
/// their bytes. Opening reads nothing of them; each string's pages are checked when it is first read. Safe for concurrent readers.
/// </summary>
internal sealed unsafe class StringTable
{
    private readonly SectionFile _file;
    private readonly string _startSection;
    private readonly ulong* _starts;
    private readonly byte* _bytes;
    private readonly long _byteCount;
    private readonly PageGuard _startGuard;
    private readonly PageGuard _byteGuard;

    public StringTable(SectionFile file, string startSection, string byteSection, long count)
    {
        _file = file;
        _startSection = startSection;
        Count = count;
        _starts = file.Pointer<ulong>(startSection, count + 1);
        _bytes = file.Pointer<byte>(byteSection, out _byteCount);
        _startGuard = file.Guard(startSection);
        _byteGuard = file.Guard(byteSection);
    }

    public long Count { get; }

    /// <summary>Valid until the file is disposed.</summary>
    public ReadOnlySpan<byte> this[long number]
    {
        get
        {
            if ((ulong)number >= (ulong)Count)
            {
                throw new ArgumentOutOfRangeException(nameof(number), $"number {number} of {Count}");
            }

            _startGuard.Check(number * sizeof(ulong), 2 * sizeof(ulong));
            ulong start = _starts[number], end = _starts[number + 1];
            if (start > end || end > (ulong)_byteCount || end - start > int.MaxValue)
            {
                throw _file.InvalidElement(_startSection, $"number {number} reaches from {start} to {end} of {_byteCount} bytes; build the index again");
            }

            _byteGuard.Check((long)start, (long)(end - start));
            return new ReadOnlySpan<byte>(_bytes + start, (int)(end - start));
        }
    }
}
