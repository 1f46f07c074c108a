using System.Text.Json.Serialization;

namespace Tern.Retrieval.Exchange;

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(UploadProgress))]
internal sealed partial class ExchangeJsonContext : JsonSerializerContext;
