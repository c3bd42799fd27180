/*
 * The client's side of TLS. Certificates are not verified: the server is on this machine.
 *
 * With --resume, every handshake offers the newest ticket of its target, because servers may accept
 * a ticket only once. Handshakes begun before the next ticket comes offer the same one.
 */
#ifndef TLS_H
#define TLS_H

#include <openssl/ssl.h>

#include "options.h"

void tls_init(void);

/* Make a client on a connected socket, before its handshake. */
SSL *tls_client(struct target *target, int fd);

void tls_free(SSL *ssl);

/* Get a first ticket by a connection of its own that sends nothing, before anything is measured.
 * Without it the first handshakes could not resume. And connections that close at once might never
 * get a ticket from a server that sends them late. */
void tls_get_ticket(struct target *target);

#endif
