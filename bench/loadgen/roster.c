/* Makes the rooms, members, posters and publishers that the options ask for: see roster.h. */
#include "roster.h"

#include "common.h"
#include "ledger.h"
#include "options.h"

/* A publisher's number has four hexadecimal digits in the marker. */
#define MAX_PUBLISHERS 0xffff

struct roster roster;

static void make_members(void)
{
    roster.members = xcalloc((size_t)options.connections + 1, sizeof *roster.members);
    for (int i = 0; i < options.connections; i++) {
        struct connection *member = &roster.members[i];
        connection_init(member, &options.websocket, i, i % options.rooms);
        room_of(member)->members++;
    }
}

static void make_posters(void)
{
    roster.posters = xcalloc((size_t)options.http_connections + 1, sizeof *roster.posters);
    for (int i = 0; i < options.http_connections; i++) {
        struct connection *poster = &roster.posters[i];
        connection_init(poster, &options.http, i, i % options.rooms);
        poster->is_poster = true;
    }
}

static void add_publisher(struct connection *connection)
{
    if (roster.publisher_count == MAX_PUBLISHERS)
        die("more than %d publishers", MAX_PUBLISHERS);
    struct publisher *publisher = &roster.publishers[roster.publisher_count++];
    publisher->connection = connection;
    publisher->room = connection->room;
    publisher->index_in_room = (uint32_t)room_of(connection)->publishers++;
    connection->publisher = publisher;
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

/* From the end, so that there are as many whatever the publishers are. */
static void choose_stalled_readers(void)
{
    for (int i = options.connections - 1; i >= 0; i--) {
        struct connection *member = &roster.members[i];
        if (roster.stalled_reader_count == options.stalled_readers)
            return;
        if (member->room == 0 && !member->publisher) {
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
