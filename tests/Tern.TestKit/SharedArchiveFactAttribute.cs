using Xunit;

namespace Tern.TestKit;

/// <summary>A test that reads an archive of the shared folder; skipped, with the reason, where that archive is not there.</summary>
public sealed class SharedArchiveFactAttribute : FactAttribute
{
    public SharedArchiveFactAttribute(string archive)
    {
        if (Repository.SharedArchives is not { } folder || !File.Exists(Path.Combine(folder, archive)))
        {
            Skip = $"needs the archive {archive} in shared/data beside the repository";
        }
    }
}
