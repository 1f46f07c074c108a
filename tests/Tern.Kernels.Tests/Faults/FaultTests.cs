using System.Diagnostics;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Tern.Kernels.Tests.Faults;

/// <summary>The emulator and the checks are themselves tested: each planted fault must be caught on one of the schedules.</summary>
public sealed class FaultTests(ITestOutputHelper output)
{
    public static TheoryData<string> Faults => [.. PlantedFault.All.Select(fault => fault.Name)];

    [EmulatedTheory]
    [MemberData(nameof(Faults))]
    public void IsCaught(string name)
    {
        PlantedFault fault = PlantedFault.All.Single(f => f.Name == name);
        string folder = Directory.CreateTempSubdirectory("tern-fault-").FullName;
        try
        {
            using var kernels = new EmulatedKernels(Compile(fault, folder));
            output.WriteLine(Caught(kernels, fault.Check) ?? throw new XunitException($"not caught: {name}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string? Caught(EmulatedKernels kernels, string check)
    {
        foreach (uint seed in new uint[] { 0, 1, 2 })
        {
            kernels.Seed = seed;
            try
            {
                KernelChecks.All[check](kernels);
            }
            catch (Exception error) when (error is KernelFailedException or XunitException or InvalidOperationException)
            {
                return $"schedule {seed}: {error.Message}";
            }
        }

        return null;
    }

    private static string Compile(PlantedFault fault, string folder)
    {
        foreach (string part in new[] { "include", "emulator", "kernels" })
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
            foreach (string file in Directory.GetFiles(Repository.PathOf("native", part)))
            {
                File.Copy(file, Path.Combine(folder, part, Path.GetFileName(file)));
            }
        }

        string changed = Path.Combine(folder, fault.File), text = File.ReadAllText(changed);
        int at = -1;
        for (int i = 0; i < fault.Occurrence; i++)
        {
            at = text.IndexOf(fault.Original, at + 1, StringComparison.Ordinal);
            Assert.True(at >= 0, $"{fault.File} has no '{fault.Original}' any more: the fault '{fault.Name}' needs a new place");
        }

        File.WriteAllText(changed, text[..at] + fault.Faulty + text[(at + fault.Original.Length)..]);
        string library = Path.Combine(folder, "faulty.so");
        using Process compiler = Process.Start(new ProcessStartInfo("c++",
            ["-shared", "-fPIC", "-fvisibility=hidden", "-O1", "-std=gnu++20", "-w", "-DTERN_EMULATED", "-o", library, "-x", "c++", .. fault.Kernels.Split(' ').Select(file => Path.Combine(folder, "kernels", file)),
                "-x", "none", "-Wl,--whole-archive", Repository.PathOf("artifacts", "native", "emulator", "libtern_emulator_core.a"), "-Wl,--no-whole-archive", "-lpthread"]) { RedirectStandardError = true })!;
        string errors = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        Assert.True(compiler.ExitCode == 0, errors);
        return library;
    }
}
