/* Connections as they come and go, and what is counted then: see connection.h. */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"
#include "publish.h"
#include "roster.h"
#include "run.h"
#include "tls.h"
#include "websocket.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define MAX_EVENTS 512

static int epoll_fd;

void connections_init(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1: %s", strerror(errno));
}

void connection_init(struct connection *c, struct target *target, int index, int room)
{
    c->fd = -1;
    c->target = target;
    c->index = index;
    c->room = room;
}

/* Beginning. */

static void watch(struct connection *c, int operation)
{
    struct epoll_event event = {.data.ptr = c};
    if (!c->paused)
        event.events |= EPOLLIN;
    if (c->wants_write)
        event.events |= EPOLLOUT;
    epoll_ctl(epoll_fd, operation, c->fd, &event);
}

void connection_want_write(struct connection *c, bool wants_write)
{
    if (c->wants_write == wants_write)
        return;
    c->wants_write = wants_write;
    watch(c, EPOLL_CTL_MOD);
}

/* Goes through the source addresses, 127.0.0.2 and up: an address has 28,000 ports. */
static void bind_to_next_source(int fd)
{
    static uint32_t next;
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    uint32_t host = INADDR_LOOPBACK + 1 + next++ % (uint32_t)options.source_addresses;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    if (bind(fd, (const struct sockaddr *)&source, sizeof source))
        die("bind: %s", strerror(errno));
}

void connection_start(struct connection *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options.source_addresses > 1)
        bind_to_next_source(c->fd);

    c->state = STATE_CONNECTING;
    c->started_ns = now_ns();
    c->step = 0;
    c->busy = false;
    c->wants_write = true;
    run.in_progress++;
    watch(c, EPOLL_CTL_ADD);
    const struct sockaddr_in *address = &c->target->address;
    if (connect(c->fd, (const struct sockaddr *)address, sizeof *address) && errno != EINPROGRESS)
        connection_fail(c, strerror(errno));
}

/* Connected, and through with TLS if there is any. */
static void start_talking(struct connection *c)
{
    connection_want_write(c, false);
    if (c->is_poster)
        connection_ready(c);
    else
        websocket_request_upgrade(c);
}

void connection_ready(struct connection *c)
{
    c->state = STATE_OPEN;
    run.in_progress--;
    histogram_add(&run.handshakes, now_ns() - c->started_ns);
    if (run_is_measuring())
        run.measured_handshakes++;
    if (c->ssl && SSL_session_reused(c->ssl))
        run.resumed_handshakes++;

    if (c->is_poster) {
        if (run.phase >= PHASE_WARMUP)
            publisher_ready(c->publisher);
        return;
    }
    c->was_open = true;
    run.ready++;
    room_of(c)->live++;
    if (options.mode == MODE_CONNECT) {
        websocket_append_close(c);
        io_flush(c);
        if (connection_is_up(c)) {
            connection_hang_up(c);
            run.ready--;
            room_of(c)->live--;
        }
    }
}

/* Ending. */

void connection_hang_up(struct connection *c)
{
    if (c->ssl) {
        if (c->state >= STATE_UPGRADING && !options.hard_close)
            SSL_shutdown(c->ssl);
        tls_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0) {
        if (options.hard_close) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(c->fd);
        c->fd = -1;
    }
    buffer_free(&c->received);
    buffer_free(&c->fragments);
    buffer_free(&c->out);
    c->out_sent = 0;
    c->wants_write = false;
    c->state = STATE_CLOSED;
}

static const char *doing(enum connection_state state)
{
    switch (state) {
    case STATE_CONNECTING:
        return "connecting";
    case STATE_TLS_HANDSHAKE:
        return "in its TLS handshake";
    case STATE_UPGRADING:
        return "upgrading";
    case STATE_STEPPING:
        return "in its steps";
    default:
        return "open";
    }
}

void connection_fail(struct connection *c, const char *reason)
{
    if (!connection_is_up(c))
        return;
    enum connection_state state = c->state;
    connection_hang_up(c);
    if (run.phase == PHASE_DONE)
        return;

    if (state != STATE_OPEN) {
        run.in_progress--;
        run.failed++;
        note_error("connection %d failed while %s: %s", c->index, doing(state), reason);
    } else if (c->is_poster) {
        run.http_reconnects++;
    } else {
        run.disconnected++;
        run.ready--;
        if (!c->paused) {
            room_of(c)->live--;
            run.delivered_to_live -= c->ledger.delivered;
        }
        note_error("connection %d disconnected: %s", c->index, reason);
    }
}

void connection_pause(struct connection *c)
{
    c->paused = true;
    watch(c, EPOLL_CTL_MOD);
    room_of(c)->live--;
    run.delivered_to_live -= c->ledger.delivered;
}

void connection_say_goodbye(struct connection *c)
{
    websocket_append_close(c);
    io_flush(c);
    if (connection_is_up(c))
        shutdown(c->fd, SHUT_WR);
}

/* Events. */

static void continue_tls_handshake(struct connection *c)
{
    ERR_clear_error();
    int result = SSL_do_handshake(c->ssl);
    if (result == 1) {
        if (!run.tls_description[0])
            snprintf(run.tls_description, sizeof run.tls_description, "%s %s",
                     SSL_get_version(c->ssl), SSL_get_cipher(c->ssl));
        start_talking(c);
        return;
    }

    int error = SSL_get_error(c->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        connection_want_write(c, false);
    } else if (error == SSL_ERROR_WANT_WRITE) {
        connection_want_write(c, true);
    } else {
        char reason[200];
        unsigned long code = ERR_peek_error();
        if (code)
            ERR_error_string_n(code, reason, sizeof reason);
        else
            snprintf(reason, sizeof reason, "%s",
                     error == SSL_ERROR_SYSCALL && errno ? strerror(errno) : "EOF");
        connection_fail(c, reason);
    }
}

static void finish_connecting(struct connection *c, uint32_t events)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        connection_fail(c, strerror(error));
        return;
    }
    if (!(events & EPOLLOUT))
        return;
    if (!c->target->tls) {
        start_talking(c);
        return;
    }
    c->ssl = tls_client(c->target, c->fd);
    c->state = STATE_TLS_HANDSHAKE;
    continue_tls_handshake(c);
}

static void handle_event(struct connection *c, uint32_t events)
{
    if (!connection_is_up(c))
        return;
    if (c->state == STATE_CONNECTING) {
        finish_connecting(c, events);
        return;
    }
    if (c->state == STATE_TLS_HANDSHAKE) {
        continue_tls_handshake(c);
        return;
    }

    if (events & EPOLLOUT)
        io_flush(c);
    if (!connection_is_up(c) || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    if (!c->paused) {
        io_read(c);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        connection_fail(c, "closed by the server, the reader being stalled");
    }
}

void connections_wait(int timeout_ms)
{
    static uint64_t idle_since_ns; /* 0: there was something to do */
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(epoll_fd, events, MAX_EVENTS, options.spin ? 0 : timeout_ms);
    if (options.spin) {
        uint64_t now = count == 0 ? now_ns() : 0;
        if (now && idle_since_ns)
            run.spun_ns += now - idle_since_ns;
        idle_since_ns = now;
    }
    for (int i = 0; i < count; i++)
        handle_event(events[i].data.ptr, events[i].events);
}
