namespace Tern.Retrieval;

/// <summary>A segment: its directory, its documents with the deleted ones, postings or elements of vectors, and bytes.</summary>
public sealed record SegmentStatistics(string Name, int DocumentCount, int DeletedCount, long ValueCount, long ByteCount);
