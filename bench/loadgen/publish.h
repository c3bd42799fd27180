/*
 * Sends messages when they are due.
 *
 * Open loop (--rate): on a schedule, whatever the server does. A message carries the time at which
 * it was due. So a sender that is held up does not make the server look faster than it is
 * (coordinated omission).
 *
 * Closed loop (--window): each publisher keeps that many messages in flight. A message is done when
 * every live member of the room has it, or a later one of the same publisher: lost messages do not
 * hold the window up. A window without progress for --stall-ms is written off, for example because
 * a member has left that it waited for. Each poster has one request in progress.
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

/* Begin the schedule, or the first windows, now. */
void publish_begin(uint64_t now);

/* Send all messages that are due. */
void publish_due(uint64_t now);

/* Return the time of the schedule's next message; only in an open loop. */
uint64_t publish_next_ns(void);

/* Write off windows without progress. */
void publish_check_stalls(uint64_t now);

/* Have publish_due() look at the publisher: it may have room for a message. */
void publisher_ready(struct publisher *publisher);

#endif
