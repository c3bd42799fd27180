/* Counts errors and codes: see run.h. */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>

struct run run;

void count_ping(void)
{
    run.pings++;
    if (run_is_measuring())
        run.measured_pings++;
}

void note_error(const char *format, ...)
{
    if (run.first_error[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run.first_error, sizeof run.first_error, format, arguments);
    va_end(arguments);
}

void count_code(struct code_counts *counts, int code)
{
    int i = 0;
    while (i < counts->used && counts->codes[i] != code)
        i++;
    if (i == (int)(sizeof counts->codes / sizeof *counts->codes))
        return;
    if (i == counts->used)
        counts->codes[counts->used++] = code;
    counts->counts[i]++;
}
