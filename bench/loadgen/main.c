/*
 * loadgen puts a chat server under load and checks every single delivery: see README.md. This
 * file sets the run up, and takes it down.
 */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"
#include "connection.h"
#include "io.h"
#include "ledger.h"
#include "lifecycle.h"
#include "options.h"
#include "phases.h"
#include "processes.h"
#include "publish.h"
#include "report.h"
#include "roster.h"
#include "tls.h"

/* Time for close frames to reach the server before the sockets are closed. */
#define GOODBYE_US 100000

static void raise_file_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t needed = (rlim_t)options.connections + (rlim_t)options.http_connections + 20;
    if (limit.rlim_cur < needed)
        die("RLIMIT_NOFILE is %ld", (long)limit.rlim_cur);
}

static void get_tickets(void)
{
    if (!options.resume)
        return;
    if (options.connections && options.websocket.tls)
        tls_get_ticket(&options.websocket);
    if (options.http_connections && options.http.tls)
        tls_get_ticket(&options.http);
}

static void say_goodbye(void)
{
    if (options.mode == MODE_CONNECT)
        return;
    for (int i = 0; i < options.connections; i++)
        if (roster.members[i].state == STATE_OPEN)
            lifecycle_say_goodbye(&roster.members[i]);
    usleep(GOODBYE_US);
}

int main(int argc, char **argv)
{
    options_parse(argc, argv);
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
    random_seed();
    tls_init();
    processes_init();
    connections_init(&lifecycle);
    io_init();
    ledgers_init(&publish_events);
    roster_build();
    publish_init();
    get_tickets();

    struct readings readings = phases_run();
    bool well = report(&readings);
    say_goodbye();
    return well ? 0 : 1;
}
