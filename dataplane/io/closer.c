#include "dataplane/io/closer.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/io/xsk.h"

#define STACK_SIZE 65536

struct closer {
	int event_fd;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t idle;  /* the last thread ended */
	unsigned n_threads;
	struct xsk *open, *closed; /* linked by their 'next' */
};

/* Waits until no packet that found the socket before it left its map is still being received. A kernel with
 * nohz_full CPUs does not offer this; there, much longer than a packet takes has to do. */
static void
wait_for_grace(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(50000);
}

static void *
close_all(void *arg)
{
	struct closer *c = arg;
	uint64_t one = 1;
	bool is_shared;

	pthread_mutex_lock(&c->lock);
	while (c->open != NULL) {
		struct xsk *x = c->open;

		c->open = x->next;
		pthread_mutex_unlock(&c->lock);
		is_shared = x->is_shared;
		xsk_close(x);
		if (is_shared)
			wait_for_grace();
		pthread_mutex_lock(&c->lock);
		x->next = c->closed;
		c->closed = x;
		if (write(c->event_fd, &one, sizeof(one)) < 0)
			continue; /* its counter is full: control is awake already */
	}
	if (--c->n_threads == 0)
		pthread_cond_broadcast(&c->idle);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int
closer_new(struct closer **out)
{
	struct closer *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->event_fd < 0) {
		int err = -errno;

		free(c);
		return err;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->idle, NULL);
	*out = c;
	return 0;
}

void
closer_free(struct closer *c)
{
	if (c == NULL)
		return;
	closer_wait(c);
	while (closer_take(c) != NULL)
		;
	pthread_cond_destroy(&c->idle);
	pthread_mutex_destroy(&c->lock);
	close(c->event_fd);
	free(c);
}

/* One more thread for what waits, if there may be one. */
static bool
start_thread(struct closer *c)
{
	pthread_attr_t detached;
	pthread_t thread;
	int err;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, STACK_SIZE);
	err = pthread_create(&thread, &detached, close_all, c);
	pthread_attr_destroy(&detached);
	return err == 0;
}

void
closer_add(struct closer *c, struct xsk *x, bool is_shared)
{
	bool starts;

	x->is_shared = is_shared;
	pthread_mutex_lock(&c->lock);
	x->next = c->open;
	c->open = x;
	starts = c->n_threads < CLOSER_THREADS;
	c->n_threads += starts;
	pthread_mutex_unlock(&c->lock);
	/* without a thread it takes 13 ms of the caller's time */
	if (starts && !start_thread(c))
		close_all(c);
}

struct xsk *
closer_take(struct closer *c)
{
	struct xsk *x;
	uint64_t events;

	pthread_mutex_lock(&c->lock);
	x = c->closed;
	if (x != NULL) {
		c->closed = x->next;
	} else if (read(c->event_fd, &events, sizeof(events)) < 0) {
		events = 0; /* nothing was closed since the last time */
	}
	pthread_mutex_unlock(&c->lock);
	return x;
}

void
closer_wait(struct closer *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->n_threads != 0)
		pthread_cond_wait(&c->idle, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

int
closer_fd(const struct closer *c)
{
	return c->event_fd;
}
