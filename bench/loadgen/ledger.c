/* Finds markers and enters deliveries: see ledger.h. */
#include "ledger.h"

#include <stdbool.h>
#include <string.h>

#include "marker.h"
#include "options.h"
#include "run.h"

static const struct ledger_events *events;
static struct stream *streams;
static int stream_count;
static uint32_t run_number;
static struct buffer message; /* room for the marker, and the padding */

void ledgers_init(const struct ledger_events *told)
{
    events = told;
    streams = xcalloc(MAX_PUBLISHERS, sizeof *streams);
    run_number = random_u32() & 0xffff;
    uint8_t *padding = buffer_extend(&message, (uint32_t)options.size) + MARKER_LENGTH;
    for (int i = 0; i < options.size - MARKER_LENGTH; i++)
        padding[i] = (uint8_t)('a' + i % 26);
}

struct stream *stream_open(int room, uint32_t index_in_room)
{
    if (stream_count == MAX_PUBLISHERS)
        die("more than %d publishers", MAX_PUBLISHERS);
    struct stream *stream = &streams[stream_count];
    *stream = (struct stream){stream_count++, room, index_in_room, 0};
    return stream;
}

const struct buffer *stream_next_message(const struct stream *stream, uint64_t sent_at_ns)
{
    struct marker marker = {run_number, (uint64_t)stream->number, stream->sent, sent_at_ns};
    marker_write(message.data, &marker);
    return &message;
}

void ledger_init(struct ledger *ledger, int count)
{
    ledger->next_seq = xcalloc((size_t)count + 1, sizeof *ledger->next_seq);
}

static void add_hole(struct ledger *ledger, uint32_t stream, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    if (ledger->hole_count == ledger->hole_capacity) {
        ledger->hole_capacity = ledger->hole_capacity * 2 + 4;
        ledger->holes =
            xrealloc(ledger->holes, (size_t)ledger->hole_capacity * sizeof *ledger->holes);
    }
    ledger->holes[ledger->hole_count++] = (struct hole){stream, from, to};
}

/* Remove `seq` from its hole; return false if it is in none. */
static bool fill_hole(struct ledger *ledger, uint32_t stream, uint32_t seq)
{
    for (int i = 0; i < ledger->hole_count; i++) {
        struct hole hole = ledger->holes[i];
        if (hole.stream == stream && seq >= hole.from && seq < hole.to) {
            ledger->holes[i] = ledger->holes[--ledger->hole_count];
            add_hole(ledger, stream, hole.from, seq);
            add_hole(ledger, stream, seq + 1, hole.to);
            return true;
        }
    }
    return false;
}

/* Enter a message of this run and room; return true if it is new to the member. */
static bool enter(struct ledger *ledger, const struct stream *stream, uint32_t seq, uint64_t now)
{
    uint32_t *next = &ledger->next_seq[stream->index_in_room];
    if (seq >= *next) {
        uint32_t expected = *next;
        *next = seq + 1;
        add_hole(ledger, stream->index_in_room, expected, seq);
        events->progress(stream, expected, seq + 1, now);
        return true;
    }
    if (fill_hole(ledger, stream->index_in_room, seq)) {
        run.out_of_order++;
        return true;
    }
    run.duplicated++;
    return false;
}

static void deliver(struct ledger *ledger, int room, const struct marker *marker, uint64_t now)
{
    if (marker->publisher >= (uint64_t)stream_count) {
        run.corrupt++;
        note_error("there is no publisher %u", (unsigned)marker->publisher);
        return;
    }
    const struct stream *stream = &streams[marker->publisher];
    if (stream->room != room) {
        run.misrouted++;
        return;
    }
    if (marker->seq >= stream->sent) {
        run.corrupt++;
        note_error("publisher %u has not sent message %u", (unsigned)marker->publisher,
                   (unsigned)marker->seq);
        return;
    }

    if (enter(ledger, stream, (uint32_t)marker->seq, now)) {
        ledger->delivered++;
        run.delivered++;
        run.delivered_to_live++;
        if (run_is_measuring())
            run.measured_delivered++;
    }
    if (run_measures(marker->sent_at_ns))
        histogram_add(&run.latencies, now > marker->sent_at_ns ? now - marker->sent_at_ns : 0);
}

static inline bool padding_is_whole(const uint8_t *text, size_t length)
{
    size_t padding_length = message.length - MARKER_LENGTH;
    return length >= padding_length &&
           !memcmp(text, message.data + MARKER_LENGTH, padding_length);
}

void ledger_scan(struct ledger *ledger, int room, const uint8_t *text, uint32_t length,
                 uint64_t now)
{
    const uint8_t *end = text + length;
    while (text < end && (text = memchr(text, '~', (size_t)(end - text)))) {
        size_t left = (size_t)(end - text);
        struct marker marker;
        if (!marker_read(text, left, &marker)) {
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
        deliver(ledger, room, &marker, now);
    }
}

void ledger_balance(const struct ledger *ledger, int room, const struct stream *own,
                    long *expected, long *missing)
{
    *expected = 0;
    *missing = 0;
    for (int i = 0; i < ledger->hole_count; i++)
        *missing += ledger->holes[i].to - ledger->holes[i].from;
    for (int i = 0; i < stream_count; i++) {
        const struct stream *stream = &streams[i];
        if (stream->room != room || (options.no_echo && stream == own))
            continue;
        *expected += stream->sent;
        *missing += stream->sent - ledger->next_seq[stream->index_in_room];
    }
}
