/*
 * Fuzz target: any bytes as a chunked body. However they are cut into pieces, the same data comes out, the
 * same trailers, and the same bytes are left behind; a prefix of a good body is never malformed; and encoding
 * the data again gives it back. The first byte of the input chooses how to cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "http/framing.h"
#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct outcome {
    int ret; /* 1 = ended, 0 = incomplete, -1 = malformed */
    gm_buffer_t body, rest, trailers;
} outcome_t;

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void dispose(outcome_t *self)
{
    gm_buffer_dispose(&self->body);
    gm_buffer_dispose(&self->rest);
    gm_buffer_dispose(&self->trailers);
}

static bool is_same(const gm_buffer_t *a, const gm_buffer_t *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
}

/* As a connection does it: the buffer grows behind what is ready, which is taken now and then. */
static outcome_t decode(const char *bytes, size_t size, unsigned cut)
{
    outcome_t outcome = {0};
    gm_framing_t framing;
    char *buffer = gm_alloc(size + 1);
    size_t held = 0, at = 0;

    gm_framing_init(&framing, GM_FRAMING_CHUNKED, 0);
    while (at != size && outcome.ret == 0) {
        size_t step = cut == 0 ? size : 1 + (cut * (at + 1) ^ at >> 3) % (cut & 15 ? 3 : 40);
        size_t left = size - at < step ? size - at : step;
        memcpy(buffer + held, bytes + at, left);
        at += left;
        held += left;
        if (gm_framing_feed(&framing, buffer, &held) != 0)
            outcome.ret = -1;
        else if (framing.has_ended)
            outcome.ret = 1;
        require(framing.ready <= held && held <= size);
        require(outcome.ret != 0 || framing.ready == held);
        if (cut % 3 != 0 || outcome.ret != 0) {
            gm_buffer_append(&outcome.body, buffer, framing.ready);
            held -= framing.ready;
            memmove(buffer, buffer + framing.ready, held);
            gm_framing_take(&framing);
        }
    }
    gm_buffer_append(&outcome.body, buffer, framing.ready);
    gm_buffer_append(&outcome.rest, buffer + framing.ready, held - framing.ready);
    gm_buffer_append(&outcome.rest, bytes + at, size - at);
    if (framing.chunked.trailers.length != 0)
        gm_buffer_append(&outcome.trailers, framing.chunked.trailers.text, framing.chunked.trailers.length);
    require(gm_framing_close(&framing) == (outcome.ret == 1));
    gm_framing_dispose(&framing);
    free(buffer);
    return outcome;
}

static void check_trailers(gm_buffer_t *trailers)
{
    gm_head_field_t fields[8];
    int count = gm_head_parse_trailers(trailers->text, trailers->length, fields, GM_COUNT_OF(fields));

    require(count >= -1 && count <= (int)GM_COUNT_OF(fields));
    for (int i = 0; i < count; ++i) {
        const gm_span_t *name = &fields[i].name, *value = &fields[i].value;
        require(name->base >= trailers->text && name->length != 0 && name->base + name->length < value->base);
        require(value->base + value->length <= trailers->text + trailers->length - 2);
    }
}

static void check_encoded(const gm_buffer_t *body)
{
    gm_buffer_t text = {0};
    outcome_t again;

    if (body->length != 0) {
        gm_buffer_printf(&text, "%zx\r\n", body->length);
        gm_buffer_append(&text, body->text, body->length);
        gm_buffer_append_text(&text, "\r\n");
    }
    gm_buffer_append_text(&text, "0\r\n\r\n");
    again = decode(text.text, text.length, 7);
    require(again.ret == 1 && is_same(&again.body, body) && again.rest.length == 0);
    dispose(&again);
    gm_buffer_dispose(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    outcome_t whole, pieces;

    if (size == 0)
        return 0;
    --size;
    whole = decode(bytes, size, 0);
    pieces = decode(bytes, size, 1 + data[0]);
    require(whole.ret == pieces.ret);
    if (whole.ret >= 0) { /* of a malformed body nothing but that counts */
        require(is_same(&whole.body, &pieces.body) && is_same(&whole.rest, &pieces.rest));
        require(is_same(&whole.trailers, &pieces.trailers));
        require(whole.ret == 1 || whole.rest.length == 0);
        check_encoded(&whole.body);
    }
    if (whole.ret == 1) {
        outcome_t prefix = decode(bytes, (size - whole.rest.length) / 2, 1 + data[0]);
        require(prefix.ret == 0 && prefix.body.length <= whole.body.length);
        dispose(&prefix);
        check_trailers(&whole.trailers);
    }
    dispose(&whole);
    dispose(&pieces);
    return 0;
}
