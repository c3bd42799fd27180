/* Writes markers: see marker.h. */
#include "marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const uint8_t marker_digits[256] = {
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
