/* Makes rooms, members, posters and publishers: see roster.h. */
#include "roster.h"

#include "common.h"
#include "http.h"
#include "marker.h"
#include "options.h"
#include "websocket.h"

struct roster roster;

static void make_members(void)
{
    roster.members = xcalloc((size_t)options.connections + 1, sizeof *roster.members);
    for (int i = 0; i < options.connections; i++) {
        struct connection *member = &roster.members[i];
        connection_init(member, &websocket_protocol, &options.websocket, i, i % options.rooms);
        room_of(member)->members++;
    }
}

static void make_posters(void)
{
    roster.posters = xcalloc((size_t)options.http_connections + 1, sizeof *roster.posters);
    for (int i = 0; i < options.http_connections; i++) {
        struct connection *poster = &roster.posters[i];
        connection_init(poster, &http_protocol, &options.http, i, i % options.rooms);
        poster->is_poster = true;
    }
}

static void add_publisher(struct connection *connection)
{
    uint32_t index_in_room = (uint32_t)room_of(connection)->publishers++;
    connection->stream = stream_open(connection->room, index_in_room);
    struct publisher *publisher = &roster.publishers[roster.publisher_count++];
    publisher->connection = connection;
    publisher->stream = connection->stream;
}

static void choose_publishers(void)
{
    roster.publishers = xcalloc(MAX_PUBLISHERS, sizeof *roster.publishers);
    for (int i = 0; i < options.http_connections; i++)
        add_publisher(&roster.posters[i]);
    for (int i = 0; i < options.connections; i++) {
        struct connection *member = &roster.members[i];
        if (room_of(member)->publishers < options.publishers_per_room)
            add_publisher(member);
    }
}

/* From the end: the first members of a room are its publishers. */
static void choose_stalled_readers(void)
{
    for (int i = options.connections - 1; i >= 0; i--) {
        struct connection *member = &roster.members[i];
        if (roster.stalled_reader_count == options.stalled_readers)
            return;
        if (member->room == 0 && !member->stream) {
            member->stalls = true;
            roster.stalled_reader_count++;
        }
    }
}

void roster_build(void)
{
    roster.rooms = xcalloc((size_t)options.rooms, sizeof *roster.rooms);
    make_members();
    make_posters();
    choose_publishers();
    choose_stalled_readers();
    for (int i = 0; i < options.connections; i++) {
        struct connection *member = &roster.members[i];
        ledger_init(&member->ledger, room_of(member)->publishers);
    }
}
