/* What the command line asks for. */
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

/* Where connections go to. */
struct target {
    bool given;
    bool tls;
    char host[128];
    int port;
    const char *path;           /* a template */
    struct sockaddr_in address; /* loopback, always */
    SSL_SESSION *ticket;        /* --resume: the newest that came; NULL: none yet */
};

/* What a member says, or waits for, between the upgrade and being ready. */
struct step {
    bool send;        /* otherwise: wait for a message that contains the text */
    const char *text; /* a template if it is sent */
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
    int protocol_every; /* of a room's members, every how many ask for it */
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

/* Reads the command line, completes it with the defaults and checks it.  Anything wrong
 * with it ends the program with exit code 2. */
void options_parse(int argc, char **argv);

#endif
