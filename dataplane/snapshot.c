#include "dataplane/snapshot.h"

#include <rte_rcu_qsbr.h>
#include <stdlib.h>

struct snapshot {
	const struct tables *current; /* control stores with release, workers load with acquire */
	struct rte_rcu_qsbr *readers;
};

struct snapshot *
snapshot_new(unsigned n_workers)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	size_t size = rte_rcu_qsbr_get_memsize(n_workers);

	if (s == NULL)
		return NULL;
	s->readers = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_CACHE_LINE_ROUNDUP(size));
	if (s->readers == NULL || rte_rcu_qsbr_init(s->readers, n_workers) != 0) {
		snapshot_free(s);
		return NULL;
	}
	for (unsigned i = 0; i < n_workers; i++)
		rte_rcu_qsbr_thread_register(s->readers, i);
	return s;
}

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	free(s->readers);
	free(s);
}

const struct tables *
snapshot_get(const struct snapshot *s)
{
	return __atomic_load_n(&s->current, __ATOMIC_ACQUIRE);
}

void
snapshot_quiesce(struct snapshot *s, unsigned worker)
{
	rte_rcu_qsbr_quiescent(s->readers, worker);
}

void
snapshot_offline(struct snapshot *s, unsigned worker)
{
	rte_rcu_qsbr_thread_offline(s->readers, worker);
}

void
snapshot_online(struct snapshot *s, unsigned worker)
{
	rte_rcu_qsbr_thread_online(s->readers, worker);
}

const struct tables *
snapshot_publish(struct snapshot *s, const struct tables *next, uint64_t *grace)
{
	const struct tables *old = __atomic_exchange_n(&s->current, next, __ATOMIC_ACQ_REL);

	*grace = rte_rcu_qsbr_start(s->readers);
	return old;
}

uint64_t
snapshot_retire(struct snapshot *s)
{
	return rte_rcu_qsbr_start(s->readers);
}

bool
snapshot_is_over(struct snapshot *s, uint64_t grace)
{
	return rte_rcu_qsbr_check(s->readers, grace, false) == 1;
}

void
snapshot_wait(struct snapshot *s, uint64_t grace)
{
	rte_rcu_qsbr_check(s->readers, grace, true);
}
