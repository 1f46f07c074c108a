
namespace Tern.Cuda.Kernels;

/// <summary>The kernels on one device. A kernel is looked up at its first launch and kept.</summary>
internal sealed class KernelLibrary : IDisposable
{
    private readonly Dictionary<string, KernelDeclaration> _declarations = KernelImages.Declarations();
    private readonly Dictionary<string, (CudaKernel Kernel, KernelDeclaration Declaration)> _kernels = new(StringComparer.Ordinal);
    private readonly List<CudaModule> _modules = [];
    private readonly CudaStream _stream;

    /// <exception cref="NotSupportedException">There are no kernels for the device; the message says what to do.</exception>
    public KernelLibrary(CudaStream stream)
    {
        _stream = stream;
        foreach (KernelImage image in KernelImages.For(stream.Context.Device))
        {
            _modules.Add(new CudaModule(stream.Context, image.Bytes, image.Name));
        }
    }

    /// <summary>Launches made, for the record of a step.</summary>
    public long LaunchCount { get; private set; }

    /// <summary>Puts a launch into the stream; its grid follows from the arguments. Does nothing where there is no work.</summary>
    public void Launch(string name, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (!_kernels.TryGetValue(name, out (CudaKernel Kernel, KernelDeclaration Declaration) entry))
        {
            _kernels[name] = entry = Find(name);
        }

        entry.Declaration.Require(arguments);
        LaunchShape shape = entry.Declaration.Shape(arguments);
        if (shape.GridX > 0 && shape.GridY > 0 && shape.GridZ > 0)
        {
            LaunchCount++;
            entry.Kernel.Launch(_stream, shape, arguments);
        }
    }

    public void Dispose() => _modules.ForEach(m => m.Dispose());

    private (CudaKernel Kernel, KernelDeclaration Declaration) Find(string name)
    {
        if (!_declarations.TryGetValue(name, out KernelDeclaration? declaration))
        {
            throw new ArgumentException($"no kernel '{name}' in kernels.txt");
        }

        foreach (CudaModule module in _modules)
        {
            if (module.TryKernel(name, out CudaKernel? kernel))
            {
                return (kernel, declaration);
            }
        }

        throw new CudaException($"no kernel '{name}' in {string.Join(", ", _modules.Select(m => m.Name))}", 0);
    }
}
