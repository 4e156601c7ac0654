#include "perf/testpmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG "/run/testpmd.log" /* on the process's own /run */
#define START_TIMEOUT_S 15

struct testpmd {
	pid_t pid;
	int input; /* it runs until its standard input ends */
};

/* In the child. Both of its threads get the one core; the main one sleeps. */
static void
run(int input, int cpu)
{
	char cores[64];
	char *argv[] = { "dpdk-testpmd", "--lcores", cores, "--no-pci", "--no-huge", "-m", "256",
		"--no-shconf", "--no-telemetry", "--vdev", "net_af_xdp0,iface=pod0", "--vdev",
		"net_af_xdp1,iface=pod1", "--", "--forward-mode=io", "--nb-cores=1",
		"--total-num-mbufs=32768", "--auto-start", "--txd=2048", "--rxd=2048", "--burst=64", NULL };
	int log = open(LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it goes with us, however we go */
	snprintf(cores, sizeof(cores), "0@%d,1@%d", cpu, cpu);
	dup2(input, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot run dpdk-testpmd (Debian package dpdk): %s\n", strerror(errno));
	_exit(127);
}

static bool
log_says(const char *text)
{
	char buf[16384];
	int fd = open(LOG, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return strstr(buf, text) != NULL;
}

static void
print_log(void)
{
	char line[512];
	FILE *log = fopen(LOG, "r");

	while (log != NULL && fgets(line, sizeof(line), log) != NULL)
		fputs(line, stderr);
	if (log != NULL)
		fclose(log);
}

struct testpmd *
testpmd_start(int cpu)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct testpmd *t = calloc(1, sizeof(*t));
	int pipe_fds[2];

	unlink(LOG);
	if (t == NULL || pipe2(pipe_fds, O_CLOEXEC) < 0) {
		free(t);
		return NULL;
	}
	t->input = pipe_fds[1];
	t->pid = fork();
	if (t->pid == 0)
		run(pipe_fds[0], cpu);
	close(pipe_fds[0]);
	for (unsigned i = 0; t->pid > 0 && i < START_TIMEOUT_S * 50; i++) {
		nanosleep(&pause, NULL);
		if (log_says("Checking link statuses"))
			return t;
		if (waitpid(t->pid, NULL, WNOHANG) == t->pid)
			t->pid = -1;
	}
	fprintf(stderr, "dpdk-testpmd does not start:\n");
	print_log();
	testpmd_stop(t);
	return NULL;
}

void
testpmd_stop(struct testpmd *t)
{
	if (t == NULL)
		return;
	close(t->input);
	if (t->pid > 0) {
		kill(t->pid, SIGTERM);
		waitpid(t->pid, NULL, 0);
	}
	free(t);
}

uint64_t
testpmd_cpu_ns(const struct testpmd *t)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(t->pid, &clock) == 0)
		clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}
