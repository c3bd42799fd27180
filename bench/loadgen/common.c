/* Fatal errors, memory, buffers and random numbers: see common.h. */
#include "common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No sound buffer is larger, and twice this fits a uint32_t. */
#define BUFFER_LIMIT (1u << 30)

static uint64_t random_state = 88172645463325252ull;

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        die("out of memory");
    return memory;
}

void *xrealloc(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        die("out of memory");
    return memory;
}

uint8_t *buffer_extend(struct buffer *buffer, uint32_t length)
{
    uint64_t needed = (uint64_t)buffer->length + length;
    if (needed > buffer->capacity) {
        if (needed > BUFFER_LIMIT)
            die("a buffer of %llu bytes is asked for", (unsigned long long)needed);
        buffer->capacity = (uint32_t)needed * 2 + 256;
        buffer->data = xrealloc(buffer->data, buffer->capacity);
    }
    uint8_t *place = buffer->data + buffer->length;
    buffer->length = (uint32_t)needed;
    return place;
}

void buffer_append(struct buffer *buffer, const void *data, uint32_t length)
{
    if (length)
        memcpy(buffer_extend(buffer, length), data, length);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);

    /* vsnprintf adds a NUL, which does not belong to the text. */
    char *place = (char *)buffer_extend(buffer, (uint32_t)length + 1);
    va_start(arguments, format);
    vsnprintf(place, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length--;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

/* xorshift64: runs and masks must differ, not be secret. */
uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

void random_seed(void)
{
    random_state ^= now_ns() * 2654435761u + (uint64_t)getpid();
    for (int i = 0; i < 10; i++)
        random_u32();
}
