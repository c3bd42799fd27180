/* Fills in templates: see template.h. */
#include "template.h"

#include <string.h>

void template_append(struct buffer *into, const char *template, int room, int connection,
                     const struct buffer *message)
{
    while (*template) {
        size_t plain = strcspn(template, "{%");
        buffer_append(into, template, (uint32_t)plain);
        template += plain;

        if (!strncmp(template, "{r}", 3)) {
            buffer_printf(into, "%d", room);
            template += 3;
        } else if (!strncmp(template, "{i}", 3)) {
            buffer_printf(into, "%d", connection);
            template += 3;
        } else if (!strncmp(template, "%M", 2)) {
            if (message)
                buffer_append(into, message->data, message->length);
            template += 2;
        } else if (*template) {
            buffer_append(into, template, 1);
            template++;
        }
    }
}
