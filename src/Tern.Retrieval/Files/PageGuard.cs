namespace Tern.Retrieval.Files;

/// <summary>
/// Verifies the pages of one section when they are first used. Safe for concurrent readers: two may verify a page at
/// once, none reads a page before it was verified.
/// </summary>
internal sealed class PageGuard(long pageCount, Action<long> verifyPage)
{
    private readonly OnceFlags _verified = new(pageCount);

    /// <summary>Returns once every page of the bytes is known to be whole; else throws what verifying a page throws.</summary>
    public void Check(long offset, long byteCount)
    {
        for (long page = offset / SectionFile.PageByteCount; page * SectionFile.PageByteCount < offset + byteCount; page++)
        {
            if (!_verified.IsSet(page))
            {
                verifyPage(page);
                _verified.Set(page);
            }
        }
    }
}
