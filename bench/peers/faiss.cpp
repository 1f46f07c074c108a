// Faiss's flat indexes behind four C functions, for bench/peers/dense.sh; built outside the product, loaded by the benchmark if it is there.
#include <faiss/IndexFlat.h>
#include <faiss/IndexScalarQuantizer.h>
#include <omp.h>

extern "C" void* peer_open(int bits, long count, int dimension, const float* rows)
{
    faiss::Index* index = bits == 32
        ? static_cast<faiss::Index*>(new faiss::IndexFlatIP(dimension))
        : new faiss::IndexScalarQuantizer(dimension, faiss::ScalarQuantizer::QT_8bit, faiss::METRIC_INNER_PRODUCT);
    if (!index->is_trained) index->train(count < 100000 ? count : 100000, rows);
    index->add(count, rows);
    return index;
}

extern "C" void peer_search(void* index, int count, const float* queries, int k, float* scores, long* ids)
{
    static_cast<faiss::Index*>(index)->search(count, queries, k, scores, ids);
}

extern "C" void peer_threads(int count) { omp_set_num_threads(count); }

extern "C" void peer_close(void* index) { delete static_cast<faiss::Index*>(index); }
