using System.Runtime.InteropServices;

namespace Tern.Benchmarks.Products;

/// <summary>Finds the other libraries on this machine.</summary>
internal static partial class PeerLibraries
{
    private static readonly string[] OpenBlasPlaces = ["/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0", "/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so.0", "libopenblas.so.0", "libopenblas"];
    private static readonly string[] OneDnnPlaces = ["libdnnl.so.3", "libdnnl.so.2"];

    /// <summary>
    /// The libraries at these paths, or where their packages put them; "none" leaves one out. One that is not there is
    /// named on the output and left out.
    /// </summary>
    public static IEnumerable<IProductLibrary> Load(string? openBlas, string? oneDnn, TextWriter output)
    {
        if (OperatingSystem.IsLinux())
        {
            // Set for other programs' sake, these would have OpenBLAS run the kernels of another processor.
            _ = UnsetEnvironment("OPENBLAS_CORETYPE");
            _ = UnsetEnvironment("OPENBLAS_L2_SIZE");
        }

        IProductLibrary?[] found =
        [
            First("OpenBLAS", openBlas, OpenBlasPlaces, p => new OpenBlasProduct(p), output),
            First("oneDNN", oneDnn, OneDnnPlaces, p => new OneDnnProduct(p), output),
        ];
        return found.OfType<IProductLibrary>();
    }

    private static IProductLibrary? First(string name, string? path, string[] places, Func<string, IProductLibrary> open, TextWriter output)
    {
        if (path == "none")
        {
            return null;
        }

        foreach (string place in path is null ? places : [path])
        {
            try
            {
                return open(place);
            }
            catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException && path is null)
            {
                // The next place may have it.
            }
        }

        output.WriteLine($"{name} is not installed; its columns are left out.");
        return null;
    }

    // The C library's own environment, which .NET's Environment does not write.
    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetEnvironment(string name);
}
