using System.CommandLine;
using System.Globalization;
using BenchmarkDotNet.Running;
using Tern.Benchmarks;
using Tern.Benchmarks.Peers;
using Tern.Benchmarks.Products;
using Tern.Benchmarks.Retrieval;
using Tern.Compute;

if (args is ["products" or "operations" or "dense" or "bisection" or "index-build" or "approximate" or "exactness" or "peers-prepare" or "peers-worker", ..])
{
    RootCommand root = new("Tern's benchmarks; any other first argument goes to BenchmarkDotNet.") { ProductsVerb.Create(), OperationsVerb.Create(), DenseVerb.Create(), BisectionVerb.Create(), IndexBuildVerb.Create(), ApproximateVerb.Create(), ExactnessVerb.Create() };
    foreach (Command verb in PeerVerbs.Create())
    {
        root.Add(verb);
    }

    ParseResult parsed = root.Parse(args);
    return parsed.Errors.Count > 0 ? Fail(parsed) : parsed.Invoke();
}

if (args is ["big-model", var directory, ..])
{
    BigModel.Write(Console.Out, directory, args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 0, args.Length > 3 ? ProductPrecisions.Parse(args[3]) : ProductPrecision.Float32);
    return 0;
}

BenchmarkSwitcher.FromAssembly(typeof(FmaPeak).Assembly).Run(args);
return 0;

static int Fail(ParseResult parsed)
{
    Console.Error.WriteLine(parsed.Errors[0].Message);
    return 2;
}
