/* Connects, shakes hands and hangs up, and counts this: see connection.h. */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run.h"
#include "tls.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static const struct connection_events *events;
static int epoll_fd;

void connections_init(const struct connection_events *told)
{
    events = told;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1: %s", strerror(errno));
}

int connections_poll(struct epoll_event *found, int most, int timeout_ms)
{
    return epoll_wait(epoll_fd, found, most, timeout_ms);
}

void connection_init(struct connection *c, const struct protocol *protocol,
                     struct target *target, int index, int room)
{
    c->fd = -1;
    c->protocol = protocol;
    c->target = target;
    c->index = index;
    c->room = room;
}

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

/* Use the source addresses in turn, 127.0.0.2 and up: each has 28,000 ports. */
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

/* Connected, and the TLS handshake done. */
static void begin_protocol(struct connection *c)
{
    connection_want_write(c, false);
    c->protocol->begin(c);
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

    if (!c->is_poster) {
        c->was_open = true;
        run.ready++;
    }
    events->ready(c);
}

void connection_answered(struct connection *poster)
{
    events->answered(poster);
}

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
        if (!c->paused)
            events->lost(c);
        note_error("connection %d disconnected: %s", c->index, reason);
    }
}

void connection_pause(struct connection *c)
{
    c->paused = true;
    watch(c, EPOLL_CTL_MOD);
}

static void continue_tls_handshake(struct connection *c)
{
    ERR_clear_error();
    int result = SSL_do_handshake(c->ssl);
    if (result == 1) {
        if (!run.tls_description[0])
            snprintf(run.tls_description, sizeof run.tls_description, "%s %s",
                     SSL_get_version(c->ssl), SSL_get_cipher(c->ssl));
        begin_protocol(c);
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

static void finish_connecting(struct connection *c, uint32_t polled)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        connection_fail(c, strerror(error));
        return;
    }
    if (!(polled & EPOLLOUT))
        return;
    if (!c->target->tls) {
        begin_protocol(c);
        return;
    }
    c->ssl = tls_client(c->target, c->fd);
    c->state = STATE_TLS_HANDSHAKE;
    continue_tls_handshake(c);
}

void connection_continue(struct connection *c, uint32_t polled)
{
    if (c->state == STATE_CONNECTING)
        finish_connecting(c, polled);
    else
        continue_tls_handshake(c);
}
