/* Texts with blanks: {r} is the room's number, {i} the connection's, %M the message. */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "common.h"

/* Append the filled-in `template` to `into`; `message` may be NULL. */
void template_append(struct buffer *into, const char *template, int room, int connection,
                     const struct buffer *message);

#endif
