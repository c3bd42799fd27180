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

/* Each hexadecimal digit has its value plus 1; all other bytes have 0. */
extern const uint8_t marker_digits[256];

/* Reading is inline: it takes place for each delivery. */
static inline bool marker_read_hex(const uint8_t *text, int digits, uint64_t *value)
{
    uint64_t result = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = marker_digits[text[i]];
        if (!digit)
            return false;
        result = result << 4 | (digit - 1);
    }
    *value = result;
    return true;
}

/* Read the marker that begins at `text`, with a '~'; return false if it is none. */
static inline bool marker_read(const uint8_t *text, size_t length, struct marker *marker)
{
    return length >= MARKER_LENGTH && text[1] == 'L' && text[MARKER_LENGTH - 1] == 'Z' &&
           marker_read_hex(text + 2, 4, &marker->run) &&
           marker_read_hex(text + 6, 4, &marker->publisher) &&
           marker_read_hex(text + 10, 8, &marker->seq) &&
           marker_read_hex(text + 18, 16, &marker->sent_at_ns);
}

#endif
