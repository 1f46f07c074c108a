/*
 * Uses the C library as a program would: check_tern SPARSE_INDEX DENSE_INDEX BM25_INDEX MODEL QUERY DOCUMENT_ID
 * Prints what it got, floats as their bits, for the caller to compare; says on stderr what is wrong and returns 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tern.h"

#define THREADS 4
#define ROUNDS 8
#define K 5

static int failures = 0;

#define CHECK(condition)                                                                                        \
    do {                                                                                                        \
        if (!(condition)) {                                                                                     \
            fprintf(stderr, "line %d: %s; last error: %s\n", __LINE__, #condition, tern_last_error());          \
            failures++;                                                                                         \
        }                                                                                                       \
    } while (0)

static unsigned bits(float value)
{
    unsigned result;
    memcpy(&result, &value, sizeof result);
    return result;
}

static tern_retriever *open_or_null(const char *directory)
{
    tern_retriever *retriever = NULL;
    CHECK(tern_open(directory, NULL, &retriever) == TERN_OK);
    CHECK(retriever != NULL);
    return retriever;
}

static void encode(tern_retriever *retriever, const char *label, const char *text, tern_side side)
{
    tern_vector *vector = NULL;
    int32_t i;
    CHECK(tern_encode(retriever, text, side, &vector) == TERN_OK);
    if (vector == NULL)
        return;
    for (i = 0; i < vector->count; i++)
        printf("%s %d %08x\n", label, vector->terms == NULL ? i : vector->terms[i], bits(vector->values[i]));
    tern_free(vector);
}

static void search(tern_retriever *retriever, const char *label, const char *query)
{
    tern_hits *hits = NULL;
    int32_t i;
    CHECK(tern_search(retriever, query, K, &hits) == TERN_OK);
    if (hits == NULL)
        return;
    for (i = 0; i < hits->count; i++)
        printf("%s %s %08x %s\n", label, hits->items[i].id, bits(hits->items[i].score), hits->items[i].name);
    tern_free(hits);
}

static void explain(tern_retriever *retriever, const char *label, const char *query, const char *document)
{
    tern_explanation *explanation = NULL;
    int32_t i;
    CHECK(tern_explain(retriever, query, document, &explanation) == TERN_OK);
    if (explanation == NULL)
        return;
    printf("%s score %08x\n", label, bits(explanation->score));
    for (i = 0; i < explanation->count; i++) {
        const tern_term *term = &explanation->items[i];
        printf("%s %08x %d %d", label, bits(term->contribution), term->is_expansion != 0, term->start);
        if (term->start >= 0)
            printf(" [%.*s]", (int)term->length, explanation->text + term->start);
        printf(" %s\n", term->text);
    }
    tern_free(explanation);
}

struct search_job {
    tern_retriever *retriever;
    const char *query;
    int wrong;
};

static void *search_again_and_again(void *argument)
{
    struct search_job *job = argument;
    int round;
    for (round = 0; round < ROUNDS; round++) {
        tern_hits *hits = NULL, *same = NULL;
        if (tern_search(job->retriever, job->query, K, &hits) != TERN_OK || tern_search(job->retriever, job->query, K, &same) != TERN_OK) {
            job->wrong++;
        } else {
            job->wrong += hits->count != same->count || hits->count == 0 || strcmp(hits->items[0].id, same->items[0].id) != 0
                || bits(hits->items[0].score) != bits(same->items[0].score);
        }
        tern_free(hits);
        tern_free(same);
    }
    return NULL;
}

static void search_from_threads(tern_retriever *retriever, const char *query)
{
    pthread_t threads[THREADS];
    struct search_job jobs[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        jobs[i].retriever = retriever;
        jobs[i].query = query;
        jobs[i].wrong = 0;
        CHECK(pthread_create(&threads[i], NULL, search_again_and_again, &jobs[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(jobs[i].wrong == 0);
    }
}

static void check_errors(tern_retriever *index, tern_retriever *bm25, tern_retriever *model)
{
    tern_retriever *none = (tern_retriever *)&failures;
    tern_vector *vector = NULL;
    tern_hits *hits = NULL;
    tern_explanation *explanation = NULL;
    tern_options wrong = {0};
    CHECK(tern_open("/no/such/directory", NULL, &none) == TERN_BAD_INPUT);
    CHECK(none == NULL);
    CHECK(strstr(tern_last_error(), "/no/such/directory") != NULL);
    CHECK(strchr(tern_last_error(), '\n') == NULL);
    CHECK(tern_open(NULL, NULL, &none) == TERN_USAGE);
    CHECK(tern_open("x", NULL, NULL) == TERN_USAGE);
    CHECK(tern_open("x", &wrong, &none) == TERN_USAGE);
    CHECK(strstr(tern_last_error(), "size") != NULL);
    CHECK(tern_encode(NULL, "x", TERN_QUERY, &vector) == TERN_USAGE);
    CHECK(tern_encode(index, NULL, TERN_QUERY, &vector) == TERN_USAGE);
    CHECK(tern_encode(index, "\xff\xfe", TERN_QUERY, &vector) == TERN_USAGE);
    CHECK(strstr(tern_last_error(), "UTF-8") != NULL);
    CHECK(tern_encode(index, "x", (tern_side)2, &vector) == TERN_USAGE);
    CHECK(tern_encode(bm25, "x", TERN_QUERY, &vector) == TERN_USAGE);
    CHECK(strstr(tern_last_error(), "BM25") != NULL);
    CHECK(vector == NULL);
    CHECK(tern_search(index, "x", 0, &hits) == TERN_USAGE);
    CHECK(tern_search(model, "x", 1, &hits) == TERN_USAGE);
    CHECK(hits == NULL);
    CHECK(tern_explain(index, "x", "no such document", &explanation) == TERN_USAGE);
    CHECK(strstr(tern_last_error(), "no such document") != NULL);
    CHECK(explanation == NULL);
    tern_free(NULL);
}

int main(int argc, char **argv)
{
    tern_retriever *sparse, *dense, *bm25, *model;
    if (argc != 7) {
        fprintf(stderr, "usage: check_tern SPARSE_INDEX DENSE_INDEX BM25_INDEX MODEL QUERY DOCUMENT_ID\n");
        return 2;
    }
    CHECK(strcmp(tern_last_error(), "") == 0);
    printf("version %s\n", tern_version());
    printf("simd %s\n", tern_simd_path());
    sparse = open_or_null(argv[1]);
    dense = open_or_null(argv[2]);
    bm25 = open_or_null(argv[3]);
    model = open_or_null(argv[4]);
    if (failures > 0)
        return 1;

    encode(sparse, "sparse-query", argv[5], TERN_QUERY);
    encode(model, "sparse-document", argv[5], TERN_DOCUMENT);
    encode(dense, "dense-query", argv[5], TERN_QUERY);
    search(sparse, "sparse-hit", argv[5]);
    search(dense, "dense-hit", argv[5]);
    search(bm25, "bm25-hit", argv[5]);
    explain(sparse, "sparse-term", argv[5], argv[6]);
    explain(dense, "dense-term", argv[5], argv[6]);
    explain(bm25, "bm25-term", argv[5], argv[6]);
    search_from_threads(sparse, argv[5]);
    check_errors(sparse, bm25, model);

    tern_free(sparse);
    tern_free(dense);
    tern_free(bm25);
    tern_free(model);
    return failures == 0 ? 0 : 1;
}
