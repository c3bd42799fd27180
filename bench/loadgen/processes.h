/*
 * CPU time and memory of the server's processes, from /proc. Descendants started after
 * processes_init() are not seen, and a process that has ended counts nothing.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

struct cpu_usage { /* seconds since the processes began */
    double server;
    double server_user; /* of which; less exact */
    double server_system;
    double auxiliary;
    double own; /* without spinning */
};

void processes_init(void);
struct cpu_usage processes_cpu(void);

/* Return the server's resident memory. */
long processes_rss_kb(void);

#endif
