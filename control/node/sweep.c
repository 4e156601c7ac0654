#include "control/node/sweep.h"

#include <errno.h>
#include <unistd.h>

#include "control/build/slots.h"
#include "control/node/attach.h"
#include "control/node/sockets.h"
#include "dataplane/worker.h"

/* Entries per worker_call(): the worker stands still meanwhile. */
#define AT_ONCE 64

struct batch {
	struct nat_flows *flows;
	uint32_t cursor;
	unsigned n;
	struct nat_flow entries[AT_ONCE];
};

static void
copy_batch(struct worker *w, void *arg)
{
	struct batch *batch = arg;

	batch->n = nat_flows_copy_some(batch->flows, &batch->cursor, batch->entries, AT_ONCE);
}

/* What was used since it was copied stays. */
static void
delete_batch(struct worker *w, void *arg)
{
	struct batch *batch = arg;
	unsigned deleted = 0;

	for (unsigned i = 0; i < batch->n; i++)
		deleted += nat_flows_delete(batch->flows, &batch->entries[i]);
	batch->n = deleted;
}

/* Datagrams age by themselves, but for those of connected sockets. */
static bool
lives_with_socket(const struct nat_flow *x)
{
	return x->proto == PROTO_TCP || (x->flags & NAT_FLOW_CONNECTED);
}

/* Keeps only the entries that are to be ended. */
static void
judge_batch(struct batch *batch, uint64_t now_ns, sweep_ask *ask, sweep_stay *stay, void *arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < batch->n; i++) {
		const struct nat_flow *x = &batch->entries[i];

		if (!lives_with_socket(x) || x->last_seen_ns + SWEEP_QUIET_NS > now_ns || ask(x, arg) != 0) {
			if (stay != NULL)
				stay(x, arg);
			continue;
		}
		if (n != i)
			batch->entries[n] = *x;
		n++;
	}
	batch->n = n;
}

static unsigned
sweep_table(struct worker *w, struct nat_flows *flows, uint64_t now_ns, sweep_ask *ask, sweep_stay *stay,
	void *arg)
{
	struct batch batch = { .flows = flows };
	unsigned ended = 0;

	if (flows == NULL)
		return 0;
	for (;;) {
		worker_call(w, copy_batch, &batch);
		if (batch.n == 0)
			return ended;
		judge_batch(&batch, now_ns, ask, stay, arg);
		if (batch.n != 0)
			worker_call(w, delete_batch, &batch);
		ended += batch.n;
	}
}

unsigned
sweep_worker(struct worker *w, uint64_t now_ns, sweep_ask *ask, sweep_stay *stay, void *arg)
{
	/* masqueraded flows say nothing of slots */
	return sweep_table(w, w->exceptions, now_ns, ask, stay, arg) +
	       sweep_table(w, w->outbound, now_ns, ask, NULL, arg);
}

void
sweep_views_init(struct sweep_views *v, const struct attach *attach, struct slots *slots, uint64_t now_ns)
{
	*v = (struct sweep_views){ .attach = attach, .slots = slots, .now_ns = now_ns, .view = -1 };
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

struct datagrams {
	const struct nat_flow *x;
	bool found;
};

static void
match_socket(const struct socket_seen *socket, void *arg)
{
	struct datagrams *d = arg;

	d->found |=
		socket->remote_port == d->x->frontend_port && ip_addr_eq(&socket->remote, &d->x->frontend);
}

static int
has_udp(int view, const struct nat_flow *x)
{
	struct sockets_wanted wanted = { PROTO_UDP, SOCKETS_ALL, x->client_port };
	struct datagrams d = { .x = x };
	int result = sockets_each(view, &wanted, match_socket, &d);

	return result < 0 ? result : d.found;
}

void
sweep_touch_slot(const struct nat_flow *x, void *arg)
{
	const struct sweep_views *v = arg;

	slots_touch(
		v->slots, &x->backend, x->backend_port, x->proto, &x->frontend, x->frontend_port, v->now_ns);
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
	if (x->proto == PROTO_UDP)
		return has_udp(v->view, x);
	return sockets_has_tcp(v->view, &x->client, x->client_port, &x->frontend, x->frontend_port);
}
