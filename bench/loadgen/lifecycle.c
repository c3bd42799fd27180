/* Counts members in and out, and frees posters: see lifecycle.h. */
#include "lifecycle.h"

#include <sys/socket.h>

#include "options.h"
#include "publish.h"
#include "roster.h"
#include "run.h"
#include "websocket.h"

/* Connect mode: a member leaves as soon as it is ready. */
static void leave(struct connection *member)
{
    websocket_close(member);
    if (connection_is_up(member)) {
        connection_hang_up(member);
        run.ready--;
        room_of(member)->live--;
    }
}

static void ready(struct connection *c)
{
    if (c->is_poster) {
        if (run.phase >= PHASE_WARMUP)
            publisher_ready(publisher_of(c->stream));
        return;
    }
    room_of(c)->live++;
    if (options.mode == MODE_CONNECT)
        leave(c);
}

static void answered(struct connection *poster)
{
    publisher_ready(publisher_of(poster->stream));
}

static void lost(struct connection *member)
{
    room_of(member)->live--;
    run.delivered_to_live -= member->ledger.delivered;
}

const struct connection_events lifecycle = {
    .ready = ready,
    .answered = answered,
    .lost = lost,
};

void lifecycle_stall(struct connection *member)
{
    connection_pause(member);
    lost(member);
}

void lifecycle_say_goodbye(struct connection *member)
{
    websocket_close(member);
    if (connection_is_up(member))
        shutdown(member->fd, SHUT_WR);
}
