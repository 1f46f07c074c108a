using System.Text;
using Tern.Retrieval.Files;
using Xunit;

namespace Tern.Retrieval.Tests;

public class DocumentStoreTests
{
    [Fact]
    public void WithoutVerifyingAPayloadIsCheckedWhenItIsRead()
    {
        using var directory = new TemporaryDirectory();
        using (var writer = new DocumentStoreWriter(directory.Path))
        {
            writer.Add("a", "payload of a");
            writer.Complete();
        }

        string path = directory.File("documents.tern");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.AsSpan().IndexOf("payload of a"u8)] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var store = DocumentStore.Open(directory.Path, verify: false);
        Assert.StartsWith($"{path}: section 'payload' at offset ", Assert.Throws<InvalidDataException>(() => store.Text("a")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GivesBackEveryPayloadById()
    {
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(new Random(2), 300);
        Write(directory, ids);
        using var store = DocumentStore.Open(directory.Path);
        Assert.Equal(ids.Length, store.DocumentCount);
        for (int i = 0; i < ids.Length; i++)
        {
            Assert.Equal(Payload(ids[i], i), store.Text(ids[i]));
            Assert.Equal(ids[i], store.ExternalId(i));
            Assert.Equal(Payload(ids[i], i), Encoding.UTF8.GetString(store.Payload(i)));
        }

        Assert.Null(store.Text("no such id"));
        Assert.False(store.TryGet("", out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => store.Payload(ids.Length));
    }

    [Fact]
    public void NothingIsThereUntilItIsComplete()
    {
        using var directory = new TemporaryDirectory();
        using (var writer = new DocumentStoreWriter(directory.Path))
        {
            writer.Add("a", "{}");
            Assert.False(DocumentStore.Exists(directory.Path));
        }

        Assert.Empty(Directory.GetFiles(directory.Path));
        using var twice = new DocumentStoreWriter(directory.Path);
        twice.Add("a", "{}");
        twice.Add("a", "{}");
        Assert.Throws<ArgumentException>(twice.Complete);
        Assert.False(DocumentStore.Exists(directory.Path));
    }

    [Fact]
    public void AFlippedBitInAnySectionIsFound()
    {
        using var directory = new TemporaryDirectory();
        Write(directory, RandomVectors.Ids(new Random(2), 30));
        string path = directory.File("documents.tern");
        foreach (string section in (string[])["payload", "paystart", "idstart", "idbytes", "idrank", "idorder"])
        {
            byte[] whole = File.ReadAllBytes(path);
            long offset;
            using (SectionFile file = SectionFile.Open(path, DocumentStore.Magic))
            {
                offset = file.Place(section).Offset;
            }

            byte[] damaged = [.. whole];
            damaged[offset + 3] ^= 4;
            File.WriteAllBytes(path, damaged);
            Assert.StartsWith($"{path}: section '{section}' at offset {offset}: ", Assert.Throws<InvalidDataException>(() => DocumentStore.Open(directory.Path)).Message, StringComparison.Ordinal);
            File.WriteAllBytes(path, whole[..(int)(offset + 3)]);
            Assert.StartsWith($"{path}: section '", Assert.Throws<InvalidDataException>(() => DocumentStore.Open(directory.Path)).Message, StringComparison.Ordinal);
            File.WriteAllBytes(path, whole);
        }
    }

    private static string Payload(string id, int i) => i % 7 == 0 ? "" : $"{{\"id\": \"{id}\", \"n\": {i}}}";

    private static void Write(TemporaryDirectory directory, string[] ids)
    {
        using var writer = new DocumentStoreWriter(directory.Path);
        for (int i = 0; i < ids.Length; i++)
        {
            writer.Add(ids[i], Payload(ids[i], i));
        }

        writer.Complete();
    }
}
