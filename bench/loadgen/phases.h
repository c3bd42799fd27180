/*
 * The loop, which takes the run from phase to phase: one thread, one epoll. SIGINT and SIGTERM cut
 * the run short; its measurements up to then are still reported.
 */
#ifndef PHASES_H
#define PHASES_H

#include "results.h"

struct readings phases_run(void);

#endif
