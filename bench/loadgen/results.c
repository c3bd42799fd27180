/* Balances ledgers, and works rates out: see results.h. */
#include "results.h"

#include "ledger.h"
#include "options.h"
#include "roster.h"
#include "run.h"

/* Return 0 for a divisor of 0. */
static double ratio(double dividend, double divisor)
{
    return divisor > 0 ? dividend / divisor : 0;
}

struct balance balance_ledgers(void)
{
    struct balance total = {0};
    if (!roster.publisher_count)
        return total;
    for (int i = 0; i < options.connections; i++) {
        const struct connection *member = &roster.members[i];
        if (!member->was_open || member->paused)
            continue;
        long expected;
        long missing;
        ledger_balance(&member->ledger, member->room, member->stream, &expected, &missing);
        total.expected += expected;
        if (missing)
            total.members_short++;
        if (member->state == STATE_OPEN)
            total.lost += missing;
        else
            total.lost_on_disconnected += missing;
    }
    return total;
}

struct rates work_out_rates(const struct readings *readings)
{
    const struct cpu_usage *start = &readings->measure_start;
    const struct cpu_usage *end = &readings->measure_end;
    struct rates rates = {0};

    rates.seconds = (double)(run.measure_end_ns - run.measure_start_ns) / 1e9;
    rates.server_user_seconds = end->server_user - start->server_user;
    rates.server_system_seconds = end->server_system - start->server_system;
    rates.server_seconds = end->server - start->server;
    rates.auxiliary_seconds = end->auxiliary - start->auxiliary;
    rates.server_percent = 100 * ratio(rates.server_seconds, rates.seconds);
    rates.server_us_per_ping = ratio(1e6 * rates.server_seconds, (double)run.measured_pings);
    /* Spinning may include waiting for a core, which takes time and no CPU. */
    double own = end->own > start->own ? end->own - start->own : 0;
    rates.own_percent = 100 * ratio(own, rates.seconds);

    rates.messages = ratio((double)run.measured_sent, rates.seconds);
    rates.deliveries = ratio((double)run.measured_delivered, rates.seconds);
    rates.deliveries_per_cpu_second =
        ratio((double)run.measured_delivered, rates.server_seconds);
    rates.http_requests = ratio((double)run.measured_http, rates.seconds);
    rates.http_requests_per_cpu_second = ratio((double)run.measured_http, rates.server_seconds);
    rates.megabytes = ratio((double)run.measured_bytes, rates.seconds) / 1e6;
    rates.frames_per_read = ratio((double)run.measured_frames, (double)run.measured_reads);

    if (options.mode == MODE_CONNECT) {
        rates.connected = run.measured_handshakes;
        rates.handshakes = ratio((double)rates.connected, rates.seconds);
        rates.handshakes_per_cpu_second = ratio((double)rates.connected, rates.server_seconds);
    } else {
        rates.connected = readings->members_connected;
        rates.handshakes = ratio((double)rates.connected, readings->ramp_seconds);
        rates.handshakes_per_cpu_second =
            ratio((double)rates.connected, readings->ramp_cpu_seconds);
    }

    long rss_kb = readings->rss_connected_kb;
    if (options.mode == MODE_IDLE && readings->rss_end_kb)
        rss_kb = readings->rss_end_kb;
    rates.rss_per_member_kb = ratio((double)(rss_kb - readings->rss_before_kb),
                                    (double)readings->members_connected);
    return rates;
}

bool all_was_well(const struct balance *balance)
{
    return !balance->lost && !balance->lost_on_disconnected && !run.duplicated &&
           !run.out_of_order && !run.corrupt && !run.misrouted && !run.disconnected &&
           !run.failed && !run.http_errors;
}
