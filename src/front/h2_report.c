/*
 * What a worker that dies was busy with, for HTTP/2: the requests of its streams, read in a signal handler,
 * where every pointer may be wrong. Worker's thread.
 */
#include "front/h2_connection.h"
#include "front/report.h"

static bool add_stream(gm_crash_report_t *report, const gm_h2_stream_t *self,
                       const gm_h2_connection_t *connection)
{
    gm_crash_add_text(report, "  ");
    if (!gm_report_part(report, self->req.input.method.base, self->req.input.method.len))
        return false;
    gm_crash_add_text(report, " ");
    if (!gm_report_part(report, self->req.input.path.base, self->req.input.path.len))
        return false;
    gm_crash_add_text(report,
                      self->has_head ? " (the answer is on its way, client " : " (no answer yet, client ");
    gm_crash_add_visible(report, connection->peer, connection->peer_length % sizeof(connection->peer));
    gm_crash_add_text(report, ")\n");
    gm_crash_flush(report);
    return true;
}

/* @return how many lines; `from` is where the connection really lies */
static size_t add_connection(gm_crash_report_t *report, const gm_h2_connection_t *copy,
                             const gm_h2_connection_t *from)
{
    gm_h2_stream_t stream;
    const h2o_linklist_t *node = copy->streams.next;
    size_t lines = 0;

    while (lines != GM_REPORT_MAX_LINES && node != &from->streams) {
        if (!gm_crash_copy(&stream,
                           H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, link, (h2o_linklist_t *)(uintptr_t)node),
                           sizeof(stream)) ||
            !add_stream(report, &stream, copy))
            break;
        ++lines;
        node = stream.link.next;
    }
    return lines;
}

void gm_h2_report(const gm_h2_front_t *self, gm_crash_report_t *report)
{
    gm_h2_connection_t connection;
    h2o_linklist_t *node = self->list.next;
    size_t lines = 0;

    for (size_t i = 0; i != GM_REPORT_MAX_NODES && lines < GM_REPORT_MAX_LINES && node != &self->list; ++i) {
        const gm_h2_connection_t *from = H2O_STRUCT_FROM_MEMBER(gm_h2_connection_t, link, node);
        if (!gm_crash_copy(&connection, from, sizeof(connection))) {
            gm_crash_add_text(report, "  (the list of HTTP/2 connections is damaged)\n");
            return;
        }
        lines += add_connection(report, &connection, from);
        node = connection.link.next;
    }
}
