/* Markers are written and read, and deliveries entered: see ledger.h. */
#include "ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "publish.h"
#include "roster.h"
#include "run.h"

struct marker {
    uint64_t run;
    uint64_t publisher;
    uint64_t seq;
    uint64_t sent_at_ns;
};

static uint32_t run_number;
static struct buffer message; /* the marker's place, and the padding */

/* A hexadecimal digit's value and 1; 0 for all other bytes. */
static const uint8_t digit_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

void ledgers_init(void)
{
    run_number = random_u32() & 0xffff;
    uint8_t *padding = buffer_extend(&message, (uint32_t)options.size) + MARKER_LENGTH;
    for (int i = 0; i < options.size - MARKER_LENGTH; i++)
        padding[i] = (uint8_t)('a' + i % 26);
}

void ledger_init(struct ledger *ledger, int publishers)
{
    ledger->next_seq = xcalloc((size_t)publishers + 1, sizeof *ledger->next_seq);
}

const struct buffer *ledger_next_message(const struct publisher *publisher, uint64_t sent_at_ns)
{
    char marker[MARKER_LENGTH + 1];
    snprintf(marker, sizeof marker, "~L%04x%04x%08x%016" PRIx64 "Z", run_number & 0xffff,
             (unsigned)(publisher - roster.publishers) & 0xffff, publisher->sent, sent_at_ns);
    memcpy(message.data, marker, MARKER_LENGTH);
    return &message;
}

static void add_hole(struct ledger *ledger, uint32_t publisher, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    if (ledger->hole_count == ledger->hole_capacity) {
        ledger->hole_capacity = ledger->hole_capacity * 2 + 4;
        ledger->holes =
            xrealloc(ledger->holes, (size_t)ledger->hole_capacity * sizeof *ledger->holes);
    }
    ledger->holes[ledger->hole_count++] = (struct hole){publisher, from, to};
}

/* Takes `seq` out of the hole it is in; says whether there was one. */
static bool fill_hole(struct ledger *ledger, uint32_t publisher, uint32_t seq)
{
    for (int i = 0; i < ledger->hole_count; i++) {
        struct hole hole = ledger->holes[i];
        if (hole.publisher == publisher && seq >= hole.from && seq < hole.to) {
            ledger->holes[i] = ledger->holes[--ledger->hole_count];
            add_hole(ledger, publisher, hole.from, seq);
            add_hole(ledger, publisher, seq + 1, hole.to);
            return true;
        }
    }
    return false;
}

/* Enters a message of this run and this room; says whether the member had it not yet. */
static bool enter(struct ledger *ledger, struct publisher *publisher, uint32_t seq, uint64_t now)
{
    uint32_t *next = &ledger->next_seq[publisher->index_in_room];
    if (seq >= *next) {
        uint32_t expected = *next;
        *next = seq + 1;
        add_hole(ledger, publisher->index_in_room, expected, seq);
        publisher_progress(publisher, expected, seq + 1, now);
        return true;
    }
    if (fill_hole(ledger, publisher->index_in_room, seq)) {
        run.out_of_order++;
        return true;
    }
    run.duplicated++;
    return false;
}

static void deliver(struct connection *member, const struct marker *marker, uint64_t now)
{
    if (marker->publisher >= (uint64_t)roster.publisher_count) {
        run.corrupt++;
        note_error("there is no publisher %u", (unsigned)marker->publisher);
        return;
    }
    struct publisher *publisher = &roster.publishers[marker->publisher];
    if (publisher->room != member->room) {
        run.misrouted++;
        return;
    }
    if (marker->seq >= publisher->sent) {
        run.corrupt++;
        note_error("publisher %u has not sent message %u", (unsigned)marker->publisher,
                   (unsigned)marker->seq);
        return;
    }

    if (enter(&member->ledger, publisher, (uint32_t)marker->seq, now)) {
        member->ledger.delivered++;
        run.delivered++;
        run.delivered_to_live++;
        if (run_is_measuring())
            run.measured_delivered++;
    }
    if (run_measures(marker->sent_at_ns))
        histogram_add(&run.latencies, now > marker->sent_at_ns ? now - marker->sent_at_ns : 0);
}

static inline bool read_hex(const uint8_t *text, int digits, uint64_t *value)
{
    uint64_t result = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = digit_values[text[i]];
        if (!digit)
            return false;
        result = result << 4 | (digit - 1);
    }
    *value = result;
    return true;
}

static inline bool read_marker(const uint8_t *text, size_t length, struct marker *marker)
{
    return length >= MARKER_LENGTH && text[1] == 'L' && text[MARKER_LENGTH - 1] == 'Z' &&
           read_hex(text + 2, 4, &marker->run) && read_hex(text + 6, 4, &marker->publisher) &&
           read_hex(text + 10, 8, &marker->seq) && read_hex(text + 18, 16, &marker->sent_at_ns);
}

static inline bool padding_is_whole(const uint8_t *text, size_t length)
{
    size_t padding_length = message.length - MARKER_LENGTH;
    return length >= padding_length &&
           !memcmp(text, message.data + MARKER_LENGTH, padding_length);
}

void ledger_scan(struct connection *member, const uint8_t *text, uint32_t length, uint64_t now)
{
    const uint8_t *end = text + length;
    while (text < end && (text = memchr(text, '~', (size_t)(end - text)))) {
        size_t left = (size_t)(end - text);
        struct marker marker;
        if (!read_marker(text, left, &marker)) {
            if (left >= 2 && text[1] == 'L') {
                run.corrupt++;
                note_error("a broken marker");
            }
            text++;
            continue;
        }

        text += MARKER_LENGTH;
        if (marker.run != run_number) {
            run.foreign++;
            run.last_foreign_ns = now;
            continue;
        }
        if (!options.no_verify_padding && !padding_is_whole(text, left - MARKER_LENGTH)) {
            run.corrupt++;
            note_error("padding altered or truncated");
        }
        deliver(member, &marker, now);
    }
}

void ledger_balance(const struct connection *member, long *expected, long *missing)
{
    const struct ledger *ledger = &member->ledger;
    *expected = 0;
    *missing = 0;
    for (int i = 0; i < ledger->hole_count; i++)
        *missing += ledger->holes[i].to - ledger->holes[i].from;
    for (int i = 0; i < roster.publisher_count; i++) {
        const struct publisher *publisher = &roster.publishers[i];
        if (publisher->room != member->room)
            continue;
        if (options.no_echo && publisher == member->publisher)
            continue;
        *expected += publisher->sent;
        *missing += publisher->sent - ledger->next_seq[publisher->index_in_room];
    }
}
