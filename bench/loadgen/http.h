/* HTTP: the heads of responses, and a poster's requests and what comes of them. */
#ifndef HTTP_H
#define HTTP_H

#include <stdint.h>

#include "common.h"
#include "connection.h"

/* With the empty line; 0 if that has not come yet. */
uint32_t http_head_length(const uint8_t *data, uint32_t length);

/* 0 if there is none. */
int http_status(const uint8_t *head, uint32_t length);

/* The request that publishes `message`; io_flush() sends it.  Until its response
 * the poster is busy. */
void http_append_request(struct connection *poster, const struct buffer *message,
                         uint64_t sent_at_ns);

/* As websocket_receive(), for a poster. */
uint32_t http_receive(struct connection *poster, const uint8_t *data, uint32_t length,
                      uint64_t now);

#endif
