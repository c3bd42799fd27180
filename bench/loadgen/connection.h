/*
 * A connection from connect() to its end: its socket, its TLS handshake, its state.
 *
 * Bytes are read and written by io.h. The protocol on the connection, and the rest of the
 * program, are called through the two structs of function pointers below.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "common.h"
#include "ledger.h"
#include "options.h"

/* In their order. A poster skips the two states between its handshake and open. */
enum connection_state {
    STATE_UNUSED,
    STATE_CONNECTING,
    STATE_TLS_HANDSHAKE,
    STATE_UPGRADING, /* the request is sent, the answer has not come */
    STATE_STEPPING,  /* upgraded; --step is not finished */
    STATE_OPEN,
    STATE_CLOSED,
};

struct connection;

/* A protocol: how to talk over a connection. */
struct protocol {
    /* The connection is made, and its TLS handshake is done. */
    void (*begin)(struct connection *c);

    /* Handle received bytes; return how many were used. The rest is the beginning of a frame
     * or response, and comes again with the bytes after it. */
    uint32_t (*receive)(struct connection *c, const uint8_t *data, uint32_t length, uint64_t now);

    /* Append a message to the bytes that io_flush() sends. */
    void (*append_message)(struct connection *c, const struct buffer *message,
                           uint64_t sent_at_ns);
};

/* Callbacks of all connections. */
struct connection_events {
    /* The connection is open: messages may be sent. */
    void (*ready)(struct connection *c);

    /* A poster's request was answered: it may send the next. */
    void (*answered)(struct connection *poster);

    /* A member that was open, and was read from, is disconnected. */
    void (*lost)(struct connection *member);
};

struct connection {
    int fd;   /* -1: none */
    SSL *ssl; /* NULL: none, or not yet */
    const struct protocol *protocol;
    enum connection_state state;
    bool is_poster; /* publishes by HTTP; otherwise it is a member */
    int index;      /* among the members, or the posters */
    int room;
    struct target *target;
    struct stream *stream; /* of the messages it publishes; NULL: it publishes none */
    uint64_t started_ns;
    bool wants_write; /* epoll watches for room to write */

    struct buffer received; /* the beginning of a frame or a response */
    struct buffer out;      /* bytes to send, of which ... */
    uint32_t out_sent;      /* ... this many are sent */

    /* Of a member: */
    bool stalls; /* will stop reading after the settling */
    bool paused; /* has stopped reading */
    bool was_open;
    int step;                 /* the next of --step */
    struct buffer fragments;  /* of a message in several frames */
    uint8_t fragments_opcode; /* of the first of them */
    struct ledger ledger;

    /* Of a poster: */
    bool busy;           /* waits for a response */
    uint64_t request_ns; /* when that request was sent, or was due */
};

/* Set the callbacks, and make ready to start connections. */
void connections_init(const struct connection_events *events);

/* Fill in `found` with up to `most` events of connections, whose address is in data.ptr. Waits
 * up to `timeout_ms` for the first. */
int connections_poll(struct epoll_event *found, int most, int timeout_ms);

void connection_init(struct connection *c, const struct protocol *protocol,
                     struct target *target, int index, int room);

/* Begin to connect. */
void connection_start(struct connection *c);

/* Go on with connecting or the TLS handshake, after epoll's events `polled`. */
void connection_continue(struct connection *c, uint32_t polled);

/* Have epoll tell, or stop telling, when there is room to write. */
void connection_want_write(struct connection *c, bool wants_write);

/* The protocol's beginning is over: count the connection as open. */
void connection_ready(struct connection *c);

/* A poster has its response. */
void connection_answered(struct connection *poster);

/* Stop reading until the server ends the connection. */
void connection_pause(struct connection *c);

/* End the connection, without counting a fault. */
void connection_hang_up(struct connection *c);

/* End the connection, and count a fault. */
void connection_fail(struct connection *c, const char *reason);

static inline bool connection_is_up(const struct connection *c)
{
    return c->fd >= 0;
}

static inline bool connection_is_in_progress(const struct connection *c)
{
    return c->state > STATE_UNUSED && c->state < STATE_OPEN;
}

#endif
