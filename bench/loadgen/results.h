/* Works out the run's results when it is over. */
#ifndef RESULTS_H
#define RESULTS_H

#include <stdbool.h>

#include "processes.h"

/* Readings at the ends of the phases. */
struct readings {
    long rss_before_kb;
    long rss_connected_kb;
    long rss_end_kb;        /* 0: the measured time did not end */
    long members_connected; /* when the settling was over */
    double ramp_seconds;
    double ramp_cpu_seconds; /* the server's */
    struct cpu_usage measure_start;
    struct cpu_usage measure_end;
};

struct balance {
    long expected;
    long lost;                 /* of members that are still connected */
    long lost_on_disconnected; /* of those that are not */
    long members_short;        /* members that lack a message */
};

struct rates { /* per second of the measured time, unless said otherwise */
    double seconds;
    double messages;
    double deliveries;
    double deliveries_per_cpu_second;
    double http_requests;
    double http_requests_per_cpu_second;
    double handshakes; /* per second of the ramp, except in connect mode */
    double handshakes_per_cpu_second;
    double megabytes;
    double server_user_seconds;
    double server_system_seconds;
    double server_seconds;
    double auxiliary_seconds;
    double server_percent; /* of a core */
    double server_us_per_ping;
    double own_percent;
    double rss_per_member_kb;
    double frames_per_read;
    long connected; /* in connect mode: the handshakes measured */
};

struct balance balance_ledgers(void);
struct rates work_out_rates(const struct readings *readings);

/* Return true if no fault was counted; the exit code depends on it. */
bool all_was_well(const struct balance *balance);

#endif
