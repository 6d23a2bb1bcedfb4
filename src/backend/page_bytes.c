/*
 * /bytes/<size>: a body of known length and content, sent in pieces from one constant block, so that memory
 * stays flat at any size and for any number of clients. Called from the table in backend.c and then by the
 * library whenever a piece has gone, on the thread of the request's loop.
 */
#include "backend/page.h"
#include "base/text.h"

#define LARGEST_BODY (4ULL << 30)

/* 2520 alphabets, the most that fit into 64 KiB: each piece begins with 'a', so that byte i is 'a' + i % 26
 */
#define ALPHABET "abcdefghijklmnopqrstuvwxyz"
#define TIMES_6(text) text text text text text text
#define TIMES_7(text) TIMES_6(text) text
#define TIMES_10(text) TIMES_7(text) text text text
static const char block[] = TIMES_10(TIMES_7(TIMES_6(TIMES_6(ALPHABET))));
#define BLOCK_BYTES (sizeof(block) - 1)

typedef struct gm_bytes {
    h2o_generator_t super;
    uint64_t left_bytes;
} gm_bytes_t; /* in req pool */

static void send_piece(h2o_generator_t *generator, h2o_req_t *req)
{
    gm_bytes_t *self = H2O_STRUCT_FROM_MEMBER(gm_bytes_t, super, generator);
    h2o_iovec_t piece = {(char *)block, self->left_bytes < BLOCK_BYTES ? self->left_bytes : BLOCK_BYTES};

    self->left_bytes -= piece.len;
    h2o_send(req, &piece, 1, self->left_bytes != 0 ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

void gm_page_bytes(const gm_page_call_t *call)
{
    h2o_req_t *req = call->req;
    gm_error_t err = {0};
    uint64_t size_bytes;
    gm_bytes_t *self;

    if (gm_text_parse_size(call->argument, &size_bytes, &err) != 0) {
        gm_page_refuse(call, "%s", err.text);
        return;
    }
    if (size_bytes > LARGEST_BODY) {
        gm_page_refuse(call, "\"%s\" is more than 4GiB", call->argument);
        return;
    }
    gm_page_set_status(req, 200);
    gm_page_add_header(req, "content-type", "Content-Type", "application/octet-stream");
    req->res.content_length = size_bytes;
    self = h2o_mem_alloc_pool(&req->pool, sizeof(*self));
    *self = (gm_bytes_t){{send_piece, NULL}, size_bytes};
    h2o_start_response(req, &self->super);
    if (size_bytes == 0 || gm_page_is_head(req))
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        send_piece(&self->super, req);
}
