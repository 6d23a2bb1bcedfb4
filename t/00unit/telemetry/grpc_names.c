/* Names of services and methods as numbers: the same name the same number, and room for what is real. */
#include "telemetry/grpc_names.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static uint32_t find(gm_grpc_names_t *names, const char *service, const char *method, bool is_real)
{
    const gm_record_grpc_t grpc = {
        {service, strlen(service)}, {method, strlen(method)}, GM_GRPC_OK, false, false};

    return gm_grpc_names_find(names, &grpc, is_real);
}

static uint32_t find_numbered(gm_grpc_names_t *names, int number, bool is_real)
{
    char method[16];

    snprintf(method, sizeof(method), "M%d", number);
    return find(names, "a.S", method, is_real);
}

static void test_numbers(void)
{
    gm_grpc_names_t *names = gm_grpc_names_create(100);
    uint32_t first = find(names, "a.S", "M", true), second = find(names, "a.SM", "", true);

    ok(first == 1 && second == 2); /* one text behind the other is the same, but they are not */
    ok(find(names, "a.S", "M", true) == first && find(names, "a.S", "M", false) == first);
    ok(strcmp(gm_grpc_names_service(names, first), "a.S") == 0);
    ok(strcmp(gm_grpc_names_method(names, first), "M") == 0);
    ok(strcmp(gm_grpc_names_method(names, second), "") == 0);
    ok(gm_grpc_names_find(names, &(gm_record_grpc_t){.is_missing = true}, true) == GM_GRPC_NAMES_OTHER);
    ok(strcmp(gm_grpc_names_service(names, GM_GRPC_NAMES_OTHER), "other") == 0);
    ok(strcmp(gm_grpc_names_method(names, GM_GRPC_NAMES_OTHER), "other") == 0);
    gm_grpc_names_destroy(names);
    gm_grpc_names_destroy(NULL);
}

static void test_room(void)
{
    gm_grpc_names_t *names = gm_grpc_names_create(80);
    char longer[257];
    int unreal = 0, real = 0;

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    ok(find(names, longer, "M", true) == GM_GRPC_NAMES_OTHER &&
       find(names, "S", longer, true) == GM_GRPC_NAMES_OTHER);
    for (int i = 0; i != 1000; ++i)
        unreal += find_numbered(names, i, false) != GM_GRPC_NAMES_OTHER;
    ok(unreal == 11);
    for (int i = 2000; i != 3000; ++i)
        real += find_numbered(names, i, true) != GM_GRPC_NAMES_OTHER;
    ok(real == 69);
    ok(find_numbered(names, 2000, false) == 12); /* who has a number keeps it */
    ok(find_numbered(names, 0, false) == 1);
    gm_grpc_names_destroy(names);
    names = gm_grpc_names_create(1);
    ok(find_numbered(names, 0, false) == 1 && find_numbered(names, 1, true) == GM_GRPC_NAMES_OTHER);
    gm_grpc_names_destroy(names);
}

#define THREADS 4
#define NAMES 500

typedef struct worker {
    gm_grpc_names_t *names;
    uint32_t numbers[NAMES];
} worker_t;

static void *run(void *data)
{
    worker_t *self = data;

    for (int round = 0; round != 20; ++round)
        for (int i = 0; i != NAMES; ++i)
            self->numbers[i] = find_numbered(self->names, i, true);
    return NULL;
}

static void test_threads(void)
{
    gm_grpc_names_t *names = gm_grpc_names_create(NAMES);
    worker_t *workers = calloc(THREADS, sizeof(*workers));
    pthread_t threads[THREADS];
    int bad = 0;

    for (int i = 0; i != THREADS; ++i) {
        workers[i].names = names;
        pthread_create(&threads[i], NULL, run, &workers[i]);
    }
    for (int i = 0; i != THREADS; ++i)
        pthread_join(threads[i], NULL);
    for (int i = 0; i != NAMES; ++i) {
        char method[16];
        snprintf(method, sizeof(method), "M%d", i);
        for (int k = 0; k != THREADS; ++k)
            bad += workers[k].numbers[i] == GM_GRPC_NAMES_OTHER ||
                   workers[k].numbers[i] != workers[0].numbers[i];
        bad += strcmp(gm_grpc_names_method(names, workers[0].numbers[i]), method) != 0;
    }
    ok(bad == 0);
    free(workers);
    gm_grpc_names_destroy(names);
}

int main(void)
{
    subtest("numbers", test_numbers);
    subtest("room", test_room);
    subtest("threads", test_threads);
    return done_testing();
}
