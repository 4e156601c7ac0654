/* Programs that a benchmark runs beside itself: in the caller's network namespace, with what they say in a file. They
 * go when the process goes, however it goes. */
#ifndef RINGWAY_PERF_CHILD_H
#define RINGWAY_PERF_CHILD_H

#include <stdint.h>
#include <sys/types.h>

/* argv[0] is looked for in PATH. cpu: the core that it gets; -1: all of them. What it writes goes into the file, which is made anew. 0 or -errno. */
int child_start(pid_t *out, char *const argv[], int cpu, const char *log);

/* Waits until it ends, and says how long it had the processor. 0; -EIO: it failed, or was not found. */
int child_wait(pid_t pid, uint64_t *cpu_ns);

/* Asks it to end, and waits. 0 is fine. */
void child_stop(pid_t pid);

/* Whether it has ended by itself, which leaves nothing to be stopped. */
int child_has_ended(pid_t pid);

/* Copies the file to standard error. */
void child_print_log(const char *log);

#endif
