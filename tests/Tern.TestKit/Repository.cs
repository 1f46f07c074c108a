namespace Tern.TestKit;

/// <summary>Where the tests find the repository's files and, when it stands beside it, the folder of shared archives.</summary>
public static class Repository
{
    /// <summary>The folder that holds Engine.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The folder of archives beside the repository, or null where there is none.</summary>
    public static string? SharedArchives
    {
        get
        {
            string path = Path.Combine(Root, "..", "shared", "data");
            return Directory.Exists(path) ? Path.GetFullPath(path) : null;
        }
    }

    /// <summary>A path below the root.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Engine.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} holds Engine.sln");
    }
}
