/* The run's phase, and all that is counted. */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

/* In their order. Connect mode begins with PHASE_WARMUP. */
enum phase {
    PHASE_RAMP,    /* connect all */
    PHASE_SETTLE,  /* let the server come to rest, then read its memory */
    PHASE_WARMUP,  /* publish, but do not measure */
    PHASE_MEASURE, /* publish and measure */
    PHASE_DRAIN,   /* publish no more, and wait for messages in flight */
    PHASE_DONE,
};

/* Counts of up to eight different codes; more are not kept. */
struct code_counts {
    int codes[8];
    long counts[8];
    int used;
};

struct run {
    enum phase phase;
    uint64_t measure_start_ns; /* 0: not yet */
    uint64_t measure_end_ns;   /* 0: not yet */

    /* connections */
    long in_progress; /* begun, and neither ready nor failed */
    long ready;       /* members that are connected */
    long failed;      /* ended before they were ready */
    long disconnected;
    long resets;
    long measured_handshakes;
    long resumed_handshakes; /* of those in `handshakes` */
    struct histogram handshakes; /* from connect() until ready */
    char tls_description[128];   /* of the first handshake */
    struct code_counts close_codes;
    char close_reason[128]; /* the first received */
    long pings;
    long measured_pings;

    uint64_t spun_ns; /* --spin: spent without an event */

    /* messages */
    long sent;
    long measured_sent;
    long unsent; /* due, and could not be sent */
    long delivered;
    long measured_delivered;
    long delivered_to_live; /* of `delivered`: to members that still read */
    struct histogram latencies; /* of messages sent in the measured time */
    long duplicated;
    long out_of_order;
    long corrupt;
    long foreign;
    uint64_t last_foreign_ns; /* the last one's time */
    long misrouted;
    long stalls;
    long expired; /* messages written off by stalls */

    /* received in the measured time */
    long measured_frames;
    long measured_reads;
    uint64_t measured_bytes;

    /* publishing by HTTP */
    long http_ok;
    long http_errors;
    long http_reconnects;
    long measured_http;
    struct histogram http_latencies;
    struct code_counts http_statuses;

    char first_error[256];
};

extern struct run run;

static inline bool run_is_measuring(void)
{
    return run.phase == PHASE_MEASURE;
}

/* Return true if `ns` is in the measured time. */
static inline bool run_measures(uint64_t ns)
{
    return run.measure_start_ns && ns >= run.measure_start_ns &&
           (!run.measure_end_ns || ns < run.measure_end_ns);
}

void count_ping(void);

/* Keep the first error only: the others tend to follow from it. */
void note_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

void count_code(struct code_counts *counts, int code);

#endif
