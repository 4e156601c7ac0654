#include "control/holder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/handover.h"
#include "control/kept.h"
#include "dataplane/clock.h"
#include "dataplane/io/fd_store.h"

#define PAUSE_MAX_MS 5000
#define LIVED_LONG_MS 10000 /* after so long, the next death is not held against it */

struct holder {
	const struct holder_config *config;
	int signals; /* signalfd */
	struct kept *kept;

	/* of the child that runs now */
	pid_t child;
	int socket;
	bool is_ready;
	int64_t started_ms;

	int64_t pause_ms; /* before the next start */
	bool is_stopping;
};

/* The child's side of the fork. */
static _Noreturn void
become_daemon(const struct holder *h, int socket, pid_t holder)
{
	sigset_t none;
	int status;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(h->signals);
	kept_drop_all(h->kept); /* it receives its own copies */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != holder)
		_exit(EXIT_FAILURE);
	status = h->config->serve(socket, h->config->arg);
	fflush(NULL);
	_exit(status);
}

static bool
start_child(struct holder *h)
{
	pid_t holder = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		perror("ringwayd: socketpair");
		return false;
	}
	fflush(NULL);
	h->child = fork();
	if (h->child < 0) {
		perror("ringwayd: fork");
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	if (h->child == 0) {
		close(pair[0]);
		become_daemon(h, pair[1], holder);
	}
	close(pair[1]);
	h->socket = pair[0];
	h->is_ready = false;
	h->started_ms = clock_now_ms();
	kept_send(h->kept, h->socket); /* where it died again, we hear of that by SIGCHLD */
	return true;
}

/* False at the end of the child's messages. */
static bool
serve_message(struct holder *h)
{
	char text[FD_STORE_NAME_MAX + 8];
	int fd;

	if (fd_message_receive(h->socket, text, sizeof(text), &fd) <= 0)
		return false;
	if (fd >= 0 && strncmp(text, "put ", 4) == 0)
		kept_put(h->kept, text + 4, fd);
	else if (fd >= 0)
		close(fd);
	else if (strncmp(text, "drop ", 5) == 0)
		kept_drop(h->kept, text + 5);
	else if (strcmp(text, "ready") == 0)
		h->is_ready = true;
	return true;
}

static void
hand_over(struct holder *h)
{
	if (h->config->run_dir != NULL && handover_give(h->config->run_dir, h->kept) == 0)
		fprintf(stderr, "ringwayd: the next one has %zu descriptors of ours\n", h->kept->n);
	/* before the child closes its own: the last to close a socket waits for the kernel */
	kept_drop_all(h->kept);
}

static void
serve_signal(struct holder *h)
{
	struct signalfd_siginfo info;

	if (read(h->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
		if (!h->is_stopping)
			hand_over(h);
		h->is_stopping = true;
	}
	if (info.ssi_signo != SIGCHLD)
		kill(h->child, info.ssi_signo == SIGHUP ? SIGHUP : SIGTERM);
}

/* Serves the child until it is gone; its wait status. */
static int
watch_child(struct holder *h)
{
	struct pollfd fds[2] = {
		{ .fd = h->signals, .events = POLLIN },
		{ .fd = h->socket, .events = POLLIN },
	};
	int status;

	while (waitpid(h->child, &status, WNOHANG) == 0) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			serve_signal(h);
		if (fds[1].revents != 0 && !serve_message(h))
			fds[1].fd = -1; /* nothing more will come; SIGCHLD will */
	}
	while (serve_message(h))
		; /* its last words */
	close(h->socket);
	return status;
}

/* Waits before a new start; a signal to stop ends the pause. */
static void
pause_before_start(struct holder *h)
{
	struct pollfd fd = { .fd = h->signals, .events = POLLIN };
	int64_t until = clock_now_ms() + h->pause_ms;

	for (int64_t left = h->pause_ms; left > 0 && !h->is_stopping; left = until - clock_now_ms()) {
		struct signalfd_siginfo info;

		if (poll(&fd, 1, (int)left) > 0 && read(h->signals, &info, sizeof(info)) == sizeof(info))
			h->is_stopping = info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
	}
	if (h->is_stopping)
		hand_over(h);
}

static void
say_death(const struct holder *h, int status, bool is_started_again)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "ringwayd: the daemon died of signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "ringwayd: the daemon ended with status %d", WEXITSTATUS(status));
	if (is_started_again)
		fprintf(stderr, "; starting it again in %lld ms, with %zu descriptors kept",
			(long long)h->pause_ms, h->kept->n);
	fputc('\n', stderr);
}

static bool
holder_init(struct holder *h)
{
	struct rlimit files;
	sigset_t set;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max; /* two or three per pod */
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return h->signals >= 0;
}

int
holder_run(const struct holder_config *config)
{
	struct kept none = { 0 };
	struct holder h = { .config = config, .kept = config->kept != NULL ? config->kept : &none };
	int status = EXIT_FAILURE;

	if (!holder_init(&h)) {
		perror("ringwayd: signalfd");
		return EXIT_FAILURE;
	}
	for (;;) {
		if (!start_child(&h))
			break;
		status = watch_child(&h);
		if (!h.is_stopping && !h.is_ready && WIFSIGNALED(status))
			say_death(&h, status, false); /* one that exits has said why */
		if (h.is_stopping || !h.is_ready || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			break;
		if (clock_now_ms() - h.started_ms > LIVED_LONG_MS)
			h.pause_ms = 0;
		say_death(&h, status, true);
		pause_before_start(&h);
		if (h.is_stopping)
			break;
		h.pause_ms = h.pause_ms == 0                 ? 100
			     : h.pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
							     : h.pause_ms * 2;
	}
	kept_drop_all(h.kept);
	close(h.signals);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
