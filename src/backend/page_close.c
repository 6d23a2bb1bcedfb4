/*
 * /close and /panic: the connection ends without a byte of an answer, as when a service dies. Called from the
 * table in backend.c, then by an alarm, on the thread of the request's loop.
 */
#include "backend/page.h"

#include <sys/socket.h>

/*
 * Nothing public closes another room's connection, but any front closes one whose answer cannot be written.
 * So the descriptor is shut down first and an answer sent into it: the write fails, and the library learns of
 * it in the usual, asynchronous way. Not from within the handler, which may run inside the connection's read
 * callback.
 */
static void on_due(gm_alarm_t *alarm)
{
    gm_page_task_t *self = H2O_STRUCT_FROM_MEMBER(gm_page_task_t, alarm, alarm);
    h2o_conn_t *conn = self->req->conn;

    shutdown(h2o_socket_get_fd(conn->callbacks->get_socket(conn)), SHUT_RDWR);
    self->req->http1_is_persistent = 0;
    gm_page_reply(self->req, 500, "text/plain; charset=utf-8", "", 0);
}

void gm_page_close(const gm_page_call_t *call)
{
    gm_page_task_t *self = gm_page_task_create(call, sizeof(*self));

    self->alarm.on_due = on_due;
    gm_alarm_set(self->alarms, &self->alarm, 0);
}
