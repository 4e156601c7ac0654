/* The control thread's event loop, on epoll: descriptors, timers, signals, and work that is deferred to the end of the
 * current round so that a burst of changes is handled once. Callbacks run one at a time and must not block. A callback
 * may add and remove anything, itself included: what was removed is never called again. One thread. */
#ifndef RINGWAY_LOOP_H
#define RINGWAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "dataplane/clock.h"

struct loop;
struct loop_fd;
struct loop_timer;

/* NULL with errno set. Freeing closes timers and signals; descriptors belong to those who added them. All timers and
 * descriptors must have been removed before. NULL is fine. */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Runs until loop_stop(). 0, or -errno when epoll fails. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* One round: waits at most timeout_ms (-1: for ever; 0: not at all), calls what is due, then what was deferred. Returns
 * the number of events, or -errno. For loop_run() and tests. */
int loop_round(struct loop *l, int timeout_ms);

/* Calls fn when fd has one of these events (EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP always). NULL with errno set. */
struct loop_fd *loop_fd_add(
	struct loop *l, int fd, uint32_t events, void (*fn)(uint32_t events, void *arg), void *arg);
int loop_fd_modify(struct loop_fd *f, uint32_t events);

/* Before the descriptor is closed. NULL is fine. */
void loop_fd_remove(struct loop_fd *f);

/* A timer that does not run yet. NULL with errno set. */
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);

/* First in delay_ns (0: at once), then every interval_ns (0: never again); replaces what was set before. */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ns, uint64_t interval_ns);
void loop_timer_cancel(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/* Blocks the signal for this thread, and those it starts from now on, and calls fn instead. 0 or -errno. */
int loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg);

/* Work to do once at the end of the round. The caller owns the struct and keeps it until it ran or was cancelled. */
struct loop_task {
	void (*fn)(void *arg);
	void *arg;
	bool is_pending;
	struct loop_task *next;
};

/* Does nothing when it is pending already. Deferred from within deferred work: the next round, which does not wait. */
void loop_defer(struct loop *l, struct loop_task *task);
void loop_cancel(struct loop *l, struct loop_task *task);

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

#endif
