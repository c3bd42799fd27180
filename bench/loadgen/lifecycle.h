/*
 * Follows connections through their lives: a member that is open counts in its room, and one
 * that is lost no longer does; a poster that is free may publish.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "connection.h"

extern const struct connection_events lifecycle;

/* Have a member stop reading, to see what slow consumers do to the others. */
void lifecycle_stall(struct connection *member);

/* Say goodbye to the server: close the member's WebSocket, and send no more. */
void lifecycle_say_goodbye(struct connection *member);

#endif
