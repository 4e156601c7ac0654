#include "control/node/sweep.h"

#include <stdlib.h>

#include "dataplane/worker.h"

/* The tables of a worker that are swept. Masqueraded flows say nothing of slots. */
enum {
	EXCEPTIONS,
	OUTBOUND,
	N_TABLES,
};

static struct nat_flows *
table_of(const struct worker *w, unsigned table)
{
	return table == EXCEPTIONS ? w->exceptions : w->outbound;
}

struct copy {
	struct sweep *sweep;
	bool is_more; /* in this table */
};

static void
copy_some(struct worker *w, void *arg)
{
	struct copy *copy = arg;
	struct sweep *s = copy->sweep;
	const struct nat_flows *e = table_of(w, s->table);
	unsigned n;

	copy->is_more = !nat_flows_is_empty(e) &&
			nat_flows_copy_some(e, &s->cursor, &s->entries[s->n], SWEEP_AT_ONCE, &n);
	if (copy->is_more)
		s->n += n;
}

/* Datagrams age by themselves, but for those of connected sockets. */
static bool
is_asked_about(const struct nat_flow *x, uint64_t now_ns)
{
	return (x->proto == PROTO_TCP || (x->flags & NAT_FLOW_CONNECTED)) &&
	       x->last_seen_ns + SWEEP_QUIET_NS <= now_ns;
}

static int
compare_clients(const void *a, const void *b)
{
	const struct nat_flow *x = a, *y = b;

	return memcmp(&x->client, &y->client, sizeof(x->client));
}

/* Leaves those that are to be asked about, by client. */
static void
sort_out(struct sweep *s, sweep_stay *stay, void *arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (is_asked_about(&s->entries[i], s->now_ns))
			s->entries[n++] = s->entries[i];
		else if (stay != NULL && s->table == EXCEPTIONS)
			stay(&s->entries[i], arg);
	}
	s->n = n;
	s->next = 0;
	qsort(s->entries, n, sizeof(s->entries[0]), compare_clients);
	s->is_copied = true;
}

/* Some more of a chunk; a chunk is of one table. */
static void
copy_step(struct sweep *s, struct worker *w, sweep_stay *stay, void *arg)
{
	struct copy copy = { .sweep = s };

	worker_call(w, copy_some, &copy);
	if (!copy.is_more || s->n + SWEEP_AT_ONCE > SWEEP_CHUNK)
		sort_out(s, stay, arg);
	if (!copy.is_more)
		s->cursor = UINT32_MAX;
}

struct gone {
	struct nat_flows *flows;
	unsigned n, n_ended;
	struct nat_flow entries[SWEEP_AT_ONCE];
};

/* What was used since it was copied stays. */
static void
delete_gone(struct worker *w, void *arg)
{
	struct gone *gone = arg;

	for (unsigned i = 0; i < gone->n; i++)
		gone->n_ended += nat_flows_delete(gone->flows, &gone->entries[i]);
}

static void
ask_step(struct sweep *s, struct worker *w, sweep_ask *ask, sweep_stay *stay, void *arg)
{
	struct gone gone = { .flows = table_of(w, s->table) };

	for (unsigned i = 0; i < SWEEP_AT_ONCE && s->next < s->n; i++) {
		const struct nat_flow *x = &s->entries[s->next++];

		if (ask(x, arg) == 0)
			gone.entries[gone.n++] = *x;
		else if (stay != NULL && s->table == EXCEPTIONS)
			stay(x, arg);
	}
	if (gone.n != 0)
		worker_call(w, delete_gone, &gone);
	s->n_ended += gone.n_ended;
}

void
sweep_begin(struct sweep *s, uint64_t now_ns)
{
	s->now_ns = now_ns;
	s->n_ended = s->worker = s->table = s->n = s->next = 0;
	s->cursor = 0;
	s->is_copied = false;
}

/* Behind a chunk: what comes next. */
static void
go_on(struct sweep *s)
{
	s->is_copied = false;
	s->n = 0;
	if (s->cursor != UINT32_MAX)
		return;
	s->cursor = 0;
	if (++s->table == N_TABLES) {
		s->table = 0;
		s->worker++;
	}
}

bool
sweep_step(struct sweep *s, struct worker *const *workers, unsigned n, sweep_ask *ask, sweep_stay *stay,
	void *arg)
{
	if (s->worker == n)
		return false;
	if (!s->is_copied)
		copy_step(s, workers[s->worker], stay, arg);
	else if (s->next < s->n)
		ask_step(s, workers[s->worker], ask, stay, arg);
	if (s->is_copied && s->next == s->n)
		go_on(s);
	return true;
}
