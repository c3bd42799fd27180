/* Reads /proc: see processes.h. */
#include "processes.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "options.h"
#include "run.h"

struct pid_list {
    int *pids;
    int count;
};

static struct pid_list server;
static struct pid_list auxiliary;
static double ticks_per_second;

static void add_pid(struct pid_list *list, int pid, bool with_descendants);

static void add_children(struct pid_list *list, const char *children_file)
{
    FILE *file = fopen(children_file, "r");
    if (!file)
        return;
    int child;
    while (fscanf(file, "%d", &child) == 1)
        add_pid(list, child, true);
    fclose(file);
}

/* /proc lists children with the thread that started them. */
static void add_descendants(struct pid_list *list, int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (!threads)
        return;
    struct dirent *thread;
    while ((thread = readdir(threads))) {
        if (!isdigit((unsigned char)thread->d_name[0]))
            continue;
        char children_file[sizeof path + sizeof thread->d_name + 16];
        snprintf(children_file, sizeof children_file, "%s/%s/children", path, thread->d_name);
        add_children(list, children_file);
    }
    closedir(threads);
}

static void add_pid(struct pid_list *list, int pid, bool with_descendants)
{
    for (int i = 0; i < list->count; i++)
        if (list->pids[i] == pid)
            return;
    list->pids = xrealloc(list->pids, (size_t)(list->count + 1) * sizeof *list->pids);
    list->pids[list->count++] = pid;
    if (with_descendants)
        add_descendants(list, pid);
}

static void add_pids(struct pid_list *list, const char *comma_separated, bool with_descendants)
{
    const char *rest = comma_separated;
    while (rest && *rest) {
        char *end;
        long pid = strtol(rest, &end, 10);
        if (end == rest || pid < 1 || (*end && *end != ','))
            die("not a list of process ids: %s", comma_separated);
        add_pid(list, (int)pid, with_descendants);
        rest = *end ? end + 1 : end;
    }
}

void processes_init(void)
{
    ticks_per_second = (double)sysconf(_SC_CLK_TCK);
    add_pids(&server, options.pids, options.tree);
    add_pids(&auxiliary, options.aux_pids, false);
}

/* The CPU seconds of all threads, to nanoseconds; /proc has only hundredths of a second. */
static double cpu(int pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void add_user_and_system(int pid, struct cpu_usage *usage)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    char stat[1024];
    size_t length = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    stat[length] = '\0';

    /* The process's name, in parentheses, may contain spaces and parentheses. */
    const char *after_name = strrchr(stat, ')');
    unsigned long user_ticks;
    unsigned long system_ticks;
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user_ticks, &system_ticks) != 2)
        return;
    usage->server_user += (double)user_ticks / ticks_per_second;
    usage->server_system += (double)system_ticks / ticks_per_second;
}

static double own_cpu(void)
{
    return cpu(getpid()) - (double)run.spun_ns / 1e9;
}

struct cpu_usage processes_cpu(void)
{
    struct cpu_usage usage = {.own = own_cpu()};
    for (int i = 0; i < server.count; i++) {
        usage.server += cpu(server.pids[i]);
        add_user_and_system(server.pids[i], &usage);
    }
    for (int i = 0; i < auxiliary.count; i++)
        usage.auxiliary += cpu(auxiliary.pids[i]);
    return usage;
}

static long rss_kb(int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    long kb = 0;
    char line[256];
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    fclose(file);
    return kb;
}

long processes_rss_kb(void)
{
    long kb = 0;
    for (int i = 0; i < server.count; i++)
        kb += rss_kb(server.pids[i]);
    return kb;
}
