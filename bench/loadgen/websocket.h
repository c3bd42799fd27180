/* A member's side of the WebSocket protocol: upgrade, steps, frames. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stdint.h>

#include "common.h"
#include "connection.h"

void websocket_request_upgrade(struct connection *member);

/* Takes what has come; returns how much of it was used.  What is left is the beginning of
 * something, and is to come again with the rest. */
uint32_t websocket_receive(struct connection *member, const uint8_t *data, uint32_t length,
                           uint64_t now);

/* Both leave it to io_flush() to send. */
void websocket_append_message(struct connection *member, const struct buffer *message);
void websocket_append_close(struct connection *member);

#endif
