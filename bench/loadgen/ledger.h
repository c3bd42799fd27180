/*
 * Did every member get every message exactly once, in order, unaltered?
 *
 * A message's value is a marker, ~L<run:4><publisher:4><seq:8><sent at:16>Z with its
 * numbers in hexadecimal, and then padding that is the same for all.  Markers are looked
 * for anywhere in what a member receives, so it does not matter how the server wraps
 * messages, or how many it puts into a frame.
 *
 * A publisher numbers its messages from 0.  For each publisher of its room a member knows
 * the next sequence number it expects; with what it is, that is all it takes:
 *
 *   as expected:  delivered in order.
 *   higher:       those skipped become a hole, a range that is missing so far.
 *   lower:        in a hole, it is late: out of order, and the hole shrinks or splits.
 *                 Otherwise it has been here before: duplicated.
 *
 * In the end the holes, and what is missing at each publisher's end, are what was lost.
 * This costs a member no more than a number per publisher as long as nothing goes wrong.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common.h"

#define MARKER_LENGTH 35

struct connection;
struct publisher;

/* Sequence numbers that a member has not had, of one publisher. */
struct hole {
    uint32_t publisher; /* its index in the room */
    uint32_t from;
    uint32_t to; /* the first that is not missing */
};

/* What one member has received. */
struct ledger {
    uint32_t *next_seq; /* by the publisher's index in the room */
    struct hole *holes; /* in no order */
    int hole_count;
    int hole_capacity;
    long delivered; /* messages, each counted once */
};

/* Chooses the run's number; the marker tells it from other runs. */
void ledgers_init(void);
void ledger_init(struct ledger *ledger, int publishers);

/* The value of the publisher's next message, good until the next call. */
const struct buffer *ledger_next_message(const struct publisher *publisher, uint64_t sent_at_ns);

/* Enters all messages in what a member has received. */
void ledger_scan(struct connection *member, const uint8_t *text, uint32_t length,
                 uint64_t now);

/* What a member should have received by now, and how much of it it has not. */
void ledger_balance(const struct connection *member, long *expected, long *missing);

#endif
