/*
 * TLS of the client's side.  Certificates are not verified: the server is on this machine.
 *
 * With --resume the newest ticket that each target has sent is kept, and every handshake
 * offers it.  The newest, because a ticket may be good for one use only; but
 * handshakes begun before the next ticket comes offer the same one.
 */
#ifndef TLS_H
#define TLS_H

#include <openssl/ssl.h>

#include "options.h"

void tls_init(void);

/* A client on a connected socket, its handshake yet to be done. */
SSL *tls_client(struct target *target, int fd);

void tls_free(SSL *ssl);

/* Gets a first ticket by a connection of its own that says nothing, before anything is
 * measured.  Without this the first handshakes could not resume, and on a server that
 * sends its tickets late, connections that close at once might never get one. */
void tls_get_ticket(struct target *target);

#endif
