/* Hands each event to the part that handles it: see events.h. */
#include "events.h"

#include "connection.h"
#include "io.h"
#include "options.h"
#include "run.h"

#define MAX_EVENTS 512

static void handle(struct connection *c, uint32_t polled)
{
    if (!connection_is_up(c))
        return;
    if (c->state <= STATE_TLS_HANDSHAKE) {
        connection_continue(c, polled);
        return;
    }

    if (polled & EPOLLOUT)
        io_flush(c);
    if (!connection_is_up(c) || !(polled & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    if (!c->paused) {
        io_read(c);
    } else if (polled & (EPOLLHUP | EPOLLERR)) {
        connection_fail(c, "closed by the server, the reader being stalled");
    }
}

void events_wait(int timeout_ms)
{
    static uint64_t idle_since_ns; /* 0: there was an event */
    struct epoll_event found[MAX_EVENTS];
    int count = connections_poll(found, MAX_EVENTS, options.spin ? 0 : timeout_ms);
    if (options.spin) {
        uint64_t now = count == 0 ? now_ns() : 0;
        if (now && idle_since_ns)
            run.spun_ns += now - idle_since_ns;
        idle_since_ns = now;
    }
    for (int i = 0; i < count; i++)
        handle(found[i].data.ptr, found[i].events);
}
