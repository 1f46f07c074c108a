/*
 * tern.h: text to learned sparse or dense vectors, and search over an index of them, from C and whatever can call it.
 *
 * Strings are UTF-8 and end in a zero byte; lengths and positions count bytes. A zero byte inside a text that the library
 * gives becomes U+001A. Functions that return tern_status give TERN_OK or say what went wrong; tern_last_error() then has
 * one line: what, where, what to do. An output parameter is first set to NULL and written again on success only.
 *
 * Ownership: what a function hands out through a T ** parameter, with all that it points to, belongs to the caller and
 * goes back through tern_free(), from any thread. Arguments are read during the call only and stay the caller's.
 *
 * Threads: every function may be called from any thread at any time, also with one tern_retriever from many threads at
 * once (an encode uses all its processors; several take turns). The exception is tern_free() of a tern_retriever: no
 * call with it may be running.
 *
 * No exception crosses this boundary. The library holds a .NET runtime of its own, which cannot be unloaded: do not
 * dlclose() it. The process ends if memory is exhausted, or at the first call on a processor that lacks the library's
 * instructions (x86-64-v3, AVX2, for the library in lib; ld.so takes that of glibc-hwcaps where the machine has AVX-512).
 */
#ifndef TERN_H
#define TERN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define TERN_API __declspec(dllimport)
#else
#define TERN_API
#endif

/* The values are the exit codes of the command line. */
typedef enum tern_status {
    TERN_OK = 0,
    TERN_FAILURE = 1,  /* the system refused something: disk, memory, rights */
    TERN_USAGE = 2,    /* a wrong argument */
    TERN_BAD_INPUT = 3 /* a file is missing, damaged or does not fit another */
} tern_status;

/* What a text is; a model may treat the two differently. */
typedef enum tern_side { TERN_QUERY = 0, TERN_DOCUMENT = 1 } tern_side;

/* An open index with its model, or a model alone. */
typedef struct tern_retriever tern_retriever;

/* Zero is the default of every member. */
typedef struct tern_options {
    size_t size;                 /* sizeof(tern_options); later versions may append members */
    const char *model_directory; /* NULL: where the model was when the index was built; for an index only */
    int32_t threads;             /* 0: one per processor */
    int32_t skip_verification;   /* not 0: do not compare an index's checksums when it is opened */
} tern_options;

typedef struct tern_vector {
    int32_t count;        /* sparse: terms with a weight; dense: the vector's length */
    const int32_t *terms; /* sparse: token ids, ascending; dense: NULL */
    const float *values;  /* weights, or the vector itself */
} tern_vector;

typedef struct tern_hit {
    const char *id;
    float score;
    const char *name;    /* what the index keeps to show; NULL where it keeps nothing */
    const char *summary; /* likewise; may be empty */
} tern_hit;

/* The best document first: score descending, then id descending by bytes. */
typedef struct tern_hits {
    int32_t count;
    const tern_hit *items;
} tern_hits;

typedef struct tern_term {
    const char *text;
    float query_weight;
    float document_weight;
    float contribution;   /* to the score */
    int32_t is_expansion; /* not 0: not among the query's own words, the model added it */
    int32_t start;        /* bytes of tern_explanation.text that gave the term its weight; -1: not known */
    int32_t length;       /* 0: not text of the document but the start token or a prefix */
} tern_term;

typedef struct tern_explanation {
    float score;
    const char *text;       /* the document as it was encoded; NULL where the index does not keep it */
    int32_t count;
    const tern_term *items; /* terms that query and document share, the largest contribution first; none if dense */
} tern_explanation;

/* Opens an index directory (with its model) or a model directory (tern_encode only). options may be NULL. */
TERN_API tern_status tern_open(const char *directory, const tern_options *options, tern_retriever **retriever);

/* The vector of one text, with BOS, prefix and longest length as the model's contract says. Not for BM25. */
TERN_API tern_status tern_encode(tern_retriever *retriever, const char *text, tern_side side, tern_vector **vector);

/* The best k documents for a query in words; fewer where fewer match. */
TERN_API tern_status tern_search(tern_retriever *retriever, const char *query, int32_t k, tern_hits **hits);

/* Why a document scores what it scores, whether it would be found or not. */
TERN_API tern_status tern_explain(tern_retriever *retriever, const char *query, const char *document_id, tern_explanation **explanation);

/* Releases anything that this library handed out. NULL is allowed; freeing twice is a caller's error. */
TERN_API void tern_free(void *pointer);

/* The message of this thread's last call that failed, "" if none did; valid until this thread's next failing call. */
TERN_API const char *tern_last_error(void);

/* "0.1.0"; valid for ever. */
TERN_API const char *tern_version(void);

/* The vector width that computes here: "vector512", "vector256" or "vector128"; valid for ever. NULL if the environment
 * variable TERN_SIMD asks for one that is not there. */
TERN_API const char *tern_simd_path(void);

#ifdef __cplusplus
}
#endif

#endif
