/* Makes requests, and counts what comes of them: see http.h. */
#include "http.h"

#include <string.h>

#include "io.h"
#include "options.h"
#include "response.h"
#include "run.h"
#include "template.h"

/* The poster is busy from here until its response. */
static void append_request(struct connection *poster, const struct buffer *message,
                           uint64_t sent_at_ns)
{
    static struct buffer head;
    static struct buffer body;
    const struct target *target = poster->target;

    body.length = 0;
    template_append(&body, options.http_body, poster->room, poster->index, message);

    head.length = 0;
    buffer_printf(&head, "%s ", options.http_method);
    template_append(&head, target->path, poster->room, poster->index, NULL);
    buffer_printf(&head,
                  " HTTP/1.1\r\n"
                  "Host: %s:%d\r\n"
                  "Content-Type: %s\r\n"
                  "Content-Length: %u\r\n"
                  "%s\r\n",
                  target->host, target->port, options.http_content_type, body.length,
                  options.http_headers);

    uint8_t *out = io_append(poster, head.length + body.length);
    memcpy(out, head.data, head.length);
    if (body.length)
        memcpy(out + head.length, body.data, body.length);
    poster->busy = true;
    poster->request_ns = sent_at_ns;
}

static void finish_request(struct connection *poster, const struct response *response,
                           uint64_t now)
{
    count_code(&run.http_statuses, response->status);
    if (response->status >= 200 && response->status < 300) {
        run.http_ok++;
        if (run_is_measuring())
            run.measured_http++;
    } else {
        run.http_errors++;
        note_error("HTTP status %d", response->status);
    }
    if (run_is_measuring() || run_measures(poster->request_ns))
        histogram_add(&run.http_latencies, now - poster->request_ns);

    poster->busy = false;
    if (response->keeps_alive) {
        connection_answered(poster);
    } else {
        run.http_reconnects++;
        connection_hang_up(poster);
    }
}

static uint32_t receive(struct connection *poster, const uint8_t *data, uint32_t length,
                        uint64_t now)
{
    uint32_t used = 0;
    struct response response;
    while (used < length && connection_is_up(poster) &&
           response_read(data + used, length - used, &response)) {
        used += (uint32_t)response.length;
        finish_request(poster, &response, now);
    }
    return used;
}

const struct protocol http_protocol = {
    .begin = connection_ready,
    .receive = receive,
    .append_message = append_request,
};
