/* The TLS context, and tickets: see tls.h. */
#include "tls.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common.h"

#define TICKET_TIMEOUT_SECONDS 2

/* By default OpenSSL reads record by record; this reads many small ones at a time. */
#define READ_BUFFER_BYTES 65536

static SSL_CTX *context;

/* OpenSSL calls this with each new ticket; 1 tells it that the ticket is kept. */
static int keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct target *target = SSL_get_app_data(ssl);
    SSL_SESSION_free(target->ticket);
    target->ticket = ticket;
    return 1;
}

void tls_init(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        die("OpenSSL gives no context");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER_BYTES);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (options.resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_ticket);
    }
    if (options.tls12)
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
}

/* Offer a copy: OpenSSL marks a ticket as used once a handshake has resumed it, but other
 * handshakes may need it before a newer one comes. */
static void offer_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    SSL_SESSION *copy = SSL_SESSION_dup(ticket);
    if (!copy || !SSL_set_session(ssl, copy))
        die("OpenSSL does not take a ticket");
    SSL_SESSION_free(copy);
}

SSL *tls_client(struct target *target, int fd)
{
    SSL *ssl = SSL_new(context);
    if (!ssl || !SSL_set_fd(ssl, fd))
        die("OpenSSL gives no connection");
    SSL_set_app_data(ssl, target);
    SSL_set_connect_state(ssl);
    bool is_name = strspn(target->host, "0123456789.") != strlen(target->host);
    if (is_name)
        SSL_set_tlsext_host_name(ssl, target->host);
    if (target->ticket)
        offer_ticket(ssl, target->ticket);
    return ssl;
}

void tls_free(SSL *ssl)
{
    /* Otherwise OpenSSL discards the ticket of a connection that was not shut down properly. */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
}

static void await_ticket(SSL *ssl, const struct target *target)
{
    if (SSL_do_handshake(ssl) != 1)
        return;
    /* One read ends with a ticket, instead of waiting for data after it. */
    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    uint64_t deadline = now_ns() + TICKET_TIMEOUT_SECONDS * NS_PER_SECOND;
    while (!target->ticket && now_ns() < deadline) {
        char ignored[4096];
        int received = SSL_read(ssl, ignored, sizeof ignored);
        if (received <= 0 && SSL_get_error(ssl, received) != SSL_ERROR_WANT_READ)
            break;
    }
    SSL_shutdown(ssl);
}

void tls_get_ticket(struct target *target)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("there is no socket to get a ticket with");
    struct timeval timeout = {.tv_sec = TICKET_TIMEOUT_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);

    /* The run itself reports a server that cannot be reached. */
    if (!connect(fd, (const struct sockaddr *)&target->address, sizeof target->address)) {
        SSL *ssl = tls_client(target, fd);
        await_ticket(ssl, target);
        tls_free(ssl);
        if (!target->ticket)
            fprintf(stderr, "%s:%d has sent no ticket to resume by\n", target->host,
                    target->port);
    }
    close(fd);
    ERR_clear_error();
}
