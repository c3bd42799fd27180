/*
 * The loop, which takes the run from phase to phase: one thread, one epoll.  A signal to
 * end cuts it short, and what has been measured by then is still reported.
 */
#ifndef PHASES_H
#define PHASES_H

#include "results.h"

struct readings phases_run(void);

#endif
