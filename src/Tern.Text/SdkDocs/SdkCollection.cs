namespace Tern.Text;

/// <summary>
/// A documented member of the .NET libraries, overloads of one name together. <see cref="Text"/> is what is indexed;
/// <see cref="Summary"/> is stored for display only, since the summaries are the queries.
/// </summary>
public sealed record SdkMember(string Id, string Kind, string FullName, string Summary, string Text);

/// <summary>A summary as a query, with the ids of the members it belongs to.</summary>
public sealed record SdkQuery(string Id, string Text, IReadOnlyList<string> RelevantIds);

/// <summary>
/// The collection built from the XML documentation of an installed SDK. Declaring types are divided among the three query sets, so
/// that no test query is about a type that was trained on. The fingerprint names the rules and the versions of the packs read.
/// </summary>
public sealed record SdkCollection(
    string Fingerprint,
    IReadOnlyList<SdkMember> Members,
    IReadOnlyList<SdkQuery> Train,
    IReadOnlyList<SdkQuery> Dev,
    IReadOnlyList<SdkQuery> Test);
