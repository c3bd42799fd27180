/*
 * When messages are sent.
 *
 * Open loop (--rate): on a schedule, whatever the server does.  A message carries the time
 * at which it was to be sent, so that a sender held up does not make the server look
 * faster than it is (coordinated omission).
 *
 * Closed loop (--window): each publisher keeps so many messages in flight.  One is done
 * when every live member of the room has it, or a later one of the same publisher: a lost
 * message does not hold the window up.  If nothing moves for a while all the same, say
 * because a member has gone whose receipt was waited for, the window is written off.
 * Posters have one request in progress each.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"
#include "roster.h"

/* Callbacks of the ledgers: progress moves windows on. */
extern const struct ledger_events publish_events;

void publish_init(void);

/* The schedule, or the first windows, begin now. */
void publish_begin(uint64_t now);

/* Sends what is due. */
void publish_due(uint64_t now);

/* When the schedule has its next message; only in an open loop. */
uint64_t publish_next_ns(void);

void publish_check_stalls(uint64_t now);

/* Have publish_due() look at the publisher: it may have room for a message. */
void publisher_ready(struct publisher *publisher);

#endif
