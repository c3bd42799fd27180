/*
 * Rooms, members and publishers.
 *
 * Members are connected by WebSocket; member i is in room i % rooms. A publisher sends its
 * messages over one connection: that of a member, or with --http-url that of a poster, a
 * keep-alive HTTP connection.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"
#include "ledger.h"

struct room {
    int members;
    int live; /* members that are connected and read */
    int publishers;
};

struct publisher {
    struct connection *connection;
    struct stream *stream;   /* its messages; publishers are numbered as their streams are */
    uint32_t expired_before; /* sequence number: those below were written off */
    uint32_t in_flight;      /* closed loop: sent, and not yet with every live member */
    uint32_t *receivers;     /* closed loop: how many have it, a ring by sequence number */
    uint64_t last_progress_ns;
    bool is_ready; /* is in the queue of those that may send */
};

struct roster {
    struct room *rooms;
    struct connection *members; /* options.connections of them */
    struct connection *posters; /* options.http_connections of them */
    struct publisher *publishers;
    int publisher_count;
    int stalled_reader_count;
};

extern struct roster roster;

/* Make all that the options ask for. */
void roster_build(void);

static inline struct room *room_of(const struct connection *connection)
{
    return &roster.rooms[connection->room];
}

static inline struct publisher *publisher_of(const struct stream *stream)
{
    return &roster.publishers[stream->number];
}

#endif
