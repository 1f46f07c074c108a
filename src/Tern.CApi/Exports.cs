using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using Tern.Compute;
using Tern.Model;

namespace Tern.CApi;

/// <summary>The functions of tern.h. Each checks its arguments, does one call of the library and lays out the result.</summary>
internal static unsafe class Exports
{
    private static readonly byte* VersionText = NativeBlock.CopyText(typeof(Exports).Assembly.GetName().Version!.ToString(3));
    private static byte* _simdPathText;

    [UnmanagedCallersOnly(EntryPoint = "tern_open", CallConvs = [typeof(CallConvCdecl)])]
    public static Status Open(byte* directory, Options* options, void** retriever) =>
        Guarded.Run(new OpenArguments { Directory = directory, Options = options, Retriever = retriever }, &Open);

    [UnmanagedCallersOnly(EntryPoint = "tern_encode", CallConvs = [typeof(CallConvCdecl)])]
    public static Status Encode(void* retriever, byte* text, int side, Vector** vector) =>
        Guarded.Run(new CallArguments { Retriever = retriever, First = text, Number = side, Result = (void**)vector }, &Encode);

    [UnmanagedCallersOnly(EntryPoint = "tern_search", CallConvs = [typeof(CallConvCdecl)])]
    public static Status Search(void* retriever, byte* query, int k, Hits** hits) =>
        Guarded.Run(new CallArguments { Retriever = retriever, First = query, Number = k, Result = (void**)hits }, &Search);

    [UnmanagedCallersOnly(EntryPoint = "tern_explain", CallConvs = [typeof(CallConvCdecl)])]
    public static Status Explain(void* retriever, byte* query, byte* documentId, Explanation** explanation) =>
        Guarded.Run(new CallArguments { Retriever = retriever, First = query, Second = documentId, Result = (void**)explanation }, &Explain);

    [UnmanagedCallersOnly(EntryPoint = "tern_free", CallConvs = [typeof(CallConvCdecl)])]
    public static void Free(void* pointer) => Guarded.Run(new CallArguments { Retriever = pointer }, &Free);

    [UnmanagedCallersOnly(EntryPoint = "tern_last_error", CallConvs = [typeof(CallConvCdecl)])]
    public static byte* GetLastError() => LastError.Message;

    [UnmanagedCallersOnly(EntryPoint = "tern_version", CallConvs = [typeof(CallConvCdecl)])]
    public static byte* GetVersion() => VersionText;

    [UnmanagedCallersOnly(EntryPoint = "tern_simd_path", CallConvs = [typeof(CallConvCdecl)])]
    public static byte* GetSimdPath()
    {
        // TERN_SIMD may name a path that this machine lacks.
        byte* name = _simdPathText;
        if (name == null && Guarded.Run(new CallArguments(), &NameSimdPath) == Status.Ok)
        {
            name = _simdPathText;
        }

        return name;
    }

    private static void Open(OpenArguments arguments)
    {
        Clear(arguments.Retriever, "retriever");
        string directory = Text(arguments.Directory, "directory");
        var options = new RetrieverOptions();
        if (arguments.Options != null)
        {
            Options* given = arguments.Options;
            if (given->Size != (nuint)sizeof(Options))
            {
                throw new ArgumentException($"options.size is {given->Size}; set it to sizeof(tern_options), {sizeof(Options)} in this version");
            }

            if (given->Threads < 0)
            {
                throw new ArgumentException($"options.threads is {given->Threads}; the least is 0, one thread per processor");
            }

            options = new RetrieverOptions
            {
                ModelDirectory = given->ModelDirectory == null ? null : Text(given->ModelDirectory, "options.model_directory"),
                Model = new ModelOptions { Threads = given->Threads },
                Verify = given->SkipVerification == 0,
            };
        }

        *arguments.Retriever = NativeBlock.Keep(OpenDirectory.Open(directory, options));
    }

    private static void Encode(CallArguments arguments)
    {
        RetrieverModel model = Begin(arguments, "vector").Model;
        string text = Text(arguments.First, "text");
        RetrievalSide side = arguments.Number switch
        {
            0 => RetrievalSide.Query,
            1 => RetrievalSide.Document,
            _ => throw new ArgumentException($"side is {arguments.Number}; it is TERN_QUERY (0) or TERN_DOCUMENT (1)"),
        };
        *arguments.Result = model.Contract.Kind == RepresentationKind.Sparse
            ? Results.Sparse(model.EncodeSparse([text], side)[0])
            : Results.Dense(model.EncodeDense([text], side)[0]);
    }

    private static void Search(CallArguments arguments)
    {
        Retriever retriever = Begin(arguments, "hits").Retriever;
        string query = Text(arguments.First, "query");
        if (arguments.Number < 1)
        {
            throw new ArgumentException($"k is {arguments.Number}; the least is 1");
        }

        *arguments.Result = Results.Of(retriever.Search(query, arguments.Number));
    }

    private static void Explain(CallArguments arguments)
    {
        Retriever retriever = Begin(arguments, "explanation").Retriever;
        *arguments.Result = Results.Of(retriever.Explain(Text(arguments.First, "query"), Text(arguments.Second, "document_id")));
    }

    private static void Free(CallArguments arguments) => NativeBlock.Free(arguments.Retriever);

    // Two threads may both write it: each text lives for ever.
    private static void NameSimdPath(CallArguments arguments) => _simdPathText = NativeBlock.CopyText(SimdPaths.Current.Name);

    private static OpenDirectory Begin(CallArguments arguments, string result)
    {
        Clear(arguments.Result, result);
        return NativeBlock.Target<OpenDirectory>(arguments.Retriever, "retriever");
    }

    private static void Clear(void** result, string name)
    {
        if (result == null)
        {
            throw new ArgumentException($"{name} is NULL: there is no place for the result");
        }

        *result = null;
    }

    private static string Text(byte* text, string name)
    {
        if (text == null)
        {
            throw new ArgumentException($"{name} is NULL");
        }

        ReadOnlySpan<byte> bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw new ArgumentException($"{name} is not UTF-8");
    }

    private readonly ref struct OpenArguments
    {
        public byte* Directory { get; init; }

        public Options* Options { get; init; }

        public void** Retriever { get; init; }
    }

    private readonly ref struct CallArguments
    {
        public void* Retriever { get; init; }

        public byte* First { get; init; }

        public byte* Second { get; init; }

        public int Number { get; init; }

        public void** Result { get; init; }
    }
}
