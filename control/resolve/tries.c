#include "control/resolve/tries.h"

struct try *
tries_add(struct tries *t)
{
	struct try *x;

	if (!tries_has_room(t))
		return NULL;
	x = t->n_free > 0 ? t->free[--t->n_free] : &t->all[t->n_new++];
	*x = (struct try){ 0 };
	return x;
}

void
tries_remove(struct tries *t, struct try *x)
{
	tries_untime(t, x);
	x->upstream = NULL;
	t->free[t->n_free++] = x;
}

static void
put(struct tries *t, uint32_t place, struct try *x)
{
	t->due[place] = x;
	x->place = place;
}

static void
rise(struct tries *t, uint32_t place, struct try *x)
{
	for (; place > 1 && t->due[place / 2]->due_ns > x->due_ns; place /= 2)
		put(t, place, t->due[place / 2]);
	put(t, place, x);
}

static void
sink(struct tries *t, uint32_t place, struct try *x)
{
	for (uint32_t child; (child = 2 * place) <= t->n_due; place = child) {
		if (child < t->n_due && t->due[child + 1]->due_ns < t->due[child]->due_ns)
			child++;
		if (x->due_ns <= t->due[child]->due_ns)
			break;
		put(t, place, t->due[child]);
	}
	put(t, place, x);
}

void
tries_time(struct tries *t, struct try *x, uint64_t due_ns)
{
	tries_untime(t, x);
	x->due_ns = due_ns;
	rise(t, ++t->n_due, x);
}

void
tries_untime(struct tries *t, struct try *x)
{
	uint32_t place = x->place;
	struct try *last;

	if (place == 0)
		return;
	x->place = 0;
	last = t->due[t->n_due--];
	if (last == x)
		return;
	if (place > 1 && t->due[place / 2]->due_ns > last->due_ns)
		rise(t, place, last);
	else
		sink(t, place, last);
}
