/* Reads the command line by a table of options: see options.h. */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "marker.h"

struct options options = {
    .mode = MODE_FANOUT,
    .mode_name = "fanout",
    .connections = 100,
    .rooms = 1,
    .publishers_per_room = -1,
    .in_progress_limit = 64,
    .size = 100,
    .warmup = 1,
    .duration = 5,
    .settle = 0.5,
    .drain = 5,
    .ramp_timeout = 60,
    .stall_ms = 2000,
    .message_template = "{\"message\":\"%M\"}",
    .protocol = "",
    .protocol_every = 1,
    .headers = "",
    .http_method = "POST",
    .http_content_type = "application/json",
    .http_headers = "",
    .http_body = "{\"message\":\"%M\"}",
    .label = "",
};

static const char usage_text[] =
    "loadgen --url wss://127.0.0.1:10443/ws/chat/room{r}/ [--mode MODE] [options]\n"
    "\n"
    "modes: fanout (the default), rooms, connect, idle, http\n"
    "\n"
    "  --conns N           members; member i joins room i % rooms (100)\n"
    "  --rooms R           rooms (1)\n"
    "  --pubs P|all        publishers per room (1; all in rooms mode)\n"
    "  --window W          closed loop: W messages in flight per publisher (8)\n"
    "  --rate X            open loop: X messages per second in total\n"
    "  --size S            bytes of a message's value, at least 35 (100)\n"
    "  --max-msgs N        send no more than N messages, and end with the last\n"
    "  --noecho            the sender does not get its own messages; needs --rate\n"
    "  --stall-readers K   the last K members of room 0 that publish nothing stop reading\n"
    "                      after the settling; they do not count as members\n"
    "  --stall-ms X        expire a full window after X ms without progress (2000)\n"
    "\n"
    "  --ramp-timeout s (60)  --settle s (0.5)  --warmup s (1)  --duration s (5)  --drain s (5)\n"
    "  --conc N            handshakes in progress at a time (64)\n"
    "  --srcs K            source addresses, 127.0.0.2 and up\n"
    "                      (1; 4 above 20000 members; 16 in connect mode)\n"
    "\n"
    "  --msg TEMPLATE      what a member sends ({\"message\":\"%M\"});\n"
    "                      {r} is the room, {i} the connection, %M the message\n"
    "  --proto P           Sec-WebSocket-Protocol\n"
    "  --proto-every K     only every K-th member of a room asks for it (1)\n"
    "  --header 'K: v'     header of the upgrade; repeatable\n"
    "  --step send:TEXT | --step expect:PART\n"
    "                      after the upgrade, in this order; repeatable\n"
    "  --eio               answer Engine.IO's '2' with '3'\n"
    "\n"
    "  --http-url URL      publish by HTTP instead, to this URL\n"
    "  --http-conns K      over K keep-alive connections (1)\n"
    "  --http-body TEMPLATE  --http-ctype TYPE  --http-header 'K: v'  --http-method M\n"
    "\n"
    "  --tls12             no more than TLS 1.2\n"
    "  --resume            resume TLS by tickets (hs_resumed counts the successes)\n"
    "  --hard-close        end connections with a reset\n"
    "  --no-verify-pad     do not check the padding\n"
    "\n"
    "  --spin              never sleep: waking a client on its machine costs the server CPU\n"
    "\n"
    "  --pids a,b          the server's processes; --tree adds their descendants\n"
    "  --aux-pids a,b      processes whose CPU time is reported apart\n"
    "  --label L           --json FILE (appended to)   -v: print the phases\n";

static _Noreturn void usage(void)
{
    fputs(usage_text, stderr);
    exit(2);
}

static void parse_target(struct target *target, const char *url)
{
    static const struct {
        const char *prefix;
        bool tls;
    } schemes[] = {{"wss://", true}, {"ws://", false}, {"https://", true}, {"http://", false}};

    const char *rest = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes && !rest; i++) {
        size_t length = strlen(schemes[i].prefix);
        if (!strncmp(url, schemes[i].prefix, length)) {
            target->tls = schemes[i].tls;
            rest = url + length;
        }
    }
    if (!rest)
        die("not a URL: %s", url);

    size_t authority_length = strcspn(rest, "/");
    const char *colon = memchr(rest, ':', authority_length);
    size_t host_length = colon ? (size_t)(colon - rest) : authority_length;
    if (host_length == 0 || host_length >= sizeof target->host)
        die("no host in %s", url);
    memcpy(target->host, rest, host_length);
    target->host[host_length] = '\0';

    target->port = target->tls ? 443 : 80;
    if (colon)
        target->port = atoi(colon + 1);
    if (target->port < 1 || target->port > 65535)
        die("no port in %s", url);

    target->path = rest[authority_length] ? rest + authority_length : "/";
    target->given = true;
}

static void parse_url(const char *argument)
{
    parse_target(&options.websocket, argument);
}

static void parse_http_url(const char *argument)
{
    parse_target(&options.http, argument);
}

static void parse_mode(const char *argument)
{
    static const char *const names[] = {
        [MODE_FANOUT] = "fanout", [MODE_ROOMS] = "rooms", [MODE_CONNECT] = "connect",
        [MODE_IDLE] = "idle",     [MODE_HTTP] = "http",
    };
    for (size_t mode = 0; mode < sizeof names / sizeof *names; mode++)
        if (!strcmp(argument, names[mode])) {
            options.mode = (enum mode)mode;
            options.mode_name = names[mode];
            return;
        }
    die("no such mode: %s", argument);
}

static double parse_number(const char *name, const char *argument)
{
    char *end;
    double number = strtod(argument, &end);
    if (end == argument || *end || !isfinite(number) || number < 0 || number > 1e9)
        die("--%s: not a number from 0: %s", name, argument);
    return number;
}

static int parse_count(const char *name, const char *argument)
{
    char *end;
    errno = 0;
    long number = strtol(argument, &end, 10);
    if (end == argument || *end || errno || number < 0 || number >= INT_MAX)
        die("--%s: not a whole number from 0: %s", name, argument);
    return (int)number;
}

static void parse_publishers(const char *argument)
{
    bool all = !strcmp(argument, "all");
    options.publishers_per_room = all ? ALL_MEMBERS : parse_count("pubs", argument);
}

static void parse_step(const char *argument)
{
    if (options.step_count == MAX_STEPS)
        die("more than %d steps", MAX_STEPS);
    struct step *step = &options.steps[options.step_count++];
    if (!strncmp(argument, "send:", 5))
        *step = (struct step){true, argument + 5};
    else if (!strncmp(argument, "expect:", 7))
        *step = (struct step){false, argument + 7};
    else
        die("--step: neither send: nor expect: %s", argument);
}

static void add_header(const char **headers, const char *header)
{
    size_t length = strlen(*headers) + strlen(header) + 3;
    char *longer = xcalloc(1, length);
    snprintf(longer, length, "%s%s\r\n", *headers, header);
    *headers = longer;
}

static void parse_header(const char *argument)
{
    add_header(&options.headers, argument);
}

static void parse_http_header(const char *argument)
{
    add_header(&options.http_headers, argument);
}

enum kind { FLAG, COUNT, NUMBER, TEXT, PARSED };

static const struct entry {
    const char *name;
    enum kind kind;
    void *value; /* to a bool, int, double or const char *, by the kind */
    void (*parse)(const char *argument);
} entries[] = {
    {"url", PARSED, NULL, parse_url},
    {"mode", PARSED, NULL, parse_mode},
    {"conns", COUNT, &options.connections, NULL},
    {"rooms", COUNT, &options.rooms, NULL},
    {"pubs", PARSED, NULL, parse_publishers},
    {"rate", NUMBER, &options.rate, NULL},
    {"window", COUNT, &options.window, NULL},
    {"size", COUNT, &options.size, NULL},
    {"warmup", NUMBER, &options.warmup, NULL},
    {"duration", NUMBER, &options.duration, NULL},
    {"settle", NUMBER, &options.settle, NULL},
    {"drain", NUMBER, &options.drain, NULL},
    {"ramp-timeout", NUMBER, &options.ramp_timeout, NULL},
    {"conc", COUNT, &options.in_progress_limit, NULL},
    {"srcs", COUNT, &options.source_addresses, NULL},
    {"pids", TEXT, &options.pids, NULL},
    {"aux-pids", TEXT, &options.aux_pids, NULL},
    {"tree", FLAG, &options.tree, NULL},
    {"proto", TEXT, &options.protocol, NULL},
    {"proto-every", COUNT, &options.protocol_every, NULL},
    {"header", PARSED, NULL, parse_header},
    {"step", PARSED, NULL, parse_step},
    {"eio", FLAG, &options.engine_io, NULL},
    {"msg", TEXT, &options.message_template, NULL},
    {"http-url", PARSED, NULL, parse_http_url},
    {"http-conns", COUNT, &options.http_connections, NULL},
    {"http-body", TEXT, &options.http_body, NULL},
    {"http-ctype", TEXT, &options.http_content_type, NULL},
    {"http-header", PARSED, NULL, parse_http_header},
    {"http-method", TEXT, &options.http_method, NULL},
    {"stall-readers", COUNT, &options.stalled_readers, NULL},
    {"stall-ms", NUMBER, &options.stall_ms, NULL},
    {"noecho", FLAG, &options.no_echo, NULL},
    {"tls12", FLAG, &options.tls12, NULL},
    {"resume", FLAG, &options.resume, NULL},
    {"hard-close", FLAG, &options.hard_close, NULL},
    {"no-verify-pad", FLAG, &options.no_verify_padding, NULL},
    {"spin", FLAG, &options.spin, NULL},
    {"max-msgs", COUNT, &options.message_limit, NULL},
    {"label", TEXT, &options.label, NULL},
    {"json", TEXT, &options.json_file, NULL},
};

#define ENTRY_COUNT (sizeof entries / sizeof *entries)

static void take(const struct entry *entry, const char *argument)
{
    switch (entry->kind) {
    case FLAG:
        *(bool *)entry->value = true;
        break;
    case COUNT:
        *(int *)entry->value = parse_count(entry->name, argument);
        break;
    case NUMBER:
        *(double *)entry->value = parse_number(entry->name, argument);
        break;
    case TEXT:
        *(const char **)entry->value = argument;
        break;
    case PARSED:
        entry->parse(argument);
        break;
    }
}

static void read_command_line(int argc, char **argv)
{
    struct option names[ENTRY_COUNT + 1] = {0};
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        names[i].name = entries[i].name;
        names[i].has_arg = entries[i].kind == FLAG ? no_argument : required_argument;
    }

    int option;
    int index;
    while ((option = getopt_long(argc, argv, "v", names, &index)) != -1) {
        if (option == 'v')
            options.verbose = true;
        else if (option == 0)
            take(&entries[index], optarg);
        else
            usage();
    }
    if (optind < argc)
        die("not an option: %s", argv[optind]);
}

/* Look the host up. Refuse other machines: a slip of the hand must put nobody else under load. */
static void resolve(struct target *target)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo(target->host, NULL, &hints, &found))
        die("cannot resolve %s", target->host);
    memcpy(&target->address, found->ai_addr, sizeof target->address);
    freeaddrinfo(found);
    target->address.sin_port = htons((uint16_t)target->port);

    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &target->address.sin_addr, text, sizeof text);
    if (ntohl(target->address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        die("refusing: %s is not a loopback address", text);
}

static void complete_targets(void)
{
    if (options.mode == MODE_HTTP && !options.http.given)
        usage();
    if (!options.websocket.given) {
        if (options.mode != MODE_HTTP)
            usage();
        options.connections = 0;
    }
    if (options.http.given && options.http_connections < 1)
        options.http_connections = 1;
    if (options.http_connections && !options.http.given)
        die("--http-conns needs --http-url");

    if (options.websocket.given)
        resolve(&options.websocket);
    if (options.http.given)
        resolve(&options.http);
}

static void complete_load(void)
{
    bool publishes = options.mode != MODE_CONNECT && options.mode != MODE_IDLE;

    if (options.rooms < 1)
        options.rooms = 1;
    if (options.size < MARKER_LENGTH)
        options.size = MARKER_LENGTH;
    if (options.size > MAX_MESSAGE_SIZE)
        options.size = MAX_MESSAGE_SIZE;

    if (options.rate > 0)
        options.window = 0;
    else if (!options.window)
        options.window = 8;
    if (options.window > MAX_WINDOW)
        die("--window: at most %d", MAX_WINDOW);
    if (options.no_echo && options.window)
        die("--noecho needs --rate");

    if (!publishes)
        options.http_connections = 0;
    if (!publishes || options.http_connections)
        options.publishers_per_room = 0;
    if (options.publishers_per_room < 0)
        options.publishers_per_room = options.mode == MODE_ROOMS ? ALL_MEMBERS : 1;
}

static void complete_connecting(void)
{
    if (options.protocol_every < 1)
        die("--proto-every: at least 1");
    if (options.in_progress_limit < 1)
        die("--conc: at least 1");
    if (options.mode == MODE_CONNECT && options.in_progress_limit > options.connections)
        options.in_progress_limit = options.connections;
    if (!options.source_addresses) {
        options.source_addresses = options.connections > 20000 ? 4 : 1;
        if (options.mode == MODE_CONNECT)
            options.source_addresses = 16;
    }
}

void options_parse(int argc, char **argv)
{
    read_command_line(argc, argv);
    complete_targets();
    complete_load();
    complete_connecting();
}
