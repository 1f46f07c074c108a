namespace Tern.Model.Checkpoints;

/// <summary>One tensor that is not the same in two checkpoints.</summary>
/// <param name="Name">Its name.</param>
/// <param name="What">How the two differ, in words, or by how much.</param>
/// <param name="RelativeDifference">‖a − b‖ / ‖a‖ of its values; null where they cannot be compared.</param>
public sealed record TensorDifference(string Name, string What, double? RelativeDifference);

/// <summary>What two model directories have and do not have in common, tensor by tensor; values are compared as Float32.</summary>
public static class CheckpointComparison
{
    /// <summary>The tensors that differ, in the order of their names, and how many are the same. Each may be a model's or an adapter's directory.</summary>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    public static (IReadOnlyList<TensorDifference> Differences, int EqualCount) Compare(string left, string right)
    {
        using Source a = Open(left), b = Open(right);
        List<TensorDifference> differences = [];
        int equal = 0;
        foreach (string name in a.Names.Union(b.Names, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (!a.Names.Contains(name) || !b.Names.Contains(name))
            {
                differences.Add(new TensorDifference(name, $"only in {(a.Names.Contains(name) ? left : right)}", null));
            }
            else if (Compare(name, a, b) is { } difference)
            {
                differences.Add(difference);
            }
            else
            {
                equal++;
            }
        }

        return (differences, equal);
    }

    private static TensorDifference? Compare(string name, Source a, Source b)
    {
        string shape = a.Shape(name), other = b.Shape(name);
        if (shape != other)
        {
            return new TensorDifference(name, $"{shape} and {other}", null);
        }

        float[] left = a.Read(name), right = b.Read(name);
        double difference = 0, norm = 0, largest = 0;
        long count = 0;
        for (int i = 0; i < left.Length; i++)
        {
            double delta = Math.Abs((double)left[i] - right[i]);
            count += BitConverter.SingleToInt32Bits(left[i]) == BitConverter.SingleToInt32Bits(right[i]) ? 0 : 1;
            largest = double.IsNaN(delta) ? double.NaN : Math.Max(largest, delta);
            difference += delta * delta;
            norm += (double)left[i] * left[i];
        }

        return count == 0
            ? null
            : new TensorDifference(name, FormattableString.Invariant($"{count} of {left.Length} values differ, by at most {largest:g3}"), norm > 0 ? Math.Sqrt(difference / norm) : double.PositiveInfinity);
    }

    private static Source Open(string directory)
    {
        if (AdapterStack.IsStack(directory))
        {
            LoraAdapter adapter = LoraAdapter.Open(directory);
            Dictionary<string, (string Shape, Func<float[]> Read)> halves = new(StringComparer.Ordinal);
            foreach ((string weight, LoraPair pair) in adapter.Pairs)
            {
                halves[LoraAdapterFile.Short(weight, 'A')] = ($"[{pair.Rank}, {pair.Inputs}]", () => pair.A);
                halves[LoraAdapterFile.Short(weight, 'B')] = ($"[{pair.Outputs}, {pair.Rank}]", () => pair.B);
            }

            return new Source(halves, null);
        }

        Checkpoint checkpoint = Checkpoint.Open(directory);
        return new Source(
            checkpoint.Names.ToDictionary(n => n, n => (checkpoint.Find(n).Entry.ShapeText, (Func<float[]>)(() => WeightLoader.ReadFloats(checkpoint.Find(n).File, checkpoint.Find(n).Entry))), StringComparer.Ordinal),
            checkpoint);
    }

    private sealed class Source(Dictionary<string, (string Shape, Func<float[]> Read)> tensors, IDisposable? owned) : IDisposable
    {
        public IReadOnlyCollection<string> Names => tensors.Keys;

        public string Shape(string name) => tensors[name].Shape;

        public float[] Read(string name) => tensors[name].Read();

        public void Dispose() => owned?.Dispose();
    }
}
