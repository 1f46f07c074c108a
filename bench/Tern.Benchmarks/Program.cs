using Tern.Compute;
using System.Globalization;
using BenchmarkDotNet.Running;
using Tern.Benchmarks;

if (args is ["products", ..])
{
    double seconds = args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 0.3;
    ProductTable.Write(Console.Out, TimeSpan.FromSeconds(seconds));
    return 0;
}

if (args is ["operations", ..])
{
    double seconds = args.Length > 1 ? double.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 0.3;
    OperationTable.Write(Console.Out, TimeSpan.FromSeconds(seconds), args.Length > 2 ? args[2] : "");
    return 0;
}

if (args is ["big-model", var directory, ..])
{
    BigModel.Write(Console.Out, directory, args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 0, args.Length > 3 ? ProductPrecisions.Parse(args[3]) : ProductPrecision.Float32);
    return 0;
}

BenchmarkSwitcher.FromAssembly(typeof(FmaPeak).Assembly).Run(args);
return 0;
