/*
 * A connection from connect() to its end.  What goes over it is up to io.h, and what is
 * said in it to websocket.h and http.h.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common.h"
#include "ledger.h"
#include "options.h"

/* In their order.  A poster goes from connected to open without the two steps between. */
enum connection_state {
    STATE_UNUSED,
    STATE_CONNECTING,
    STATE_TLS_HANDSHAKE,
    STATE_UPGRADING, /* the request has gone, the answer has not come */
    STATE_STEPPING,  /* is a WebSocket, but --step has yet to be gone through */
    STATE_OPEN,
    STATE_CLOSED,
};

struct connection {
    int fd;   /* -1: none */
    SSL *ssl; /* NULL: none, or not yet */
    enum connection_state state;
    bool is_poster; /* publishes by HTTP; otherwise it is a member */
    int index;      /* among the members, or the posters */
    int room;
    struct target *target;
    struct publisher *publisher; /* NULL: publishes nothing */
    uint64_t started_ns;
    bool wants_write; /* epoll watches for room to write */

    struct buffer received; /* the beginning of a frame or a response */
    struct buffer out;      /* what is to be sent, of which ... */
    uint32_t out_sent;      /* ... so many bytes are */

    /* A member's: */
    bool stalls;   /* will stop reading when the settling is over */
    bool paused;   /* has stopped reading */
    bool was_open;
    int step;                 /* the next of --step */
    struct buffer fragments;  /* of a message in several frames */
    uint8_t fragments_opcode; /* of its first frame */
    struct ledger ledger;

    /* A poster's: */
    bool busy;           /* waits for a response */
    uint64_t request_ns; /* when that request was sent, or was to be */
};

/* Makes ready to start connections. */
void connections_init(void);

/* Waits up to `timeout_ms` for events, and deals with them. */
void connections_wait(int timeout_ms);

void connection_init(struct connection *c, struct target *target, int index, int room);

/* Begins to connect. */
void connection_start(struct connection *c);

/* Has io_flush() called when there is room to write again. */
void connection_want_write(struct connection *c, bool wants_write);

/* It is all set up: counts it in. */
void connection_ready(struct connection *c);

/* Stops reading, until the server gives it up. */
void connection_pause(struct connection *c);

/* Ends it, for a reason that is none of its fault. */
void connection_hang_up(struct connection *c);

/* Ends it because something went wrong, which is counted. */
void connection_fail(struct connection *c, const char *reason);

/* A last word to a member: says goodbye and sends no more. */
void connection_say_goodbye(struct connection *c);

static inline bool connection_is_up(const struct connection *c)
{
    return c->fd >= 0;
}

static inline bool connection_is_in_progress(const struct connection *c)
{
    return c->state > STATE_UNUSED && c->state < STATE_OPEN;
}

#endif
