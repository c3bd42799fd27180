/* Runs the loop: see phases.h. */
#include "phases.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "connection.h"
#include "events.h"
#include "lifecycle.h"
#include "options.h"
#include "processes.h"
#include "publish.h"
#include "report.h"
#include "roster.h"
#include "run.h"

#define MAX_WAIT_MS 10
#define STALL_CHECK_NS (100 * NS_PER_MS)
#define POSTER_RETRY_NS (1 * NS_PER_MS)
#define MIN_DRAIN_NS (200 * NS_PER_MS)

/* Connect mode: the limit of a handshake, and of failures until the run ends. */
#define MAX_HANDSHAKE_NS (15 * NS_PER_SECOND)
#define MAX_FAILURES 1000

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t asked;

static struct readings readings;
static uint64_t run_start_ns;
static uint64_t phase_start_ns;
static double cpu_before;
static int next_member; /* to connect */
static int next_poster;

static void enter_phase(enum phase phase, uint64_t now)
{
    static const char *const names[] = {
        [PHASE_RAMP] = "ramp",       [PHASE_SETTLE] = "settle", [PHASE_WARMUP] = "warmup",
        [PHASE_MEASURE] = "measure", [PHASE_DRAIN] = "drain",   [PHASE_DONE] = "done",
    };
    run.phase = phase;
    phase_start_ns = now;
    if (options.verbose)
        fprintf(stderr, "%8.3f s: %s, %ld members ready\n", (double)(now - run_start_ns) / 1e9,
                names[phase], run.ready);
}

static bool is_over(double seconds, uint64_t now)
{
    return now - phase_start_ns > seconds_to_ns(seconds);
}

static double server_cpu_seconds(void)
{
    return processes_cpu().server;
}

static void end_ramp(uint64_t now)
{
    readings.ramp_seconds = (double)(now - run_start_ns) / 1e9;
    readings.ramp_cpu_seconds = server_cpu_seconds() - cpu_before;
    enter_phase(PHASE_SETTLE, now);
}

static void ramp(uint64_t now)
{
    while (run.in_progress < options.in_progress_limit && next_member < options.connections)
        connection_start(&roster.members[next_member++]);
    bool members_begun = next_member == options.connections;
    while (members_begun && run.in_progress < options.in_progress_limit &&
           next_poster < options.http_connections)
        connection_start(&roster.posters[next_poster++]);
    bool all_begun = members_begun && next_poster == options.http_connections;

    if (all_begun && run.in_progress == 0) {
        end_ramp(now);
    } else if (now - run_start_ns > seconds_to_ns(options.ramp_timeout)) {
        note_error("ramp timed out with %ld in progress", run.in_progress);
        for (int i = 0; i < options.connections; i++)
            if (connection_is_in_progress(&roster.members[i]))
                connection_fail(&roster.members[i], "ramp timeout");
        end_ramp(now);
    }
}

static void stall_readers(void)
{
    for (int i = 0; i < options.connections; i++) {
        struct connection *member = &roster.members[i];
        if (member->stalls && member->state == STATE_OPEN)
            lifecycle_stall(member);
    }
}

static void settle(uint64_t now)
{
    if (!is_over(options.settle, now))
        return;
    readings.rss_connected_kb = processes_rss_kb();
    readings.members_connected = run.ready;

    bool hardly_any_member = run.failed > options.connections / 2;
    bool hardly_any_poster = run.failed > 1;
    if (options.connections ? hardly_any_member : hardly_any_poster) {
        enter_phase(PHASE_DONE, now);
        return;
    }
    stall_readers();
    publish_begin(now);
    enter_phase(PHASE_WARMUP, now);
}

static void warm_up(uint64_t now)
{
    if (!is_over(options.warmup, now))
        return;
    if (options.mode == MODE_CONNECT) {
        memset(&run.handshakes, 0, sizeof run.handshakes);
        run.resumed_handshakes = 0;
    }
    enter_phase(PHASE_MEASURE, now);
    run.measure_start_ns = now;
    readings.measure_start = processes_cpu();
}

/* A run that is cut short is measured up to then. */
static void stop_measuring(uint64_t now)
{
    if (!run_is_measuring())
        return;
    run.measure_end_ns = now;
    readings.measure_end = processes_cpu();
}

static void measure(uint64_t now)
{
    bool all_sent = options.message_limit && run.sent >= options.message_limit;
    if (!all_sent && !is_over(options.duration, now))
        return;
    stop_measuring(now);
    readings.rss_end_kb = processes_rss_kb();
    bool publishes = options.mode != MODE_CONNECT && options.mode != MODE_IDLE;
    enter_phase(publishes ? PHASE_DRAIN : PHASE_DONE, now);
}

/* The deliveries to live members once all messages have arrived. */
static long deliveries_due(void)
{
    long due = 0;
    for (int i = 0; i < roster.publisher_count; i++) {
        const struct publisher *publisher = &roster.publishers[i];
        long receivers = room_of(publisher->connection)->live;
        if (options.no_echo && publisher->connection->state == STATE_OPEN)
            receivers--;
        due += (long)publisher->stream->sent * receivers;
    }
    return due;
}

static bool is_waiting_for_a_response(void)
{
    for (int i = 0; i < options.http_connections; i++)
        if (roster.posters[i].busy && roster.posters[i].state == STATE_OPEN)
            return true;
    return false;
}

/* Ends when all has arrived, when nothing has for --drain, or after six times --drain. */
static void drain(uint64_t now)
{
    static long delivered_before = -1;
    static uint64_t last_delivery_ns;
    if (run.delivered != delivered_before) {
        delivered_before = run.delivered;
        last_delivery_ns = now;
    }
    bool all_there =
        run.delivered_to_live >= deliveries_due() && !is_waiting_for_a_response();
    if ((all_there && now - phase_start_ns > MIN_DRAIN_NS) ||
        now - last_delivery_ns > seconds_to_ns(options.drain) || is_over(6 * options.drain, now))
        enter_phase(PHASE_DONE, now);
}

static void advance_phase(uint64_t now)
{
    if (interrupted) {
        stop_measuring(now);
        enter_phase(PHASE_DONE, now);
        return;
    }
    switch (run.phase) {
    case PHASE_RAMP:
        ramp(now);
        break;
    case PHASE_SETTLE:
        settle(now);
        break;
    case PHASE_WARMUP:
        warm_up(now);
        break;
    case PHASE_MEASURE:
        measure(now);
        break;
    case PHASE_DRAIN:
        drain(now);
        break;
    case PHASE_DONE:
        break;
    }
}

/* Connect mode: connect members again as soon as they have left. */
static void churn(uint64_t now)
{
    static uint64_t last_check_ns;
    for (int i = 0; i < options.in_progress_limit; i++) {
        if (run.in_progress >= options.in_progress_limit)
            break;
        struct connection *member = &roster.members[next_member];
        next_member = (next_member + 1) % options.connections;
        if (!connection_is_up(member))
            connection_start(member);
    }

    if (run.failed > MAX_FAILURES) {
        note_error("too many failures");
        stop_measuring(now);
        enter_phase(PHASE_DONE, now);
        return;
    }
    if (now - last_check_ns > NS_PER_SECOND) {
        last_check_ns = now;
        for (int i = 0; i < options.connections; i++) {
            struct connection *member = &roster.members[i];
            if (connection_is_up(member) && now > member->started_ns + MAX_HANDSHAKE_NS)
                connection_fail(member, "the handshake took more than 15 s");
        }
    }
}

static void publish(uint64_t now)
{
    static uint64_t last_check_ns;
    publish_due(now);
    if (now - last_check_ns > STALL_CHECK_NS) {
        last_check_ns = now;
        publish_check_stalls(now);
    }
}

/* A server may end a keep-alive connection at any time. */
static void reconnect_posters(uint64_t now)
{
    static uint64_t next_try_ns;
    if (now <= next_try_ns)
        return;
    next_try_ns = now + POSTER_RETRY_NS;
    for (int i = 0; i < options.http_connections; i++)
        if (!connection_is_up(&roster.posters[i]))
            connection_start(&roster.posters[i]);
}

static bool is_publishing(void)
{
    return run.phase == PHASE_WARMUP || run.phase == PHASE_MEASURE;
}

static void act(uint64_t now)
{
    if (options.mode == MODE_CONNECT) {
        churn(now);
    } else if (options.mode != MODE_IDLE && is_publishing()) {
        publish(now);
        reconnect_posters(now);
    }
}

/* The last millisecond before a scheduled message passes without sleeping, not to be late. */
static int wait_ms(void)
{
    if (!is_publishing() || options.rate <= 0 || !roster.publisher_count)
        return MAX_WAIT_MS;
    int64_t left_ms = (int64_t)(publish_next_ns() - now_ns()) / (int64_t)NS_PER_MS;
    if (left_ms < 0)
        return 0;
    return left_ms < MAX_WAIT_MS ? (int)left_ms : MAX_WAIT_MS;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void on_question(int signal_number)
{
    (void)signal_number;
    asked = 1;
}

struct readings phases_run(void)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGUSR1, on_question);
    readings.rss_before_kb = processes_rss_kb();
    cpu_before = server_cpu_seconds();
    run_start_ns = now_ns();
    enter_phase(options.mode == MODE_CONNECT ? PHASE_WARMUP : PHASE_RAMP, run_start_ns);
    for (;;) {
        uint64_t now = now_ns();
        if (asked) {
            asked = 0;
            report_status();
        }
        advance_phase(now);
        if (run.phase != PHASE_DONE)
            act(now);
        if (run.phase == PHASE_DONE)
            return readings;
        events_wait(wait_ms());
    }
}
