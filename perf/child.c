#include "perf/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
run(char *const argv[], int cpu, const char *log)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), null = open("/dev/null", O_RDONLY);
	cpu_set_t cpus;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&cpus);
	if (cpu >= 0) {
		CPU_SET(cpu, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	dup2(null, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int
child_start(pid_t *out, char *const argv[], int cpu, const char *log)
{
	*out = fork();
	if (*out == 0)
		run(argv, cpu, log);
	return *out < 0 ? -errno : 0;
}

static uint64_t
time_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000;
}

int
child_wait(pid_t pid, uint64_t *cpu_ns)
{
	struct rusage used;
	int status;

	if (wait4(pid, &status, 0, &used) != pid)
		return -EIO;
	*cpu_ns = time_ns(&used.ru_utime) + time_ns(&used.ru_stime);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

void
child_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

int
child_has_ended(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == pid;
}

void
child_print_log(const char *log)
{
	char line[512];
	FILE *in = fopen(log, "r");

	while (in != NULL && fgets(line, sizeof(line), in) != NULL)
		fputs(line, stderr);
	if (in != NULL)
		fclose(in);
}
