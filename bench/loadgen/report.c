/* Prints the results, for programs and for people: see report.h. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "roster.h"
#include "run.h"

static bool uses_tls(void)
{
    return options.websocket.tls || options.http.tls;
}

static void write_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, ",\"%s\":\"", key);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < ' ')
            fprintf(out, "\\u%04x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

static void write_count(FILE *out, const char *key, long count)
{
    fprintf(out, ",\"%s\":%ld", key, count);
}

static void write_number(FILE *out, const char *key, int decimals, double number)
{
    fprintf(out, ",\"%s\":%.*f", key, decimals, number);
}

static void write_quantile(FILE *out, const char *key, const struct histogram *histogram, double q)
{
    write_number(out, key, 3, histogram_quantile_ms(histogram, q));
}

static void write_largest(FILE *out, const char *key, const struct histogram *histogram)
{
    write_number(out, key, 3, histogram_largest_ms(histogram));
}

static void write_codes(FILE *out, const char *key, const struct code_counts *counts)
{
    fprintf(out, ",\"%s\":{", key);
    for (int i = 0; i < counts->used; i++)
        fprintf(out, "%s\"%d\":%ld", i ? "," : "", counts->codes[i], counts->counts[i]);
    fputc('}', out);
}

static void write_setting(FILE *out, const struct rates *rates)
{
    write_text(out, "mode", options.mode_name);
    write_text(out, "tls", uses_tls() ? run.tls_description : "");
    write_count(out, "conns", options.connections);
    write_count(out, "conns_open", rates->connected);
    write_count(out, "rooms", options.rooms);
    write_count(out, "pubs", roster.publisher_count);
    write_count(out, "size", options.size);
    fprintf(out, ",\"rate\":%g", options.rate);
    write_count(out, "window", options.window);
    write_number(out, "secs", 3, rates->seconds);
}

static void write_rates(FILE *out, const struct rates *rates)
{
    write_number(out, "msgs_per_s", 1, rates->messages);
    write_number(out, "deliv_per_s", 1, rates->deliveries);
    write_number(out, "deliv_per_cpu_s", 1, rates->deliveries_per_cpu_second);
    write_number(out, "srv_cpu_s", 4, rates->server_seconds);
    write_number(out, "srv_user_s", 4, rates->server_user_seconds);
    write_number(out, "srv_sys_s", 4, rates->server_system_seconds);
    write_number(out, "aux_cpu_s", 4, rates->auxiliary_seconds);
    write_number(out, "srv_cpu_pct", 2, rates->server_percent);
    write_number(out, "cpu_us_per_ping", 1, rates->server_us_per_ping);
    write_number(out, "cli_cpu_pct", 1, rates->own_percent);
    write_number(out, "frames_per_read", 2, rates->frames_per_read);
    write_number(out, "rx_mb_per_s", 2, rates->megabytes);
}

static void write_latencies(FILE *out)
{
    write_quantile(out, "p50_ms", &run.latencies, 0.5);
    write_quantile(out, "p90_ms", &run.latencies, 0.9);
    write_quantile(out, "p99_ms", &run.latencies, 0.99);
    write_quantile(out, "p999_ms", &run.latencies, 0.999);
    write_largest(out, "max_ms", &run.latencies);
    fprintf(out, ",\"lat_n\":%" PRIu64, run.latencies.count);
}

static void write_messages(FILE *out, const struct balance *balance)
{
    write_count(out, "sent", run.sent);
    write_count(out, "delivered", run.delivered);
    write_count(out, "expected", balance->expected);
    write_count(out, "lost", balance->lost);
    write_count(out, "lost_on_disconnected", balance->lost_on_disconnected);
    write_count(out, "members_short", balance->members_short);
    write_count(out, "dup", run.duplicated);
    write_count(out, "out_of_order", run.out_of_order);
    write_count(out, "corrupt", run.corrupt);
    write_count(out, "foreign", run.foreign);
    write_count(out, "misrouted", run.misrouted);
    write_count(out, "stalls", run.stalls);
    write_count(out, "expired", run.expired);
    write_count(out, "unsent", run.unsent);
    write_count(out, "stalled_readers", roster.stalled_reader_count);
}

static void write_connections(FILE *out, const struct readings *readings,
                              const struct rates *rates)
{
    write_count(out, "failed_conns", run.failed);
    write_count(out, "disconnects", run.disconnected);
    write_count(out, "resets", run.resets);
    write_count(out, "pings", run.pings);
    write_count(out, "measured_pings", run.measured_pings);
    write_codes(out, "close_codes", &run.close_codes);
    write_text(out, "close_reason", run.close_reason);
    if (options.mode != MODE_CONNECT)
        write_number(out, "ramp_s", 3, readings->ramp_seconds);
    write_number(out, "hs_per_s", 1, rates->handshakes);
    write_number(out, "hs_per_cpu_s", 1, rates->handshakes_per_cpu_second);
    write_count(out, "hs_resumed", run.resumed_handshakes);
    write_quantile(out, "hs_p50_ms", &run.handshakes, 0.5);
    write_quantile(out, "hs_p99_ms", &run.handshakes, 0.99);
    write_largest(out, "hs_max_ms", &run.handshakes);
    write_count(out, "rss_before_kb", readings->rss_before_kb);
    write_count(out, "rss_conn_kb", readings->rss_connected_kb);
    write_count(out, "rss_end_kb", readings->rss_end_kb);
    write_number(out, "rss_per_conn_kb", 2, rates->rss_per_member_kb);
}

static void write_http(FILE *out, const struct rates *rates)
{
    write_count(out, "http_conns", options.http_connections);
    write_number(out, "http_req_per_s", 1, rates->http_requests);
    write_number(out, "http_req_per_cpu_s", 1, rates->http_requests_per_cpu_second);
    write_quantile(out, "http_p50_ms", &run.http_latencies, 0.5);
    write_quantile(out, "http_p99_ms", &run.http_latencies, 0.99);
    write_largest(out, "http_max_ms", &run.http_latencies);
    write_count(out, "http_ok", run.http_ok);
    write_count(out, "http_err", run.http_errors);
    write_count(out, "http_reconn", run.http_reconnects);
    write_codes(out, "http_status", &run.http_statuses);
}

/* Return the whole line, which the caller frees. */
static char *to_json(const struct readings *readings, const struct rates *rates,
                     const struct balance *balance)
{
    char *json;
    size_t length;
    FILE *out = open_memstream(&json, &length);
    if (!out)
        die("out of memory");
    write_text(out, "label", options.label);
    write_setting(out, rates);
    write_rates(out, rates);
    write_latencies(out);
    write_messages(out, balance);
    write_connections(out, readings, rates);
    if (options.http_connections)
        write_http(out, rates);
    write_text(out, "first_error", run.first_error);
    fprintf(out, "}\n");
    if (fclose(out))
        die("out of memory");
    json[0] = '{'; /* replaces the first comma */
    return json;
}

static void append_to_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    if (!file || fputs(text, file) == EOF || fclose(file) == EOF)
        fprintf(stderr, "cannot append to %s: %s\n", path, strerror(errno));
}

static void summarise_setting(const struct rates *rates)
{
    fprintf(stderr, "-- %s %s %s: %ld conns (%.0f handshakes/s, p99 %.1f ms", options.label,
            options.mode_name, uses_tls() ? run.tls_description : "plain", rates->connected,
            rates->handshakes, histogram_quantile_ms(&run.handshakes, 0.99));
    if (options.resume)
        fprintf(stderr, ", %ld resumed", run.resumed_handshakes);
    fprintf(stderr, "), %d rooms, %d pubs, %d B, %s\n", options.rooms, roster.publisher_count,
            options.size, options.rate > 0 ? "open loop" : "closed loop");
}

static void summarise_rates(const struct readings *readings, const struct rates *rates)
{
    fprintf(stderr,
            "   %.0f msg/s  %.0f deliv/s  %.0f deliv/server-cpu-s  "
            "server %.0f%% (user %.2fs sys %.2fs)  client %.0f%%\n",
            rates->messages, rates->deliveries, rates->deliveries_per_cpu_second,
            rates->server_percent, rates->server_user_seconds, rates->server_system_seconds,
            rates->own_percent);
    fprintf(stderr,
            "   latency ms p50 %.2f p90 %.2f p99 %.2f p99.9 %.2f max %.2f   "
            "RSS %ld -> %ld kB (%.2f kB/conn)\n",
            histogram_quantile_ms(&run.latencies, 0.5), histogram_quantile_ms(&run.latencies, 0.9),
            histogram_quantile_ms(&run.latencies, 0.99),
            histogram_quantile_ms(&run.latencies, 0.999), histogram_largest_ms(&run.latencies),
            readings->rss_before_kb, readings->rss_connected_kb, rates->rss_per_member_kb);
    if (options.http_connections)
        fprintf(stderr,
                "   http %.0f req/s  %.0f req/server-cpu-s  p50 %.2f p99 %.2f ms  "
                "ok %ld err %ld reconnects %ld\n",
                rates->http_requests, rates->http_requests_per_cpu_second,
                histogram_quantile_ms(&run.http_latencies, 0.5),
                histogram_quantile_ms(&run.http_latencies, 0.99), run.http_ok, run.http_errors,
                run.http_reconnects);
}

static void summarise_messages(const struct balance *balance)
{
    fprintf(stderr,
            "   %s sent %ld delivered %ld of %ld; lost %ld (+%ld on disconnected) dup %ld "
            "ooo %ld corrupt %ld misrouted %ld foreign %ld stalls %ld disc %ld failed %ld %s\n",
            all_was_well(balance) ? "ok:" : "** PROBLEMS **", run.sent, run.delivered,
            balance->expected, balance->lost, balance->lost_on_disconnected, run.duplicated,
            run.out_of_order, run.corrupt, run.misrouted, run.foreign, run.stalls,
            run.disconnected, run.failed, run.first_error);
}

void report_status(void)
{
    printf("{\"status\":true");
    write_count(stdout, "ready", run.ready);
    write_count(stdout, "in_progress", run.in_progress);
    write_count(stdout, "failed_conns", run.failed);
    write_count(stdout, "disconnects", run.disconnected);
    write_count(stdout, "pings", run.pings);
    write_count(stdout, "hs_resumed", run.resumed_handshakes);
    write_count(stdout, "foreign", run.foreign);
    fprintf(stdout, ",\"last_foreign_ns\":%" PRIu64, run.last_foreign_ns);
    write_text(stdout, "first_error", run.first_error);
    printf("}\n");
    fflush(stdout);
}

bool report(const struct readings *readings)
{
    struct balance balance = balance_ledgers();
    struct rates rates = work_out_rates(readings);

    char *json = to_json(readings, &rates, &balance);
    fputs(json, stdout);
    fflush(stdout);
    if (options.json_file)
        append_to_file(options.json_file, json);
    free(json);

    summarise_setting(&rates);
    summarise_rates(readings, &rates);
    summarise_messages(&balance);
    return all_was_well(&balance);
}
