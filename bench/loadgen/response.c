/* Reads heads, and finds where bodies end: see response.h. */
#include "response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common.h"

uint32_t response_head_length(const uint8_t *data, uint32_t length)
{
    const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    return end ? (uint32_t)(end - data) + 4 : 0;
}

int response_status(const uint8_t *head, uint32_t length)
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

/* Return the value of the header with this lower-case name, or NULL. The head ends with a NUL. */
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

/* Return the length of a chunked body; 0 if it is not complete. */
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

bool response_read(const uint8_t *data, uint32_t length, struct response *response)
{
    static struct buffer copy;
    uint32_t head_length = response_head_length(data, length);
    if (!head_length)
        return false;
    copy.length = 0;
    buffer_append(&copy, data, head_length);
    buffer_append(&copy, "", 1);
    const char *head = (const char *)copy.data;

    response->status = response_status(data, head_length);
    response->keeps_alive = !header_is(head, "connection", "close");
    uint32_t left = length - head_length;
    if (header_is(head, "transfer-encoding", "chunked")) {
        uint64_t body_length = chunked_length(data + head_length, left);
        response->length = head_length + body_length;
        return body_length > 0;
    }
    const char *content_length = find_header(head, "content-length");
    uint64_t body_length = content_length ? strtoull(content_length, NULL, 10) : 0;
    response->length = head_length + body_length;
    return body_length <= left;
}
