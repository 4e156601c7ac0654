#include "control/node/sweep.h"

#include <errno.h>
#include <unistd.h>

#include "control/node/attach.h"
#include "control/node/sockets.h"
#include "dataplane/worker.h"

/* Entries per worker_call(): the worker stands still meanwhile. */
#define AT_ONCE 64

struct batch {
	uint32_t cursor;
	unsigned n;
	struct nat_flow entries[AT_ONCE];
};

static void
copy_batch(struct worker *w, void *arg)
{
	struct batch *batch = arg;

	batch->n = nat_flows_copy_some(w->exceptions, &batch->cursor, batch->entries, AT_ONCE);
}

/* What was used since it was copied stays. */
static void
delete_batch(struct worker *w, void *arg)
{
	struct batch *batch = arg;
	unsigned deleted = 0;

	for (unsigned i = 0; i < batch->n; i++)
		deleted += nat_flows_delete(w->exceptions, &batch->entries[i]);
	batch->n = deleted;
}

/* Keeps only the entries that are to be ended. */
static void
judge_batch(struct batch *batch, uint64_t now_ns, sweep_ask *ask, void *arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < batch->n; i++) {
		const struct nat_flow *x = &batch->entries[i];

		if (x->proto != PROTO_TCP || x->last_seen_ns + SWEEP_QUIET_NS > now_ns || ask(x, arg) != 0)
			continue;
		if (n != i)
			batch->entries[n] = *x;
		n++;
	}
	batch->n = n;
}

unsigned
sweep_worker(struct worker *w, uint64_t now_ns, sweep_ask *ask, void *arg)
{
	struct batch batch = { 0 };
	unsigned ended = 0;

	if (w->exceptions == NULL)
		return 0;
	for (;;) {
		worker_call(w, copy_batch, &batch);
		if (batch.n == 0)
			return ended;
		judge_batch(&batch, now_ns, ask, arg);
		if (batch.n != 0)
			worker_call(w, delete_batch, &batch);
		ended += batch.n;
	}
}

void
sweep_views_init(struct sweep_views *v, const struct attach *attach)
{
	*v = (struct sweep_views){ .attach = attach, .view = -1 };
}

void
sweep_views_fini(struct sweep_views *v)
{
	if (v->view >= 0)
		close(v->view);
	v->view = -1;
}

struct search {
	const struct ip_addr *addr;
	const char *netns; /* NULL: no pod has the address */
};

static void
match_pod(const struct attached *pod, void *arg)
{
	struct search *search = arg;

	for (unsigned family = 0; family < N_FAMILIES; family++)
		if (ip_addr_eq(&pod->record.addrs[family], search->addr))
			search->netns = pod->record.netns;
}

int
sweep_ask_client(const struct nat_flow *x, void *arg)
{
	struct sweep_views *v = arg;

	if (!ip_addr_eq(&v->client, &x->client)) {
		struct search search = { .addr = &x->client };

		sweep_views_fini(v);
		attach_each(v->attach, match_pod, &search);
		v->view = sockets_open(search.netns);
		v->client = x->client;
	}
	if (v->view < 0)
		return v->view;
	return sockets_has_tcp(v->view, &x->client, x->client_port, &x->frontend, x->frontend_port);
}
