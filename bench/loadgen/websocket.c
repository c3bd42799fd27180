/* Upgrades, and makes and reads frames: see websocket.h. */
#include "websocket.h"

#include <stdio.h>
#include <string.h>

#include "io.h"
#include "ledger.h"
#include "options.h"
#include "response.h"
#include "run.h"
#include "template.h"

#define OPCODE_CONTINUATION 0
#define OPCODE_TEXT 1
#define OPCODE_CLOSE 8
#define OPCODE_PING 9
#define OPCODE_PONG 10

#define FINAL 0x80
#define RESERVED_BITS 0x70
#define OPCODE 0x0f
#define MASKED 0x80

#define CLOSE_NORMAL 1000
#define CLOSE_WITHOUT_CODE 1005

#define MAX_MESSAGE_BYTES (64u << 20)

/* The example of RFC 6455, and the server's answer to it. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char accepted_key[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/* Templates are filled in here, to become frames or requests. */
static struct buffer scratch;

static void append_frame(struct connection *c, uint8_t opcode, const uint8_t *payload,
                         uint32_t length)
{
    uint8_t header[14];
    uint32_t header_length = 0;
    header[header_length++] = FINAL | opcode;
    if (length < 126) {
        header[header_length++] = (uint8_t)(MASKED | length);
    } else if (length < 65536) {
        header[header_length++] = MASKED | 126;
        header[header_length++] = (uint8_t)(length >> 8);
        header[header_length++] = (uint8_t)length;
    } else {
        header[header_length++] = MASKED | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            header[header_length++] = (uint8_t)((uint64_t)length >> shift);
    }
    /* No byte of the mask is 0, so every byte of the payload is really masked. */
    uint32_t random = random_u32() | 0x01010101;
    uint8_t *mask = header + header_length;
    memcpy(mask, &random, 4);
    header_length += 4;

    uint8_t *out = io_append(c, header_length + length);
    memcpy(out, header, header_length);
    out += header_length;
    for (uint32_t i = 0; i < length; i++)
        out[i] = payload[i] ^ mask[i & 3];
}

static void append_message(struct connection *member, const struct buffer *message,
                           uint64_t sent_at_ns)
{
    (void)sent_at_ns; /* the message has it */
    scratch.length = 0;
    template_append(&scratch, options.message_template, member->room, member->index, message);
    append_frame(member, OPCODE_TEXT, scratch.data, scratch.length);
}

void websocket_close(struct connection *member)
{
    static const uint8_t code[] = {CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff};
    append_frame(member, OPCODE_CLOSE, code, sizeof code);
    io_flush(member);
}

static void request_upgrade(struct connection *member)
{
    const struct target *target = member->target;
    struct buffer *request = &scratch;
    request->length = 0;
    buffer_printf(request, "GET ");
    template_append(request, target->path, member->room, member->index, NULL);
    buffer_printf(request,
                  " HTTP/1.1\r\n"
                  "Host: %s:%d\r\n"
                  "Upgrade: websocket\r\n"
                  "Connection: Upgrade\r\n"
                  "Sec-WebSocket-Key: %s\r\n"
                  "Sec-WebSocket-Version: 13\r\n",
                  target->host, target->port, key);
    /* The numbers of a room's members are options.rooms apart. */
    if (*options.protocol && member->index / options.rooms % options.protocol_every == 0)
        buffer_printf(request, "Sec-WebSocket-Protocol: %s\r\n", options.protocol);
    template_append(request, options.headers, member->room, member->index, NULL);
    buffer_printf(request, "\r\n");

    member->state = STATE_UPGRADING;
    memcpy(io_append(member, request->length), request->data, request->length);
    io_flush(member);
}

/* Send up to the next text to wait for. After the last step the member is ready. */
static void continue_steps(struct connection *member)
{
    while (member->step < options.step_count && options.steps[member->step].send) {
        scratch.length = 0;
        template_append(&scratch, options.steps[member->step].text, member->room, member->index,
                        NULL);
        append_frame(member, OPCODE_TEXT, scratch.data, scratch.length);
        member->step++;
    }
    io_flush(member);
    if (member->state == STATE_STEPPING && member->step == options.step_count)
        connection_ready(member);
}

static bool is_awaited(const struct connection *member, const uint8_t *message, uint32_t length)
{
    if (member->state != STATE_STEPPING || member->step == options.step_count)
        return false;
    const char *part = options.steps[member->step].text;
    return memmem(message, length, part, strlen(part)) != NULL;
}

/* Return the bytes used: 0, or the whole answer. */
static uint32_t receive_upgrade(struct connection *member, const uint8_t *data, uint32_t length)
{
    uint32_t head_length = response_head_length(data, length);
    if (!head_length)
        return 0;
    int status = response_status(data, head_length);
    if (status != 101) {
        char reason[64];
        snprintf(reason, sizeof reason, "the upgrade was answered by %d", status);
        connection_fail(member, reason);
    } else if (!memmem(data, head_length, accepted_key, strlen(accepted_key))) {
        connection_fail(member, "bad Sec-WebSocket-Accept");
    } else {
        member->state = STATE_STEPPING;
        continue_steps(member);
    }
    return head_length;
}

static void receive_message(struct connection *member, uint8_t opcode, const uint8_t *message,
                            uint32_t length, uint64_t now)
{
    if (is_awaited(member, message, length)) {
        member->step++;
        continue_steps(member);
        if (!connection_is_up(member))
            return;
    }
    if (options.engine_io && opcode == OPCODE_TEXT && length == 1 && message[0] == '2') {
        count_ping();
        append_frame(member, OPCODE_TEXT, (const uint8_t *)"3", 1);
        io_flush(member);
        return;
    }
    ledger_scan(&member->ledger, member->room, message, length, now);
}

static void receive_fragment(struct connection *member, uint8_t opcode, bool is_final,
                             const uint8_t *payload, uint32_t length, uint64_t now)
{
    struct buffer *fragments = &member->fragments;
    if (fragments->length + length > MAX_MESSAGE_BYTES) {
        connection_fail(member, "a huge message");
        return;
    }
    buffer_append(fragments, payload, length);
    if (opcode != OPCODE_CONTINUATION)
        member->fragments_opcode = opcode;
    if (is_final) {
        uint32_t whole = fragments->length;
        fragments->length = 0;
        receive_message(member, member->fragments_opcode, fragments->data, whole, now);
    }
}

static void receive_close(struct connection *member, const uint8_t *payload, uint32_t length)
{
    int code = length >= 2 ? payload[0] << 8 | payload[1] : CLOSE_WITHOUT_CODE;
    count_code(&run.close_codes, code);
    if (length > 2 && !run.close_reason[0]) {
        uint32_t reason_length = length - 2;
        if (reason_length > sizeof run.close_reason - 1)
            reason_length = sizeof run.close_reason - 1;
        for (uint32_t i = 0; i < reason_length; i++) {
            uint8_t byte = payload[2 + i];
            run.close_reason[i] = (byte >= ' ' && byte < 0x7f) ? (char)byte : '?';
        }
    }
    connection_fail(member, "the server sent a close frame");
}

static void receive_frame(struct connection *member, uint8_t first_byte, const uint8_t *payload,
                          uint32_t length, uint64_t now)
{
    uint8_t opcode = first_byte & OPCODE;
    bool is_final = first_byte & FINAL;
    if (run_is_measuring())
        run.measured_frames++;
    switch (opcode) {
    case OPCODE_PING:
        count_ping();
        append_frame(member, OPCODE_PONG, payload, length);
        io_flush(member);
        break;
    case OPCODE_PONG:
        break;
    case OPCODE_CLOSE:
        receive_close(member, payload, length);
        break;
    default:
        if (is_final && opcode != OPCODE_CONTINUATION)
            receive_message(member, opcode, payload, length, now);
        else
            receive_fragment(member, opcode, is_final, payload, length, now);
    }
}

/* Read the lengths of a frame and of its header; return false if the header is not complete. */
static inline bool read_length(const uint8_t *data, uint32_t available, uint32_t *header_length,
                               uint64_t *length)
{
    *length = data[1] & 0x7f;
    *header_length = 2;
    if (*length == 126) {
        *header_length = 4;
        if (available < 4)
            return false;
        *length = (uint64_t)(data[2] << 8 | data[3]);
    } else if (*length == 127) {
        *header_length = 10;
        if (available < 10)
            return false;
        *length = 0;
        for (int i = 2; i < 10; i++)
            *length = *length << 8 | data[i];
    }
    return true;
}

static uint32_t receive_frames(struct connection *member, const uint8_t *data, uint32_t length,
                               uint64_t now)
{
    uint32_t used = 0;
    while (connection_is_up(member) && length - used >= 2) {
        const uint8_t *frame = data + used;
        if (frame[1] & MASKED) {
            connection_fail(member, "masked frame from server");
            break;
        }
        if (frame[0] & RESERVED_BITS) {
            connection_fail(member, "reserved bits set");
            break;
        }

        uint32_t header_length;
        uint64_t payload_length;
        if (!read_length(frame, length - used, &header_length, &payload_length))
            break;
        if (payload_length > MAX_MESSAGE_BYTES) {
            connection_fail(member, "a huge frame");
            break;
        }
        if (length - used - header_length < payload_length)
            break;
        used += header_length + (uint32_t)payload_length;
        receive_frame(member, frame[0], frame + header_length, (uint32_t)payload_length, now);
    }
    return used;
}

static uint32_t receive(struct connection *member, const uint8_t *data, uint32_t length,
                        uint64_t now)
{
    uint32_t used = 0;
    if (member->state == STATE_UPGRADING)
        used = receive_upgrade(member, data, length);
    if (member->state == STATE_STEPPING || member->state == STATE_OPEN)
        used += receive_frames(member, data + used, length - used, now);
    return used;
}

const struct protocol websocket_protocol = {
    .begin = request_upgrade,
    .receive = receive,
    .append_message = append_message,
};
