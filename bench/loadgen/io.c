/* Reads and writes sockets, and TLS on them: see io.h. */
#include "io.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#include "run.h"

/* All connections read into one buffer, as long as it has this much room. A connection keeps the
 * bytes that are left over. */
#define RECEIVE_BUFFER_BYTES (1u << 20)
#define MIN_READ_BYTES 32768u

/* The limit of an incomplete message or response. */
#define MAX_INCOMPLETE_BYTES (65u << 20)

/* A buffer for left-over bytes up to this size is kept. */
#define SMALL_BYTES 4096

static uint8_t *receive_buffer;
static uint32_t receive_capacity;

void io_init(void)
{
    receive_capacity = RECEIVE_BUFFER_BYTES;
    receive_buffer = xrealloc(NULL, receive_capacity);
}

uint8_t *io_append(struct connection *c, uint32_t length)
{
    struct buffer *out = &c->out;
    uint32_t unsent = out->length - c->out_sent;
    bool is_full = out->capacity - out->length < length;
    /* Drop sent bytes where little or nothing has to be moved for it. */
    if (unsent == 0 || (is_full && unsent <= c->out_sent)) {
        if (unsent)
            memmove(out->data, out->data + c->out_sent, unsent);
        out->length = unsent;
        c->out_sent = 0;
    }
    return buffer_extend(out, length);
}

uint32_t io_unsent_bytes(const struct connection *c)
{
    return c->out.length - c->out_sent;
}

/* Return the number of bytes written; 0 if the connection has to wait, or has ended. */
static int write_tls(struct connection *c, const uint8_t *data, uint32_t length)
{
    ERR_clear_error();
    int written = SSL_write(c->ssl, data, (int)length);
    if (written > 0)
        return written;
    int error = SSL_get_error(c->ssl, written);
    if (error == SSL_ERROR_WANT_WRITE)
        connection_want_write(c, true);
    else if (error != SSL_ERROR_WANT_READ)
        connection_fail(c, "TLS write error");
    return 0;
}

static int write_plain(struct connection *c, const uint8_t *data, uint32_t length)
{
    ssize_t written = send(c->fd, data, length, MSG_NOSIGNAL);
    if (written >= 0)
        return (int)written;
    if (errno == EAGAIN)
        connection_want_write(c, true);
    else
        connection_fail(c, strerror(errno));
    return 0;
}

void io_flush(struct connection *c)
{
    uint32_t unsent;
    while ((unsent = io_unsent_bytes(c))) {
        const uint8_t *data = c->out.data + c->out_sent;
        int written = c->ssl ? write_tls(c, data, unsent) : write_plain(c, data, unsent);
        if (written == 0)
            return;
        c->out_sent += (uint32_t)written;
    }
    if (connection_is_up(c))
        connection_want_write(c, false);
}

/* Both return the number of bytes read; 0 if there are none now. If there will be no more, they
 * set `ended` to the reason. */
static int read_tls(struct connection *c, uint8_t *into, uint32_t room, const char **ended)
{
    ERR_clear_error();
    errno = 0;
    int received = SSL_read(c->ssl, into, (int)room);
    if (received > 0)
        return received;
    switch (SSL_get_error(c->ssl, received)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    case SSL_ERROR_ZERO_RETURN:
        *ended = "TLS close_notify";
        break;
    case SSL_ERROR_SYSCALL:
        if (errno == ECONNRESET)
            run.resets++;
        *ended = errno ? strerror(errno) : "EOF";
        break;
    default:
        *ended = "TLS error, or EOF without close_notify";
    }
    return 0;
}

static int read_plain(struct connection *c, uint8_t *into, uint32_t room, const char **ended)
{
    ssize_t received = recv(c->fd, into, room, 0);
    if (received > 0)
        return (int)received;
    if (received == 0) {
        *ended = "EOF";
    } else if (errno != EAGAIN) {
        if (errno == ECONNRESET)
            run.resets++;
        *ended = strerror(errno);
    }
    return 0;
}

/* Move left-over bytes to the beginning of the receive buffer; return their number. */
static uint32_t take_left_over(struct connection *c)
{
    uint32_t length = c->received.length;
    while (receive_capacity - length < 2 * MIN_READ_BYTES) {
        receive_capacity *= 2;
        receive_buffer = xrealloc(receive_buffer, receive_capacity);
    }
    if (length)
        memcpy(receive_buffer, c->received.data, length);
    c->received.length = 0;
    return length;
}

static void keep_left_over(struct connection *c, const uint8_t *data, uint32_t length)
{
    if (length > MAX_INCOMPLETE_BYTES) {
        connection_fail(c, "a message without an end");
        return;
    }
    buffer_append(&c->received, data, length);
    if (!length && c->received.capacity > SMALL_BYTES)
        buffer_free(&c->received);
}

static void handle_received(struct connection *c, uint32_t length)
{
    uint64_t now = now_ns();
    uint32_t used = c->protocol->receive(c, receive_buffer, length, now);
    if (connection_is_up(c))
        keep_left_over(c, receive_buffer + used, length - used);
}

/* TLS has read ahead: epoll does not report these bytes. */
static bool has_pending(const struct connection *c)
{
    return c->ssl && SSL_has_pending(c->ssl);
}

/* Read until no more comes, or the buffer is full; return true if there is more. */
static bool read_some(struct connection *c)
{
    uint32_t length = take_left_over(c);
    const char *ended = NULL;
    do {
        uint8_t *into = receive_buffer + length;
        uint32_t room = receive_capacity - length;
        int received =
            c->ssl ? read_tls(c, into, room, &ended) : read_plain(c, into, room, &ended);
        if (received == 0)
            break;
        length += (uint32_t)received;
        if (run_is_measuring()) {
            run.measured_bytes += (uint64_t)received;
            run.measured_reads++;
        }
    } while (has_pending(c) && receive_capacity - length >= MIN_READ_BYTES);

    bool is_full = receive_capacity - length < MIN_READ_BYTES;
    if (length)
        handle_received(c, length);
    if (ended)
        connection_fail(c, ended);
    return is_full && has_pending(c);
}

void io_read(struct connection *c)
{
    while (connection_is_up(c) && read_some(c))
        ;
}
