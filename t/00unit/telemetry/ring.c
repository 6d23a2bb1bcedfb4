/* The last requests: which are kept, in which order, and what is left of their texts. */
#include "telemetry/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static gm_record_t numbered(int number)
{
    return (gm_record_t){.status = number, .failure = GM_NO_FAILURE, .method = {"GET", 3}};
}

static void test_order(void)
{
    gm_ring_t *ring = gm_ring_create(5);
    gm_kept_t *copies;

    for (int added = 0; added != 13; ++added) {
        size_t count = gm_ring_copy(ring, &copies);
        int first = added > 5 ? added - 5 : 0, right = count == (size_t)(added - first);
        for (size_t i = 0; i != count; ++i)
            right = right && copies[i].facts.status == first + (int)i;
        ok(right);
        free(copies);
        gm_record_t record = numbered(added);
        gm_ring_add(ring, &record);
    }
    gm_ring_destroy(ring);
}

/* Nothing of what was borrowed is needed afterwards. */
static void test_texts(void)
{
    gm_ring_t *ring = gm_ring_create(2);
    const gm_record_field_t field = {{NULL, 0}, {NULL, 0}};
    char path[300], host[] = "example.com", endpoint[] = "127.0.0.1:3000", detail[] = "why";
    gm_record_t record = {.method = {"POST", 4},
                          .host = {host, 11},
                          .path = {path, sizeof(path)},
                          .endpoint = endpoint,
                          .detail = detail,
                          .request_fields = &field,
                          .response_fields = &field};
    gm_kept_t *copies;

    memset(path, 'p', sizeof(path));
    gm_ring_add(ring, &record);
    memset(path, 'x', sizeof(path));
    host[0] = endpoint[0] = detail[0] = 'x';
    ok(gm_ring_copy(ring, &copies) == 1);
    gm_ring_destroy(ring);
    gm_kept_read(&copies[0], &record, NULL);
    ok(record.method.length == 4 && memcmp(record.method.base, "POST", 4) == 0);
    ok(record.host.length == 11 && memcmp(record.host.base, "example.com", 11) == 0);
    ok(record.path.length == 160 && record.path.base[0] == 'p' && record.path.base[159] == 'p');
    ok(record.remote_addr.base == NULL && record.remote_addr.length == 0);
    ok(record.request_fields == NULL && record.response_fields == NULL);
    ok(strcmp(record.endpoint, "127.0.0.1:3000") == 0 && strcmp(record.detail, "why") == 0);
    free(copies);
}

static void test_longest(void)
{
    static char text[1000];
    gm_record_grpc_t grpc = {{text, 999}, {text, 999}, GM_GRPC_OK, false, false};
    gm_ring_t *ring = gm_ring_create(1);
    gm_record_t record;
    gm_kept_t *copies;

    memset(text, 'y', sizeof(text) - 1);
    record = (gm_record_t){.method = {text, 999},
                           .host = {text, 999},
                           .path = {text, 999},
                           .remote_addr = {text, 999},
                           .endpoint = text,
                           .detail = text,
                           .grpc = &grpc};
    gm_ring_add(ring, &record);
    gm_ring_copy(ring, &copies);
    gm_kept_read(&copies[0], &record, &grpc);
    ok(strlen(record.endpoint) == 63 && strlen(record.detail) == 96);
    ok(record.detail + 97 <= copies[0].texts + GM_KEPT_BYTES);
    ok(grpc.service.length >= 32 && grpc.method.length >= 32 && grpc.service.base[0] == 'y');
    ok(grpc.service.base + grpc.service.length <= copies[0].texts + GM_KEPT_BYTES);
    free(copies);
    gm_ring_destroy(ring);
}

static void test_grpc(void)
{
    gm_ring_t *ring = gm_ring_create(2);
    char path[] = "/a.S/Do";
    gm_record_grpc_t grpc = {{path + 1, 3}, {path + 5, 2}, GM_GRPC_ABORTED, false, true},
                     read = {.is_ours = false};
    gm_record_t record = {.method = {"POST", 4}, .path = {path, 7}, .detail = "why", .grpc = &grpc};
    gm_kept_t *copies;

    gm_ring_add(ring, &record);
    grpc = (gm_record_grpc_t){.is_missing = true}; /* without names */
    gm_ring_add(ring, &record);
    memset(path, 'x', 7);
    ok(gm_ring_copy(ring, &copies) == 2);
    gm_ring_destroy(ring);
    gm_kept_read(&copies[0], &record, &read);
    ok(record.grpc == &read && read.status == GM_GRPC_ABORTED && read.is_ours && !read.is_missing);
    ok(read.service.length == 3 && memcmp(read.service.base, "a.S", 3) == 0);
    ok(read.method.length == 2 && memcmp(read.method.base, "Do", 2) == 0);
    ok(strcmp(record.detail, "why") == 0 && record.path.length == 7 && record.path.base[0] == '/');
    gm_kept_read(&copies[1], &record, &read);
    ok(read.is_missing && read.service.base == NULL && read.method.base == NULL);
    free(copies);
}

int main(void)
{
    subtest("order", test_order);
    subtest("texts", test_texts);
    subtest("longest texts", test_longest);
    subtest("gRPC", test_grpc);
    return done_testing();
}
