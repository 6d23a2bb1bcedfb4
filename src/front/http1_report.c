/*
 * What a worker that dies was busy with: the request lines of its connections, read in a signal handler,
 * where every pointer may be wrong. Costs nothing until then. Worker's thread.
 */
#include <string.h>

#include "base/crash.h"
#include "front/http1_connection.h"
#include "front/report.h"

#define MAX_BYTES 512 /* of a line */

bool gm_report_part(gm_crash_report_t *report, const char *bytes, size_t length)
{
    char copy[MAX_BYTES];

    if (length > sizeof(copy))
        length = sizeof(copy);
    if (length != 0 && !gm_crash_copy(copy, bytes, length))
        return false;
    gm_crash_add_visible(report, copy, length);
    return true;
}

static const char *place_of(const gm_http1_connection_t *self)
{
    return self->is_tunnel            ? "in a tunnel"
           : self->has_head           ? "the answer is on its way"
           : !self->framing.has_ended ? "the body is on its way"
                                      : "no answer yet";
}

static void add_request(gm_crash_report_t *report, const gm_http1_connection_t *self)
{
    gm_crash_add_text(report, "  ");
    if (!gm_report_part(report, self->req.input.method.base, self->req.input.method.len))
        return;
    gm_crash_add_text(report, " ");
    if (!gm_report_part(report, self->req.input.path.base, self->req.input.path.len))
        return;
    gm_crash_add_text(report, " (");
    gm_crash_add_text(report, place_of(self));
}

/* What is being parsed. @return whether there is something */
static bool add_head(gm_crash_report_t *report, const gm_http1_connection_t *self)
{
    char line[MAX_BYTES];
    h2o_socket_t sock;
    h2o_buffer_t input;
    size_t length;
    const char *end;

    if (!gm_crash_copy(&sock, self->sock, sizeof(sock)) || sock.input == NULL ||
        !gm_crash_copy(&input, sock.input, sizeof(input)) || input.size == 0)
        return false;
    length = input.size < sizeof(line) ? input.size : sizeof(line);
    if (!gm_crash_copy(line, input.bytes, length))
        return false;
    if ((end = memchr(line, '\n', length)) != NULL)
        length = (size_t)(end - line);
    if (length != 0 && line[length - 1] == '\r')
        --length;
    gm_crash_add_text(report, "  ");
    gm_crash_add_visible(report, line, length);
    gm_crash_add_text(report, " (the head is on its way");
    return true;
}

static bool add_connection(gm_crash_report_t *report, const gm_http1_connection_t *self)
{
    if (self->state == GM_HTTP1_SERVE)
        add_request(report, self);
    else if (self->state != GM_HTTP1_HEAD || !add_head(report, self))
        return false;
    gm_crash_add_text(report, ", client ");
    gm_crash_add_visible(report, self->peer, strnlen(self->peer, sizeof(self->peer)));
    gm_crash_add_text(report, ")\n");
    gm_crash_flush(report);
    return true;
}

void gm_http1_report(const gm_http1_front_t *self, gm_crash_report_t *report)
{
    gm_http1_connection_t connection;
    h2o_linklist_t *node = self->list.next;
    size_t lines = 0;

    gm_crash_add_text(report, "requests in flight on this thread:\n");
    for (size_t i = 0; i != GM_REPORT_MAX_NODES && lines != GM_REPORT_MAX_LINES && node != &self->list; ++i) {
        if (!gm_crash_copy(&connection, H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, link, node),
                           sizeof(connection))) {
            gm_crash_add_text(report, "  (the list of connections is damaged)\n");
            return;
        }
        lines += add_connection(report, &connection);
        node = connection.link.next;
    }
    if (lines == GM_REPORT_MAX_LINES)
        gm_crash_add_text(report, "  (and perhaps more)\n");
}
