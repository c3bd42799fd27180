/*
 * Used by every file: fatal errors, memory allocated or the program ends, growable buffers, the
 * clock, random numbers.
 */
#ifndef COMMON_H
#define COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull

/* A growable buffer. Where messages pass, buffers are reused instead of freed: nothing is
 * allocated once the largest message was seen. */
struct buffer {
    uint8_t *data;
    uint32_t length;
    uint32_t capacity;
};

/* Print the reason to stderr and exit with 2. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);

/* Lengthen `buffer` by `length` bytes; return their place. */
uint8_t *buffer_extend(struct buffer *buffer, uint32_t length);
void buffer_append(struct buffer *buffer, const void *data, uint32_t length);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_free(struct buffer *buffer);

void random_seed(void);
uint32_t random_u32(void);

static inline uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t seconds_to_ns(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

#endif
