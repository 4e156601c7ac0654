#include "dataplane/events.h"

#include <stdlib.h>
#include <unistd.h>

#include "dataplane/spsc_ring.h"

/* What control has not heard yet. */
#define DEPTH 256

struct events {
	int fd;
	struct rte_ring *ring; /* struct event */
};

struct events *
events_new(int fd)
{
	struct events *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->fd = fd;
	e->ring = spsc_ring_new("events", sizeof(struct event), DEPTH);
	if (e->ring == NULL) {
		events_free(e);
		return NULL;
	}
	return e;
}

void
events_free(struct events *e)
{
	if (e == NULL)
		return;
	free(e->ring);
	free(e);
}

void
events_put(struct events *e, const struct event *event)
{
	uint64_t one = 1;

	if (e == NULL || rte_ring_sp_enqueue_elem(e->ring, (void *)event, sizeof(*event)) != 0)
		return;
	if (write(e->fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: control is awake already */
}

bool
events_take(struct events *e, struct event *event)
{
	return rte_ring_sc_dequeue_elem(e->ring, event, sizeof(*event)) == 0;
}
