#include "control/resolve/resolve_life.h"

/* --- tries */

void
try_close(struct resolve *r, struct try *x)
{
	if (x->lookup != NULL)
		for (struct try **at = &x->lookup->tries; *at != NULL; at = &(*at)->next)
			if (*at == x) {
				*at = x->next;
				break;
			}
	r->config.transport.close(r->config.transport.arg, x->socket);
	x->upstream->n_open--;
	tries_remove(&r->tries, x);
}

void
tries_close(struct resolve *r, struct lookup *k)
{
	struct try *next;

	for (struct try *x = k->tries; x != NULL; x = next) {
		next = x->next;
		if (x->is_probe && x->place != 0)
			x->lookup = NULL;
		else
			try_close(r, x);
	}
	k->tries = NULL;
}

void
tries_close_all(struct resolve *r)
{
	for (unsigned i = 0; i < r->tries.n_new; i++)
		if (r->tries.all[i].upstream != NULL)
			try_close(r, &r->tries.all[i]);
}

/* --- look-ups */

void
resolve_release(struct resolve *r, struct lookup *k)
{
	struct lookup *dependent;

	while ((dependent = lookup_first_dependent(k)) != NULL) {
		lookup_undepend(dependent);
		resolve_wait(r, dependent);
	}
}

void
resolve_end(struct resolve *r, struct lookup *k)
{
	tries_close(r, k);
	resolve_release(r, k);
	lookups_remove(r->lookups, k);
}

void
resolve_settle(struct resolve *r, struct lookup *k)
{
	struct lookup *cut = k->cut;

	if (lookup_has_waiters(k) || lookup_first_dependent(k) != NULL || k->state == LOOKUP_ASKED)
		return;
	lookup_undepend(k);
	resolve_end(r, k);
	if (cut != NULL)
		resolve_settle(r, cut);
}

void
resolve_wait(struct resolve *r, struct lookup *k)
{
	k->state = LOOKUP_WAITS;
	for (struct waiter *w = lookup_first_waiter(k); w != NULL; w = lookup_next_waiter(k, w))
		turns_wait(r->lookups, w);
	if (!lookup_has_waiters(k))
		lookups_leave_alone(r->lookups, k);
}

void
resolve_note_failure(struct resolve *r, const struct lookup *k, uint64_t now_ns)
{
	if (!k->is_limited)
		failures_note(&r->failures, &k->key, now_ns);
}
