/*
 * Checks that every member gets every message exactly once, in order and unaltered.
 *
 * Markers (marker.h) are found anywhere in what a member receives. So neither the server's
 * framing of a message matters, nor how many messages share a frame.
 *
 * Each publisher numbers its messages from 0: a stream. For each stream of its room a member
 * keeps the next sequence number that it expects. A message's number is
 *
 *   as expected:  delivered in order.
 *   higher:       the numbers skipped become a hole, a range that is missing so far.
 *   lower:        in a hole, the message is late: out of order, and the hole shrinks or splits.
 *                 Otherwise the message was here before: duplicated.
 *
 * At the end, holes and numbers missing at a stream's end are the lost messages. As long as
 * nothing goes wrong, a member costs one number for each stream.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdint.h>

#include "common.h"

/* The messages of one publisher. */
struct stream {
    int number; /* in markers; streams are numbered from 0 */
    int room;
    uint32_t index_in_room;
    uint32_t sent; /* messages; also the sequence number of the next */
};

/* Sequence numbers of one stream that a member has not received. */
struct hole {
    uint32_t stream; /* its index in the room */
    uint32_t from;
    uint32_t to; /* the first that is not missing */
};

/* Tracks the messages that one member has received. */
struct ledger {
    uint32_t *next_seq; /* by the stream's index in the room */
    struct hole *holes; /* in no order */
    int hole_count;
    int hole_capacity;
    long delivered; /* messages, each counted once */
};

/* Callbacks of the ledgers. */
struct ledger_events {
    /* A member has advanced in `stream`, from sequence number `from` to just before `to`. */
    void (*progress)(const struct stream *stream, uint32_t from, uint32_t to, uint64_t now);
};

/* Choose the run's number, by which markers of other runs are told apart. */
void ledgers_init(const struct ledger_events *events);

/* Number another stream. Ends the program where markers have no number left. */
struct stream *stream_open(int room, uint32_t index_in_room);

/* Return the value of the stream's next message, valid until the next call. */
const struct buffer *stream_next_message(const struct stream *stream, uint64_t sent_at_ns);

void ledger_init(struct ledger *ledger, int streams);

/* Enter all messages found in `text`, which a member of `room` has received. */
void ledger_scan(struct ledger *ledger, int room, const uint8_t *text, uint32_t length,
                 uint64_t now);

/* Count the messages that a member of `room` should have received by now, and those missing.
 * `own` is the member's own stream, or NULL. */
void ledger_balance(const struct ledger *ledger, int room, const struct stream *own,
                    long *expected, long *missing);

#endif
