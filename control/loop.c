#include "control/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX 64

struct loop_fd {
	struct loop *loop;
	int fd;
	void (*fn)(uint32_t events, void *arg); /* NULL: removed, to be freed after the round */
	void *arg;
	struct loop_fd *next_removed;
};

struct loop_timer {
	int fd;
	bool is_set, is_periodic;
	struct loop_fd *watch;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	int epoll_fd;
	bool is_stopped;
	struct loop_fd *removed;
	struct loop_task *first_task, **last_task;
	int signal_fd;
	struct loop_fd *signal_watch;
	sigset_t signals;
	struct {
		void (*fn)(int signo, void *arg);
		void *arg;
	} on_signal[NSIG];
};

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->signal_fd = -1;
	l->last_task = &l->first_task;
	sigemptyset(&l->signals);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return NULL;
	}
	return l;
}

static void
free_removed(struct loop *l)
{
	while (l->removed != NULL) {
		struct loop_fd *f = l->removed;

		l->removed = f->next_removed;
		free(f);
	}
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	loop_fd_remove(l->signal_watch);
	if (l->signal_fd >= 0) {
		close(l->signal_fd);
		pthread_sigmask(SIG_UNBLOCK, &l->signals, NULL);
	}
	free_removed(l);
	close(l->epoll_fd);
	free(l);
}

struct loop_fd *
loop_fd_add(struct loop *l, int fd, uint32_t events, void (*fn)(uint32_t events, void *arg), void *arg)
{
	struct loop_fd *f = calloc(1, sizeof(*f));
	struct epoll_event event = { .events = events, .data.ptr = f };

	if (f == NULL)
		return NULL;
	*f = (struct loop_fd){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(f);
		return NULL;
	}
	return f;
}

int
loop_fd_modify(struct loop_fd *f, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = f };

	return epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_MOD, f->fd, &event) < 0 ? -errno : 0;
}

void
loop_fd_remove(struct loop_fd *f)
{
	if (f == NULL)
		return;
	epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
	/* an event for it may already have been read in this round */
	f->fn = NULL;
	f->next_removed = f->loop->removed;
	f->loop->removed = f;
}

static void
run_tasks(struct loop *l)
{
	struct loop_task *task = l->first_task, *next;
	unsigned n = 0;

	/* only those deferred so far: one that defers itself again must not starve descriptors */
	for (struct loop_task *t = task; t != NULL; t = t->next)
		n++;
	for (; n > 0 && l->first_task != NULL; n--) {
		task = l->first_task;
		next = task->next;
		l->first_task = next;
		if (next == NULL)
			l->last_task = &l->first_task;
		task->is_pending = false;
		task->fn(task->arg);
	}
}

int
loop_round(struct loop *l, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, l->first_task != NULL ? 0 : timeout_ms);

	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct loop_fd *f = events[i].data.ptr;

		if (f->fn != NULL)
			f->fn(events[i].events, f->arg);
	}
	run_tasks(l);
	free_removed(l);
	return n < 0 ? 0 : n;
}

int
loop_run(struct loop *l)
{
	l->is_stopped = false;
	while (!l->is_stopped) {
		int n = loop_round(l, -1);

		if (n < 0)
			return n;
	}
	return 0;
}

void
loop_stop(struct loop *l)
{
	l->is_stopped = true;
}

void
loop_defer(struct loop *l, struct loop_task *task)
{
	if (task->is_pending)
		return;
	task->is_pending = true;
	task->next = NULL;
	*l->last_task = task;
	l->last_task = &task->next;
}

void
loop_cancel(struct loop *l, struct loop_task *task)
{
	if (!task->is_pending)
		return;
	task->is_pending = false;
	for (struct loop_task **at = &l->first_task; *at != NULL; at = &(*at)->next) {
		if (*at == task) {
			*at = task->next;
			break;
		}
	}
	l->last_task = &l->first_task;
	while (*l->last_task != NULL)
		l->last_task = &(*l->last_task)->next;
}

static void
timer_fire(uint32_t events, void *arg)
{
	struct loop_timer *t = arg;
	uint64_t expirations;

	/* EAGAIN: it was set anew between expiry and now */
	if (read(t->fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	t->is_set = t->is_periodic;
	t->fn(t->arg);
}

struct loop_timer *
loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	*t = (struct loop_timer){ .fn = fn, .arg = arg };
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd >= 0)
		t->watch = loop_fd_add(l, t->fd, EPOLLIN, timer_fire, t);
	if (t->watch == NULL) {
		int error = errno;

		if (t->fd >= 0)
			close(t->fd);
		free(t);
		errno = error;
		return NULL;
	}
	return t;
}

static struct timespec
timespec_from(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

void
loop_timer_set(struct loop_timer *t, uint64_t delay_ns, uint64_t interval_ns)
{
	/* a first expiry of zero would disarm it */
	struct itimerspec when = {
		.it_value = timespec_from(delay_ns == 0 ? 1 : delay_ns),
		.it_interval = timespec_from(interval_ns),
	};

	timerfd_settime(t->fd, 0, &when, NULL);
	t->is_set = true;
	t->is_periodic = interval_ns != 0;
}

void
loop_timer_cancel(struct loop_timer *t)
{
	struct itimerspec never = { 0 };

	timerfd_settime(t->fd, 0, &never, NULL);
	t->is_set = false;
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
	return t->is_set;
}

void
loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	loop_fd_remove(t->watch);
	close(t->fd);
	free(t);
}

static void
signals_read(uint32_t events, void *arg)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo < NSIG && l->on_signal[info.ssi_signo].fn != NULL)
			l->on_signal[info.ssi_signo].fn(
				(int)info.ssi_signo, l->on_signal[info.ssi_signo].arg);
}

int
loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg)
{
	int fd;

	sigaddset(&l->signals, signo);
	if (pthread_sigmask(SIG_BLOCK, &l->signals, NULL) != 0)
		return -EINVAL;
	fd = signalfd(l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	l->signal_fd = fd;
	l->on_signal[signo].fn = fn;
	l->on_signal[signo].arg = arg;
	if (l->signal_watch == NULL)
		l->signal_watch = loop_fd_add(l, fd, EPOLLIN, signals_read, l);
	return l->signal_watch == NULL ? -errno : 0;
}
