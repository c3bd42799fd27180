/* The WebSocket protocol of members: upgrade, steps, frames. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "connection.h"

extern const struct protocol websocket_protocol;

/* Send a close frame. */
void websocket_close(struct connection *member);

#endif
