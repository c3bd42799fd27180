/*
 * A message's value: a marker, ~L<run:4><publisher:4><seq:8><sent at:16>Z with its numbers in
 * hexadecimal, and padding that is the same for all messages.
 */
#ifndef MARKER_H
#define MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARKER_LENGTH 35

/* The marker has four hexadecimal digits for a publisher's number. */
#define MAX_PUBLISHERS 0xffff

struct marker {
    uint64_t run;
    uint64_t publisher;
    uint64_t seq;
    uint64_t sent_at_ns;
};

/* Write a marker of MARKER_LENGTH bytes to `to`. */
void marker_write(uint8_t *to, const struct marker *marker);

/* Read the marker that begins at `text`, with a '~'; return false if it is none. */
bool marker_read(const uint8_t *text, size_t length, struct marker *marker);

#endif
