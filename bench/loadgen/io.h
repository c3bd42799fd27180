/*
 * What a connection reads and writes, through TLS or plainly.  What is received goes to
 * websocket.h or http.h.
 */
#ifndef IO_H
#define IO_H

#include <stdint.h>

#include "connection.h"

void io_init(void);

/* Appends to what is to be sent; returns where the bytes go. */
uint8_t *io_append(struct connection *c, uint32_t length);
uint32_t io_unsent_bytes(const struct connection *c);

/* Sends, or receives and deals with, what can be now.  Either may find that the
 * connection has ended: look at its state afterwards. */
void io_flush(struct connection *c);
void io_read(struct connection *c);

#endif
