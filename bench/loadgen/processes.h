/*
 * CPU time and memory of the server's processes, out of /proc.  A descendant started
 * later than processes_init() is not seen, and a process that has ended counts nothing.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

struct cpu_usage { /* seconds since the processes began */
    double server;
    double server_user; /* of which; not as exact */
    double server_system;
    double auxiliary;
    double own; /* without what was spent in spinning */
};

void processes_init(void);
struct cpu_usage processes_cpu(void);

/* Resident memory of the server. */
long processes_rss_kb(void);

#endif
