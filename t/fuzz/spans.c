/*
 * Fuzz target: any bytes as the texts and numbers of a record with spans. Whatever they are, a batch of them
 * is one JSON value in valid UTF-8, and nothing is written beyond the room that was measured (ASan sees to
 * that).
 */
#include "telemetry/otlp.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "telemetry/failure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

typedef struct input {
    const uint8_t *data;
    size_t size;
} input_t;

static uint64_t take_number(input_t *self, size_t bytes)
{
    uint64_t value = 0;

    for (; bytes != 0 && self->size != 0; --bytes, --self->size)
        value = value << 8 | *self->data++;
    return value;
}

/* Up to 4 KiB, which is beyond what is kept; repeated, so that few bytes of input do. */
static gm_record_text_t take_text(input_t *self, char room[4096])
{
    size_t length = take_number(self, 1), times = 1 + take_number(self, 1) % 16, filled = 0;

    if (length > self->size)
        length = self->size;
    for (size_t i = 0; i != times; ++i, filled += length)
        memcpy(room + filled, self->data, length);
    self->data += length;
    self->size -= length;
    return (gm_record_text_t){length != 0 ? room : NULL, filled};
}

/* The same, ended by a zero. */
static const char *take_name(input_t *self, char room[4096])
{
    gm_record_text_t text = take_text(self, room);

    room[text.length < 4096 ? text.length : 4095] = '\0';
    return text.base;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char rooms[12][4096];
    input_t input = {data, size};
    gm_spans_t spans = {.scheme = "https"};
    gm_record_t record = {.protocol = "HTTP/1.1", .spans = &spans};
    gm_record_grpc_t grpc = {.is_ours = false};
    gm_buffer_t batch = {0};
    char endpoint[64];
    size_t count;

    record.method = take_text(&input, rooms[0]);
    record.host = take_text(&input, rooms[1]);
    record.path = take_text(&input, rooms[2]);
    record.remote_addr = (gm_record_text_t){"::1", 3};
    spans.user_agent = take_text(&input, rooms[3]);
    spans.trace_state = (gm_record_text_t){"a=1", take_number(&input, 1) % 4};
    record.route = take_name(&input, rooms[4]);
    record.cluster = take_name(&input, rooms[5]);
    record.detail = take_name(&input, rooms[6]);
    spans.route_path = take_name(&input, rooms[7]);
    spans.authority = take_name(&input, rooms[8]);
    memcpy(endpoint, rooms[8], sizeof(endpoint) - 1);
    endpoint[sizeof(endpoint) - 1] = '\0';
    spans.has_parent = take_number(&input, 1) & 1;
    spans.has_secure_backend = take_number(&input, 1) & 1;
    spans.count = take_number(&input, 1) % (GM_ATTEMPTS_MAX + 3);
    record.failure = (int)(take_number(&input, 1) % (GM_FAILURE_COUNT + 1)) - 1;
    record.status = (int)take_number(&input, 2);
    record.bytes_in = take_number(&input, 8);
    record.began_us = take_number(&input, 7);
    for (size_t i = 0; i != GM_PHASE_COUNT; ++i)
        record.phase_ns[i] = take_number(&input, 8);
    for (size_t i = 0; i != GM_ATTEMPTS_MAX; ++i)
        spans.attempts[i] = (gm_attempt_t){.ended_ns = take_number(&input, 1),
                                           .status = (int)take_number(&input, 2),
                                           .failure = record.failure,
                                           .endpoint = i % 2 != 0 ? endpoint : NULL};
    grpc.service = record.host;
    grpc.method = record.path;
    grpc.status = (gm_grpc_status_t)(take_number(&input, 1) % GM_GRPC_STATUS_COUNT);
    record.grpc = take_number(&input, 1) & 1 ? &grpc : NULL;
    gm_otlp_write_prefix(record.route != NULL ? record.route : "", "0.0.0", &batch);
    count = gm_otlp_write_spans(&record, &batch);
    require(count == 1 + (spans.count < GM_ATTEMPTS_MAX ? spans.count : GM_ATTEMPTS_MAX));
    gm_buffer_append_text(&batch, GM_OTLP_SUFFIX);
    require(json_is_whole(batch.text, batch.length));
    gm_buffer_dispose(&batch);
    return 0;
}
