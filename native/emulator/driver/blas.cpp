// A stand-in for the cuBLAS functions that Tern.Cuda calls. Every matrix is checked against its leading dimension and the
// allocation that it lies in. Sums go over the inner dimension in order, in Float32.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "device.hpp"

using namespace device;

namespace {

// cublasStatus_t, cudaDataType and cublasComputeType_t, those that are used.
enum Status { ok = 0, not_initialised = 1, invalid = 7, not_supported = 15 };
enum Type { float32 = 0, bfloat16 = 14 };
constexpr int compute_float32 = 68;

struct Handle {
    void* stream = nullptr;
};

thread_local std::string status_text = "success";

int fail(int status) {
    status_text = reason();
    return status;
}

float widen(uint16_t bits) {
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

uint16_t round_to_bfloat16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// A column-major matrix, transposed or not.
struct Matrix {
    const void* address;
    int type, pitch;
    bool transposed;

    float at(int row, int column) const {
        size_t i = transposed ? static_cast<size_t>(row) * pitch + column : static_cast<size_t>(column) * pitch + row;
        return type == float32 ? static_cast<const float*>(address)[i] : widen(static_cast<const uint16_t*>(address)[i]);
    }
};

// Rows and columns as they lie in memory.
int check(const char* name, const void* address, int type, int rows, int columns, int pitch) {
    if (pitch < std::max(1, rows)) return refuse(invalid, "matrix %s: %d rows at a leading dimension of %d", name, rows, pitch);
    if (rows == 0 || columns == 0) return ok;
    size_t bytes = (static_cast<size_t>(columns - 1) * pitch + rows) * (type == float32 ? 4 : 2), left = memory().bytes_from(address);
    if (left == 0) return refuse(invalid, "matrix %s: %p is not in live device memory", name, address);
    if (left < bytes) return refuse(invalid, "matrix %s: %d x %d at a leading dimension of %d takes %zu bytes, its memory has %zu", name, rows, columns, pitch, bytes, left);
    return ok;
}

constexpr int tile_rows = 64, tile_columns = 4;

// sums[j][i] = Σ_k left[k][i] · right[j][k], k in order.
__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
void multiply_tile(const float* left, const float* const* right, int k, float (*sums)[tile_rows]) {
    float local[tile_columns][tile_rows] = {};
    for (int l = 0; l < k; l++)
        for (int j = 0; j < tile_columns; j++)
            for (int i = 0; i < tile_rows; i++) local[j][i] += left[static_cast<size_t>(l) * tile_rows + i] * right[j][l];
    memcpy(sums, local, sizeof local);
}

}  // namespace

TERN_API int cublasCreate_v2(void** handle) {
    *handle = new Handle;
    return ok;
}

TERN_API int cublasDestroy_v2(void* handle) {
    delete static_cast<Handle*>(handle);
    return ok;
}

TERN_API int cublasSetStream_v2(void* handle, void* stream) {
    static_cast<Handle*>(handle)->stream = stream;
    return ok;
}

TERN_API int cublasSetWorkspace_v2(void*, void* workspace, size_t bytes) {
    size_t left = memory().bytes_from(workspace);
    return left >= bytes ? static_cast<int>(ok) : fail(refuse(invalid, "a workspace of %zu bytes in memory of %zu", bytes, left));
}

TERN_API int cublasGetVersion_v2(void*, int* version) {
    *version = 130000;
    return ok;
}

TERN_API const char* cublasGetStatusString(int) { return status_text.c_str(); }

TERN_API int cublasGemmEx(void* handle, int operation_a, int operation_b, int m, int n, int k, const void* alpha, const void* a, int type_a, int lda, const void* b, int type_b, int ldb, const void* beta, void* c, int type_c, int ldc, int compute, int) {
    if (handle == nullptr || static_cast<Handle*>(handle)->stream == nullptr) return fail(refuse(not_initialised, "cublasGemmEx without a stream of its own"));
    if (m < 0 || n < 0 || k < 0) return fail(refuse(invalid, "sizes %d, %d, %d", m, n, k));
    bool types = type_a == type_b && (type_a == float32 ? type_c == float32 : type_a == bfloat16 && (type_c == float32 || type_c == bfloat16));
    if (!types || compute != compute_float32 || operation_a > 1 || operation_b > 1) return fail(refuse(not_supported, "types %d, %d, %d with compute type %d", type_a, type_b, type_c, compute));
    bool ta = operation_a == 1, tb = operation_b == 1;
    if (int status = check("A", a, type_a, ta ? k : m, ta ? m : k, lda)) return fail(status);
    if (int status = check("B", b, type_b, tb ? n : k, tb ? k : n, ldb)) return fail(status);
    if (int status = check("C", c, type_c, m, n, ldc)) return fail(status);
    record().add("gemm %s%s %dx%dx%d types %d %d", ta ? "T" : "N", tb ? "T" : "N", m, n, k, type_a, type_c);

    Matrix left{a, type_a, lda, ta}, right{b, type_b, ldb, tb};
    float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
    std::vector<float> packed(static_cast<size_t>(std::max(1, k)) * tile_rows), columns(static_cast<size_t>(std::max(1, k)) * std::max(1, n) + 1), zeros(std::max(1, k));
    for (int j = 0; j < n; j++)
        for (int l = 0; l < k; l++) columns[static_cast<size_t>(j) * k + l] = right.at(l, j);
    for (int i0 = 0; i0 < m; i0 += tile_rows) {
        int rows = std::min(tile_rows, m - i0);
        std::fill(packed.begin(), packed.end(), 0.0f);
        for (int l = 0; l < k; l++)
            for (int i = 0; i < rows; i++) packed[static_cast<size_t>(l) * tile_rows + i] = left.at(i0 + i, l);
        for (int j0 = 0; j0 < n; j0 += tile_columns) {
            const float* tile[tile_columns];
            for (int j = 0; j < tile_columns; j++) tile[j] = j0 + j < n ? &columns[static_cast<size_t>(j0 + j) * k] : zeros.data();
            float sums[tile_columns][tile_rows];
            multiply_tile(packed.data(), tile, k, sums);
            for (int j = 0; j < std::min(tile_columns, n - j0); j++) {
                for (int i = 0; i < rows; i++) {
                    size_t at = static_cast<size_t>(j0 + j) * ldc + i0 + i;
                    float sum = scale * sums[j][i];
                    if (type_c == float32) {
                        auto* out = static_cast<float*>(c) + at;
                        *out = keep == 0 ? sum : sum + keep * *out;
                    } else {
                        auto* out = static_cast<uint16_t*>(c) + at;
                        *out = round_to_bfloat16(keep == 0 ? sum : sum + keep * widen(*out));
                    }
                }
            }
        }
    }
    return ok;
}
