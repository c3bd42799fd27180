/* Parses HTTP responses. */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

struct response {
    uint64_t length; /* of the head and the body */
    int status;
    bool keeps_alive;
};

/* Return the length of the head with its empty line; 0 if the head is not complete. */
uint32_t response_head_length(const uint8_t *data, uint32_t length);

/* Return the status of a head; 0 if it has none. */
int response_status(const uint8_t *head, uint32_t length);

/* Read a response; return false if it is not complete. */
bool response_read(const uint8_t *data, uint32_t length, struct response *response);

#endif
