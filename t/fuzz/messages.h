/* messages: what a peer of the proxy may get, read by other code than the proxy's own */
#ifndef GM_FUZZ_MESSAGES_H
#define GM_FUZZ_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define MESSAGES_MAX_REQUESTS 256

/** What a client asked for, as far as answers depend on it. */
typedef struct messages_request {
    bool is_head, is_old; /* HEAD; HTTP/1.0 */
    bool is_cut;          /* its body goes on where the stream ends */
    gm_buffer_t body;     /* owned; without its framing; what there is of it */
} messages_request_t;

/** The requests whose heads are complete in what clients sent. */
typedef struct messages_requests {
    size_t count;
    messages_request_t items[MESSAGES_MAX_REQUESTS];
} messages_requests_t;

/** What was found in a stream. */
typedef struct messages_found {
    const char *fault; /* static; NULL = sound as far as it goes */
    size_t at;         /* of the fault, or where the last message that is not whole begins */
    size_t count;      /* of heads; of answers only final ones */
    bool is_whole;     /* the stream ends where a message ends */
    bool is_open_end;  /* the last answer lasts until the connection is closed, or a tunnel was opened */
} messages_found_t;

/** Adds a client's stream, read with the proxy's own parser, up to the first request that it refuses. */
void messages_read_client(const char *bytes, size_t size, messages_requests_t *requests);

void messages_dispose_requests(messages_requests_t *requests);

/**
 * Checks what an origin got.
 * @param may_switch  it has answered with 101: what follows an Upgrade is free
 * @param requests    what all clients sent: each body begins like one of theirs; NULL = unknown
 */
messages_found_t messages_check_requests(const char *bytes, size_t size, bool may_switch,
                                         const messages_requests_t *requests);

/** Checks what a client got. */
messages_found_t messages_check_answers(const char *bytes, size_t size, const messages_requests_t *requests);

#endif
