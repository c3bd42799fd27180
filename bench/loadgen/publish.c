/* The open and the closed loop: see publish.h. */
#include "publish.h"

#include "io.h"
#include "options.h"
#include "roster.h"
#include "run.h"

/* The limit of a sender's queue while the server does not read. */
#define MAX_UNSENT_BYTES (8u << 20)

/* Requests that are due while all posters are busy: a ring of their times. */
#define MAX_BACKLOG (1u << 20)

/* A schedule that is far behind sends this many at most, before the loop receives again. */
#define MAX_CATCH_UP 10000

static uint32_t ring_mask; /* of publisher.receivers */

/* Publishers that may have room in their window. One queue fills while the other is emptied. */
static struct publisher **ready_queue;
static struct publisher **other_queue;
static int ready_count;

static uint64_t schedule_start_ns;
static uint64_t scheduled; /* messages whose time has passed */
static int next_publisher;

static uint64_t *backlog;
static uint32_t backlog_head;
static uint32_t backlog_tail;

void publish_init(void)
{
    size_t count = (size_t)roster.publisher_count + 1;
    ready_queue = xcalloc(count, sizeof *ready_queue);
    other_queue = xcalloc(count, sizeof *other_queue);

    if (options.rate > 0) {
        backlog = xcalloc(MAX_BACKLOG, sizeof *backlog);
        return;
    }
    /* More than the window: messages that a member skipped are entered late. */
    uint32_t ring = 16;
    while (ring < (uint32_t)options.window * 4)
        ring *= 2;
    ring_mask = ring - 1;
    for (int i = 0; i < roster.publisher_count; i++)
        roster.publishers[i].receivers = xcalloc(ring, sizeof(uint32_t));
}

void publish_begin(uint64_t now)
{
    schedule_start_ns = now;
    if (options.rate > 0)
        return;
    for (int i = 0; i < roster.publisher_count; i++) {
        roster.publishers[i].last_progress_ns = now;
        publisher_ready(&roster.publishers[i]);
    }
}

void publisher_ready(struct publisher *publisher)
{
    if (publisher->is_ready || options.rate > 0)
        return;
    publisher->is_ready = true;
    ready_queue[ready_count++] = publisher;
}

static void progress(const struct stream *stream, uint32_t from, uint32_t to, uint64_t now)
{
    struct publisher *publisher = publisher_of(stream);
    publisher->last_progress_ns = now;
    if (!options.window)
        return;
    if (to - from > ring_mask)
        from = to - ring_mask - 1;

    uint32_t live = (uint32_t)roster.rooms[stream->room].live;
    for (uint32_t seq = from; seq != to; seq++) {
        if (seq < publisher->expired_before)
            continue;
        bool is_done = ++publisher->receivers[seq & ring_mask] == live;
        if (is_done && publisher->in_flight) {
            publisher->in_flight--;
            /* A poster's next request waits for the response, not for this. */
            if (!publisher->connection->is_poster)
                publisher_ready(publisher);
        }
    }
}

const struct ledger_events publish_events = {.progress = progress};

/* Send one message; return false if that is not possible. */
static bool send_message(struct publisher *publisher, uint64_t sent_at_ns)
{
    struct connection *c = publisher->connection;
    if (c->state != STATE_OPEN) {
        run.unsent++;
        return false;
    }
    if (options.message_limit && run.sent >= options.message_limit)
        return false;
    if (io_unsent_bytes(c) > MAX_UNSENT_BYTES) {
        run.unsent++;
        return false;
    }

    if (options.window)
        publisher->receivers[publisher->stream->sent & ring_mask] = 0;
    c->protocol->append_message(c, stream_next_message(publisher->stream, sent_at_ns), sent_at_ns);
    publisher->stream->sent++;
    publisher->in_flight++;
    run.sent++;
    if (run_is_measuring())
        run.measured_sent++;
    io_flush(c);
    return true;
}

static bool may_post(const struct connection *poster)
{
    return poster->state == STATE_OPEN && !poster->busy;
}

uint64_t publish_next_ns(void)
{
    return schedule_start_ns + (uint64_t)((double)scheduled * 1e9 / options.rate);
}

static void add_to_backlog(uint64_t time_ns)
{
    if (backlog_tail - backlog_head < MAX_BACKLOG)
        backlog[backlog_tail++ % MAX_BACKLOG] = time_ns;
    else
        run.unsent++;
}

static void publish_schedule(uint64_t now)
{
    for (int i = 0; i < MAX_CATCH_UP; i++) {
        uint64_t time_ns = publish_next_ns();
        if (time_ns > now)
            break;
        scheduled++;
        if (options.http_connections) {
            add_to_backlog(time_ns);
        } else {
            send_message(&roster.publishers[next_publisher], time_ns);
            next_publisher = (next_publisher + 1) % roster.publisher_count;
        }
    }

    if (!options.http_connections)
        return;
    for (int i = 0; i < roster.publisher_count && backlog_head != backlog_tail; i++)
        if (may_post(roster.publishers[i].connection))
            send_message(&roster.publishers[i], backlog[backlog_head++ % MAX_BACKLOG]);
}

static void fill_window(struct publisher *publisher)
{
    while (publisher->in_flight < (uint32_t)options.window)
        if (!send_message(publisher, now_ns()))
            break;
}

static void publish_windows(void)
{
    struct publisher **queue = ready_queue;
    int count = ready_count;
    ready_queue = other_queue;
    ready_count = 0;
    other_queue = queue;

    for (int i = 0; i < count; i++)
        queue[i]->is_ready = false;
    for (int i = 0; i < count; i++) {
        struct publisher *publisher = queue[i];
        if (!publisher->connection->is_poster)
            fill_window(publisher);
        else if (may_post(publisher->connection))
            send_message(publisher, now_ns());
    }
}

void publish_due(uint64_t now)
{
    if (!roster.publisher_count)
        return;
    if (options.rate > 0)
        publish_schedule(now);
    else
        publish_windows();
}

void publish_check_stalls(uint64_t now)
{
    if (!options.window)
        return;
    for (int i = 0; i < roster.publisher_count; i++) {
        struct publisher *publisher = &roster.publishers[i];
        if (publisher->connection->is_poster ||
            publisher->in_flight < (uint32_t)options.window ||
            now - publisher->last_progress_ns <= (uint64_t)(options.stall_ms * 1e6))
            continue;
        run.stalls++;
        run.expired += publisher->in_flight;
        publisher->expired_before = publisher->stream->sent;
        publisher->in_flight = 0;
        publisher->last_progress_ns = now;
        publisher_ready(publisher);
    }
}
