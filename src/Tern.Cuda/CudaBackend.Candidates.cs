using Tern.Compute;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>Top-k over rows that stay on the device: a block of scores by cuBLAS, then what reaches a query's threshold, then a new threshold.</summary>
public sealed partial class CudaBackend : ICandidateBackend
{
    public ICandidateRows KeepRows(Tensor rows) => new CandidateRows(this, rows);

    private sealed class CandidateRows : ICandidateRows
    {
        private const int GroupSize = 256, BlockSize = 8192, Room = 1024, UploadElements = 1 << 26;

        private readonly CudaBackend _backend;
        private readonly TensorMemory[] _owned;
        private readonly Tensor _rows; // [N, D]

        public CandidateRows(CudaBackend backend, Tensor rows)
        {
            if (!rows.IsHost || rows.DType != DType.Float32 || !rows.IsContiguous)
            {
                throw new ArgumentException($"{rows}: Float32 rows without gaps on the host are needed");
            }

            _backend = backend;
            _owned = [.. new[] { DType.Float32, DType.Float32, DType.Float32, DType.Float32, DType.Float32, DType.Int32, DType.Int32, DType.Int32, DType.Int32 }.Select(type => backend.Allocate(type))];
            try
            {
                _rows = _owned[0].Shape(rows.Rows, rows.Columns);
                int step = Math.Max(1, UploadElements / Math.Max(1, rows.Columns));
                for (int first = 0; first < rows.Rows; first += step)
                {
                    int count = Math.Min(step, rows.Rows - first);
                    backend.Upload<float>(rows.SliceRows(first, count).Span<float>(), _rows.SliceRows(first, count));
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public int[]?[] Candidates(ReadOnlySpan<float> queries, int k, ReadOnlySpan<float> slacks)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
            ArgumentOutOfRangeException.ThrowIfNotEqual(queries.Length, slacks.Length * _rows.Columns);
            var found = new int[]?[slacks.Length];
            for (int first = 0; first < slacks.Length; first += GroupSize)
            {
                int count = Math.Min(GroupSize, slacks.Length - first);
                Search(queries.Slice(first * _rows.Columns, count * _rows.Columns), k, slacks.Slice(first, count), found.AsSpan(first, count));
            }

            return found;
        }

        public void Dispose() => Array.ForEach(_owned, m => m.Dispose());

        private void Search(ReadOnlySpan<float> queries, int k, ReadOnlySpan<float> slacks, Span<int[]?> found)
        {
            int queryCount = slacks.Length, capacity = checked((2 * k) + BlockSize + Room);
            Tensor operand = _owned[1].Shape(queryCount, _rows.Columns), scores = _owned[2].Shape(queryCount, Math.Min(BlockSize, _rows.Rows));
            Tensor thresholds = _owned[3].Shape(1, queryCount), slack = _owned[4].Shape(1, queryCount);
            Tensor keys = _owned[5].Shape(queryCount, 2 * capacity), kept = _owned[6].Shape(queryCount, 2 * capacity); // 64 bits each
            Tensor counts = _owned[7].Shape(1, queryCount), overflow = _owned[8].Shape(1, queryCount);
            _backend.Upload(queries, operand);
            _backend.Upload(slacks, slack);
            _backend.Fill(float.NegativeInfinity, thresholds);
            _backend.Begin(nameof(Candidates)).Dispose();
            CudaCall.Check(DriverApi.cuMemsetD32Async(counts.Address, 0, (nuint)queryCount, _backend._stream.Handle));
            CudaCall.Check(DriverApi.cuMemsetD32Async(overflow.Address, 0, (nuint)queryCount, _backend._stream.Handle));
            for (int first = 0; first < _rows.Rows; first += scores.Columns)
            {
                int columns = Math.Min(scores.Columns, _rows.Rows - first);
                Tensor block = scores with { Columns = columns, RowPitch = columns };
                _backend._blas.Multiply(operand, false, _rows.SliceRows(first, columns), true, 1, 0, block);
                _backend.Launch("tern_top_k_filter_f32", block, (long)columns, thresholds, slack, first, queryCount, columns, capacity, counts, keys);
                _backend.Launch("tern_top_k_select", keys, slack, queryCount, k, capacity, counts, thresholds, overflow, kept);
                (keys, kept) = (kept, keys);
            }

            Read(keys, counts, overflow, found);
        }

        private void Read(Tensor keys, Tensor counts, Tensor overflow, Span<int[]?> found)
        {
            int[] count = new int[found.Length], full = new int[found.Length];
            _backend.Download<int>(counts, count);
            _backend.Download<int>(overflow, full);
            int most = count.Max();
            if (most == 0)
            {
                found.Fill([]);
                return;
            }

            int[] words = new int[found.Length * 2 * most];
            _backend.Download<int>(keys with { Columns = 2 * most }, words);
            for (int q = 0; q < found.Length; q++)
            {
                if (full[q] == 0)
                {
                    // A key's lower half is the row's complement.
                    int[] rows = new int[count[q]];
                    for (int i = 0; i < rows.Length; i++)
                    {
                        rows[i] = ~words[2 * ((q * most) + i)];
                    }

                    found[q] = rows;
                }
            }
        }
    }
}
