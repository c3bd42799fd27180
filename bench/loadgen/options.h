/* The options of the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <limits.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#define MAX_STEPS 16
#define MAX_MESSAGE_SIZE 65000
#define MAX_WINDOW (1 << 20)
#define ALL_MEMBERS INT_MAX

enum mode { MODE_FANOUT, MODE_ROOMS, MODE_CONNECT, MODE_IDLE, MODE_HTTP };

/* The server's end of connections. */
struct target {
    bool given;
    bool tls;
    char host[128];
    int port;
    const char *path;           /* a template */
    struct sockaddr_in address; /* always loopback */
    SSL_SESSION *ticket;        /* --resume: the newest received; NULL: none yet */
};

/* A text that a member sends or waits for, between the upgrade and being ready. */
struct step {
    bool send;        /* otherwise wait for a message that contains the text */
    const char *text; /* if sent, a template */
};

struct options {
    enum mode mode;
    const char *mode_name;
    struct target websocket;
    struct target http;

    int connections; /* members */
    int rooms;
    int publishers_per_room; /* -1: not given; ALL_MEMBERS: every member */
    int in_progress_limit;   /* handshakes in progress at a time */
    int source_addresses;    /* 0: not given */
    int stalled_readers;

    double rate;       /* messages per second in total; 0: closed loop */
    int window;        /* messages in flight per publisher; 0: open loop */
    int size;          /* bytes of a message's value */
    int message_limit; /* 0: none */
    bool spin;         /* never sleep */
    double warmup;     /* this and the next four in seconds */
    double duration;
    double settle;
    double drain;
    double ramp_timeout;
    double stall_ms;
    bool no_echo; /* the server does not send members their own messages */

    const char *message_template;
    const char *protocol;    /* Sec-WebSocket-Protocol; "": none */
    int protocol_every;      /* 1: all members of a room ask for it; 2: every second; ... */
    const char *headers;     /* of the upgrade, a template, each line with its CRLF */
    bool engine_io;
    struct step steps[MAX_STEPS];
    int step_count;

    int http_connections; /* 0: members publish, by WebSocket */
    const char *http_method;
    const char *http_content_type;
    const char *http_headers; /* each line with its CRLF */
    const char *http_body;    /* a template */

    bool tls12;
    bool resume;
    bool hard_close;
    bool no_verify_padding;

    const char *pids; /* comma-separated; NULL: none */
    const char *aux_pids;
    bool tree;

    const char *label;
    const char *json_file; /* NULL: none */
    bool verbose;
};

extern struct options options;

/* Read the command line, add the defaults and check the result. A mistake ends the program with
 * exit code 2. */
void options_parse(int argc, char **argv);

#endif
