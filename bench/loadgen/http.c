/* Requests made, and responses read: see http.h. */
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io.h"
#include "options.h"
#include "publish.h"
#include "run.h"
#include "template.h"

/* A response's head, as far as it matters here. */
struct head {
    uint32_t length;
    int status;
    bool keeps_alive;
    bool is_chunked;
    uint64_t content_length;
};

uint32_t http_head_length(const uint8_t *data, uint32_t length)
{
    const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    return end ? (uint32_t)(end - data) + 4 : 0;
}

int http_status(const uint8_t *head, uint32_t length)
{
    static const char protocol[] = "HTTP/1.x ";
    size_t start = sizeof protocol - 1;
    if (length < start + 3 || memcmp(head, protocol, start - 2))
        return 0;
    int status = 0;
    for (size_t i = start; i < start + 3; i++) {
        if (head[i] < '0' || head[i] > '9')
            return 0;
        status = status * 10 + head[i] - '0';
    }
    return status;
}

void http_append_request(struct connection *poster, const struct buffer *message,
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

/* Returns the value of the header with this name, in lower case, or NULL.  The head is
 * NUL-terminated. */
static const char *find_header(const char *head, const char *name)
{
    size_t name_length = strlen(name);
    const char *line = head;
    while ((line = strstr(line, "\r\n"))) {
        line += 2;
        if (!strncasecmp(line, name, name_length) && line[name_length] == ':')
            return line + name_length + 1 + strspn(line + name_length + 1, " \t");
    }
    return NULL;
}

static bool header_is(const char *head, const char *name, const char *value)
{
    const char *found = find_header(head, name);
    return found && !strncasecmp(found, value, strlen(value));
}

/* Says whether the head is all there. */
static bool read_head(const uint8_t *data, uint32_t length, struct head *head)
{
    static struct buffer copy;
    head->length = http_head_length(data, length);
    if (!head->length)
        return false;
    copy.length = 0;
    buffer_append(&copy, data, head->length);
    buffer_append(&copy, "", 1);
    const char *text = (const char *)copy.data;

    const char *content_length = find_header(text, "content-length");
    head->status = http_status(data, head->length);
    head->keeps_alive = !header_is(text, "connection", "close");
    head->is_chunked = header_is(text, "transfer-encoding", "chunked");
    head->content_length = content_length ? strtoull(content_length, NULL, 10) : 0;
    return true;
}

/* Returns the length of a body in chunks, or 0 if it is not all there. */
static uint64_t chunked_length(const uint8_t *data, uint32_t length)
{
    uint64_t used = 0;
    for (;;) {
        const uint8_t *line_end = memmem(data + used, length - used, "\r\n", 2);
        if (!line_end)
            return 0;
        uint64_t size = strtoull((const char *)data + used, NULL, 16);
        used = (uint64_t)(line_end - data) + 2;
        if (size > length || length - used < size + 2)
            return 0;
        used += size + 2;
        if (size == 0)
            return used;
    }
}

/* Returns the length of the response, or 0 if it is not all there. */
static uint64_t response_length(const uint8_t *data, uint32_t length, struct head *head)
{
    if (!read_head(data, length, head))
        return 0;
    uint32_t left = length - head->length;
    if (head->is_chunked) {
        uint64_t body_length = chunked_length(data + head->length, left);
        return body_length ? head->length + body_length : 0;
    }
    return head->content_length <= left ? head->length + head->content_length : 0;
}

static void finish_request(struct connection *poster, const struct head *head, uint64_t now)
{
    count_code(&run.http_statuses, head->status);
    if (head->status >= 200 && head->status < 300) {
        run.http_ok++;
        if (run_is_measuring())
            run.measured_http++;
    } else {
        run.http_errors++;
        note_error("HTTP status %d", head->status);
    }
    if (run_is_measuring() || run_measures(poster->request_ns))
        histogram_add(&run.http_latencies, now - poster->request_ns);

    poster->busy = false;
    if (head->keeps_alive) {
        publisher_ready(poster->publisher);
    } else {
        run.http_reconnects++;
        connection_hang_up(poster);
    }
}

uint32_t http_receive(struct connection *poster, const uint8_t *data, uint32_t length,
                      uint64_t now)
{
    uint32_t used = 0;
    while (used < length && connection_is_up(poster)) {
        struct head head;
        uint64_t response = response_length(data + used, length - used, &head);
        if (!response)
            break;
        used += (uint32_t)response;
        finish_request(poster, &head, now);
    }
    return used;
}
