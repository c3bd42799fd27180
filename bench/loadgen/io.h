/*
 * Reads and writes the bytes of a connection, through TLS or plainly. Received bytes go to the
 * connection's protocol.
 */
#ifndef IO_H
#define IO_H

#include <stdint.h>

#include "connection.h"

void io_init(void);

/* Append `length` bytes to those to send; return their place. */
uint8_t *io_append(struct connection *c, uint32_t length);
uint32_t io_unsent_bytes(const struct connection *c);

/* Send, or receive and handle, all that is possible now. Both may find that the connection has
 * ended: check its state afterwards. */
void io_flush(struct connection *c);
void io_read(struct connection *c);

#endif
