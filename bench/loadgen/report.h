/* Reports the run: a line of JSON, and a summary for people. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

#include "results.h"

/* Print a line of JSON with the counts so far to stdout. */
void report_status(void);

/* Print both, and append the JSON to --json. Return true if all was well. */
bool report(const struct readings *readings);

#endif
