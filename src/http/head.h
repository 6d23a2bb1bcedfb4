/* head: the strict reading of a request's or an answer's head, and of trailers */
#ifndef GM_HTTP_HEAD_H
#define GM_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

#define GM_HEAD_MAX_FIELDS 100
#define GM_HEAD_MAX_OPTIONS 32 /* that Connection may name, besides the common ones */
#define GM_HEAD_NO_LENGTH UINT64_MAX

typedef struct gm_span {
    const char *base; /* borrowed; NULL = absent */
    size_t length;
} gm_span_t;

typedef struct gm_head_field {
    gm_span_t name;  /* in lower case */
    gm_span_t value; /* without the spaces around it */
} gm_head_field_t;

typedef struct gm_head_limits {
    size_t max_bytes;        /* of the whole head */
    size_t max_field_bytes;  /* name and value of one field */
    size_t max_target_bytes; /* of the request target */
    unsigned max_fields;     /* at most GM_HEAD_MAX_FIELDS */
} gm_head_limits_t;

/** What a head says. Points into the bytes that were parsed. Not zeroed as a whole: it is large. */
typedef struct gm_head {
    size_t length; /* of the head, with the empty line */
    unsigned minor_version;
    gm_span_t method, target; /* requests */
    gm_span_t host;           /* requests: the Host field, or the authority of an absolute-form target */
    unsigned status;          /* answers: 100..999 */
    gm_span_t reason;         /* answers; may be empty */

    uint64_t content_length; /* GM_HEAD_NO_LENGTH = not given */
    bool is_chunked;
    bool keeps_alive;      /* from version and Connection */
    bool expects_continue; /* requests of HTTP/1.1 */
    bool accepts_trailers; /* "TE: trailers" */
    gm_span_t upgrade;     /* value of Upgrade, if Connection names it too */
    unsigned keep_alive_s; /* answers: "Keep-Alive: timeout=5"; 0 = not given, or not kept alive */

    /** Fields that may be passed on: without Host, Content-Length, Expect, those of one connection only,
     * those that Connection names, and names with an underscore that could pass for a field the proxy decides
     * by. */
    size_t field_count;
    gm_head_field_t fields[GM_HEAD_MAX_FIELDS];
    /** What Connection names beside "close", "keep-alive" and "upgrade": not in `fields`, nor may it be
     * passed on in trailers (RFC 9110, 7.6.1). */
    size_t option_count;
    gm_span_t options[GM_HEAD_MAX_OPTIONS];

    /* of a head that is refused */
    unsigned refusal; /* status for the client: 400, 417, 431, 501, 505 */
    const char *why;  /* half a sentence, static */
} gm_head_t;

/**
 * Reads a request head, strictly by RFC 9112: CRLF line ends only, no folding, no space before the colon,
 * field names are tokens, no control bytes in values, exactly one valid Host (none is fine in HTTP/1.0),
 * one Content-Length of digits only, Transfer-Encoding only "chunked", once, in HTTP/1.1 and without
 * Content-Length. Absolute-form targets ("http://host/path") are split: host is theirs, target becomes the
 * path. CONNECT is refused with 501, another major version with 505, more than the limits with 431 or 414.
 * Names are put into lower case in place.
 * @param seen  how many of the bytes an earlier call has seen (it found the head incomplete)
 * @return 1 = complete, 0 = more bytes are needed, -1 = refused (refusal and why are set)
 */
GM_MUST_USE int gm_head_parse_request(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                                      gm_head_t *head);

/** What a first line seems to ask for. */
typedef struct gm_head_glimpse {
    gm_span_t method; /* a token; NULL = nothing that could be one stands there */
    gm_span_t target; /* any bytes; NULL = there is none, or no method before it */
    bool is_cut;      /* the target's end is not among the bytes */
} gm_head_glimpse_t;

/** Looks at a head that was refused, or never became whole, for logs and nothing else. */
gm_head_glimpse_t gm_head_glimpse(const char *bytes, size_t size);

/**
 * Reads an answer's head as strictly: HTTP/1.x, status 100..599, CRLF line ends, the same rules for fields
 * and framing (Transfer-Encoding other than chunked, both framings, Content-Length lists whose members
 * differ: refused; on 1xx and 204 framing fields are ignored). The same Content-Length twice counts once (RFC
 * 9112, 6.3).
 * @return as above; refusal is 502
 */
GM_MUST_USE int gm_head_parse_response(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                                       gm_head_t *head);

/** A head whose parts come one by one, as those of HTTP/2 do. */
typedef struct gm_head_parts {
    gm_span_t method, target; /* requests; base NULL = absent */
    gm_span_t host;           /* requests: its :authority or Host; base NULL = absent */
    gm_span_t status;         /* answers */
    const char *fields;       /* the others: an http/field_list */
    size_t fields_length;
} gm_head_parts_t;

/**
 * The rules of RFC 9113, 8.2.1: a name is a token in lower case, a value has neither control bytes nor spaces
 * around it.
 * @return why it is not one, half a sentence, static; NULL = it is
 */
const char *gm_head_why_no_field(const gm_head_field_t *field);

/**
 * Reads a request's parts by the same rules; the head points into them. Each field has passed
 * gm_head_why_no_field. Its target is a path, or "*" with OPTIONS (8.3.1). `length` is 0, the version 1.1.
 * @return 0, or -1: refused (refusal and why are set)
 */
GM_MUST_USE int gm_head_read_request(const gm_head_parts_t *parts, const gm_head_limits_t *limits,
                                     gm_head_t *head);

/** An answer's, likewise; refusal is 502. `length` is that of the fields. */
GM_MUST_USE int gm_head_read_response(const gm_head_parts_t *parts, const gm_head_limits_t *limits,
                                      gm_head_t *head);

/**
 * Reads a trailer section: field lines, each ended by CRLF, without the empty line. Fields that must not come
 * in trailers (framing, routing, authentication, those of one connection, RFC 9110, 6.5.1) are left out.
 * @return how many fields, or -1
 */
GM_MUST_USE int gm_head_parse_trailers(char *bytes, size_t size, gm_head_field_t *fields, size_t max_fields);

/** Whether `name`, in lower case, is one of what Connection named. */
bool gm_head_names_option(const gm_span_t *options, size_t count, gm_span_t name);

/** Whether the text is a valid value of Host: name, IPv4 or [IPv6], with an optional port. */
bool gm_head_is_host(const char *text, size_t length);

#endif
