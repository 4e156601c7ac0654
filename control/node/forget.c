#include "control/node/forget.h"

#include "dataplane/engine.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/worker.h"

#define ENDS_AT_ONCE 16
#define ENTRIES_AT_ONCE 4096 /* the worker stands still meanwhile */

struct forget {
	const struct backend_end *ends;
	unsigned n;
	unsigned table; /* of the worker's */
	uint32_t cursor;
};

static void
forget_some(struct worker *w, void *arg)
{
	struct forget *x = arg;
	struct nat_flows *const tables[] = { w->exceptions, w->inbound, w->half_open };
	struct nat_flows *e = x->table < 3 ? tables[x->table] : NULL;

	if (!nat_flows_is_empty(e) && nat_flows_delete_ended(e, &x->cursor, ENTRIES_AT_ONCE, x->ends, x->n))
		return;
	x->table++;
	x->cursor = 0;
}

void
flows_forget(struct engine *engine, const struct backend_end *ends, size_t n)
{
	for (size_t i = 0; i < n; i += ENDS_AT_ONCE)
		for (unsigned w = 0; w < engine_n_workers(engine); w++) {
			struct forget x = { .ends = &ends[i],
				.n = (unsigned)(n - i < ENDS_AT_ONCE ? n - i : ENDS_AT_ONCE) };

			while (x.table < 3)
				worker_call(engine_worker(engine, w), forget_some, &x);
		}
}
