/*
 * Who takes part.  Rooms have members, connected by WebSocket; member i is in room
 * i % rooms.  Publishers send the messages, each over one connection: a member's own, or
 * with --http-url a keep-alive HTTP connection, a poster.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"

struct room {
    int members;
    int live; /* members that are connected and read */
    int publishers;
};

struct publisher {
    struct connection *connection;
    int room;
    uint32_t index_in_room;  /* members keep track of each publisher of their room */
    uint32_t sent;           /* messages; also the sequence number of the next */
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

void roster_build(void);

static inline struct room *room_of(const struct connection *connection)
{
    return &roster.rooms[connection->room];
}

#endif
