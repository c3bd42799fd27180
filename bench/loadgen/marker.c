/* Writes and reads markers: see marker.h. */
#include "marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Each hexadecimal digit has its value plus 1; all other bytes have 0. */
static const uint8_t digit_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

void marker_write(uint8_t *to, const struct marker *marker)
{
    char text[MARKER_LENGTH + 1];
    snprintf(text, sizeof text, "~L%04x%04x%08x%016" PRIx64 "Z", (unsigned)marker->run & 0xffff,
             (unsigned)marker->publisher & 0xffff, (unsigned)marker->seq, marker->sent_at_ns);
    memcpy(to, text, MARKER_LENGTH);
}

static inline bool read_hex(const uint8_t *text, int digits, uint64_t *value)
{
    uint64_t result = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = digit_values[text[i]];
        if (!digit)
            return false;
        result = result << 4 | (digit - 1);
    }
    *value = result;
    return true;
}

bool marker_read(const uint8_t *text, size_t length, struct marker *marker)
{
    return length >= MARKER_LENGTH && text[1] == 'L' && text[MARKER_LENGTH - 1] == 'Z' &&
           read_hex(text + 2, 4, &marker->run) && read_hex(text + 6, 4, &marker->publisher) &&
           read_hex(text + 10, 8, &marker->seq) && read_hex(text + 18, 16, &marker->sent_at_ns);
}
