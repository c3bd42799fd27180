/* What the run comes to: a line of JSON, and a summary for people. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

#include "results.h"

/* Prints a line of JSON, of what has been counted so far, to stdout. */
void report_status(void);

/* Prints both, and appends the JSON to --json.  Says whether all was well. */
bool report(const struct readings *readings);

#endif
