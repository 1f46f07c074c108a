using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Tern.Cuda.Interop;

namespace Tern.Cuda.Kernels;

/// <summary>
/// The compiled kernels that this assembly carries, one file for each source file and architecture: cubins for the GPUs
/// that they were compiled for, and PTX, which a driver compiles for any GPU at least as new.
/// </summary>
internal static unsafe class KernelImages
{
    private const string Prefix = "kernels/";
    private static readonly Assembly Assembly = typeof(KernelImages).Assembly;

    /// <summary>Why there are no kernels for a device, in one line.</summary>
    public const string Absent = "this build carries no CUDA kernels, because neither clang 20 or later nor nvcc was there to compile them: install one (Debian: apt-get install clang-22), run ./build.sh native, and build again";

    /// <summary>Names of the embedded images, such as <c>sm_80/rmsnorm.ptx</c>.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && !n.EndsWith(".txt", StringComparison.Ordinal)).Select(n => n[Prefix.Length..]).Order(StringComparer.Ordinal)];

    public static Dictionary<string, KernelDeclaration> Declarations()
    {
        using Stream stream = Assembly.GetManifestResourceStream(Prefix + "kernels.txt")!;
        using StreamReader reader = new(stream);
        return KernelDeclaration.ReadAll(reader);
    }

    /// <summary>The images to load on a device: of each source file the most specific that the device can run.</summary>
    /// <exception cref="NotSupportedException">There are none; the message says what to do.</exception>
    public static IReadOnlyList<KernelImage> For(CudaDevice device)
    {
        if (EmulatorImage() is { } emulated)
        {
            return [emulated];
        }

        if (Names.Count == 0)
        {
            throw new NotSupportedException(Absent);
        }

        List<KernelImage> chosen = [];
        foreach (IGrouping<string, ImageName> source in Names.Select(ImageName.Parse).GroupBy(n => n.Source))
        {
            ImageName? best = source.Where(n => n.RunsOn(device.ComputeCapability)).OrderByDescending(n => n.Rank).FirstOrDefault();
            chosen.Add(best is null
                ? throw new NotSupportedException($"{device}: compute capability {device.ComputeCapability}; the kernels of this build need at least {source.Min(n => n.Capability)}")
                : new KernelImage(best.FileName, Read(best.FileName)));
        }

        return chosen;
    }

    private static byte[] Read(string fileName)
    {
        using Stream stream = Assembly.GetManifestResourceStream(Prefix + fileName)!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The emulated device has its kernels in the driver itself, and a word that stands for them.</summary>
    private static KernelImage? EmulatorImage()
    {
        if (!NativeLibrary.TryGetExport(NativeLibraries.Find(NativeLibraries.Driver), "tern_emulator_image", out nint function))
        {
            return null;
        }

        byte* image = ((delegate* unmanaged<byte*>)function)();
        return new KernelImage("emulated", MemoryMarshal.CreateReadOnlySpanFromNullTerminated(image).ToArray());
    }

    /// <summary>sm_CAPABILITY/SOURCE.ptx or .cubin; a trailing a means that very architecture only.</summary>
    private sealed record ImageName(string FileName, string Source, Version Capability, bool IsPtx, bool IsExact)
    {
        /// <summary>A cubin before PTX, a newer architecture before an older one.</summary>
        public int Rank => (Capability.Major * 100) + (Capability.Minor * 10) + (IsExact ? 2 : 0) + (IsPtx ? 0 : 1);

        public static ImageName Parse(string fileName)
        {
            string[] parts = fileName.Split('/', '\\');
            string architecture = parts[0]["sm_".Length..];
            bool exact = architecture.EndsWith('a');
            int number = int.Parse(architecture.TrimEnd('a'), CultureInfo.InvariantCulture);
            return new ImageName(fileName, Path.GetFileNameWithoutExtension(parts[1]), new Version(number / 10, number % 10), fileName.EndsWith(".ptx", StringComparison.Ordinal), exact);
        }

        public bool RunsOn(Version device) =>
            IsExact ? device == Capability : IsPtx ? device >= Capability : device.Major == Capability.Major && device >= Capability;
    }
}

/// <summary>One compiled file.</summary>
internal sealed record KernelImage(string Name, byte[] Bytes);
