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

static bool
is_quiet_for(const struct nat_flow *x, uint64_t limit_ns, uint64_t now_ns)
{
	return x->last_seen_ns + limit_ns <= now_ns;
}

/* Of TCP: it stands, and whether its client has a socket is not known. */
static bool
is_unseen(const struct nat_flow *x)
{
	return x->proto == PROTO_TCP && (x->flags & NAT_FLOW_STANDS) &&
	       !(x->flags & (NAT_FLOW_SOCKET | NAT_FLOW_CLOSED));
}

/* One that nobody has ended, as far as it shows, and that two ends have part in. What a client sends last, or sends although
 * nothing is there, can make an entry, too, but brings no answer. */
static bool
is_in_use(const struct nat_flow *x)
{
	return (x->flags & (NAT_FLOW_HEARD | NAT_FLOW_FIN_FORWARD | NAT_FLOW_FIN_REVERSE)) == NAT_FLOW_HEARD;
}

/* Datagrams age by themselves, but for those of connected sockets. */
static bool
is_asked_about(const struct nat_flow *x, uint64_t now_ns)
{
	if (is_unseen(x))
		return true;
	return (x->proto == PROTO_TCP || (x->flags & NAT_FLOW_CONNECTED)) &&
	       is_quiet_for(x, SWEEP_QUIET_NS, now_ns);
}

/* Whether an entry tells that its client has sockets which its kernel does not show. One that is not in use does not, nor
 * one that was used just now: its socket may have gone meanwhile. */
static bool
is_hidden(const struct nat_flow *x, uint64_t now_ns)
{
	return is_unseen(x) && is_in_use(x) && is_quiet_for(x, SWEEP_QUIET_NS, now_ns);
}

/* Whether an entry ends, of which no socket is there. One of datagrams was made for a socket. */
static bool
is_over(const struct nat_flow *x, uint64_t now_ns)
{
	uint64_t limit_ns = SWEEP_QUIET_NS;

	if (is_unseen(x))
		limit_ns = is_in_use(x) ? NAT_FLOW_UNSEEN_IDLE_NS : NAT_FLOW_UNSEEN_TRANSITORY_IDLE_NS;
	return is_quiet_for(x, limit_ns, now_ns);
}

static int
compare_clients(const void *a, const void *b)
{
	const struct nat_flow *x = a, *y = b;

	return memcmp(&x->client, &y->client, sizeof(x->client));
}

static void
tell_stays(const struct sweep *s, const struct sweep_calls *calls, const struct nat_flow *x)
{
	if (calls->stays != NULL && s->table == EXCEPTIONS)
		calls->stays(x, calls->arg);
}

/* Leaves those that are to be asked about, by client. */
static void
sort_out(struct sweep *s, const struct sweep_calls *calls)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (is_asked_about(&s->entries[i], s->now_ns))
			s->entries[n++] = s->entries[i];
		else
			tell_stays(s, calls, &s->entries[i]);
	}
	s->n = n;
	s->next = 0;
	qsort(s->entries, n, sizeof(s->entries[0]), compare_clients);
	s->is_copied = true;
}

/* Some more of a chunk; a chunk is of one table. */
static void
copy_step(struct sweep *s, struct worker *w, const struct sweep_calls *calls)
{
	struct copy copy = { .sweep = s };

	worker_call(w, copy_some, &copy);
	if (!copy.is_more || s->n + SWEEP_AT_ONCE > SWEEP_CHUNK)
		sort_out(s, calls);
	if (!copy.is_more)
		s->cursor = UINT32_MAX;
}

/* What the answers say of some entries. */
struct answers {
	struct nat_flows *flows;
	unsigned n, n_ended;
	struct answer {
		const struct nat_flow *x;
		bool is_gone; /* or else its socket is there */
	} entries[SWEEP_AT_ONCE];
};

/* What was used since it was copied stays. */
static void
apply(struct worker *w, void *arg)
{
	struct answers *a = arg;

	for (unsigned i = 0; i < a->n; i++) {
		const struct answer *answer = &a->entries[i];

		if (answer->is_gone)
			a->n_ended += nat_flows_delete(a->flows, answer->x);
		else
			nat_flows_note_socket(a->flows, answer->x);
	}
}

static void
ask_step(struct sweep *s, struct worker *w, const struct sweep_calls *calls)
{
	struct answers answers = { .flows = table_of(w, s->table) };

	for (unsigned i = 0; i < SWEEP_AT_ONCE && s->next < s->n; i++) {
		const struct nat_flow *x = &s->entries[s->next++];
		int result = calls->ask(x, calls->arg);
		bool is_gone = result == 0 && is_over(x, s->now_ns);

		if (is_gone || (result > 0 && x->proto == PROTO_TCP && !(x->flags & NAT_FLOW_SOCKET)))
			answers.entries[answers.n++] = (struct answer){ x, is_gone };
		if (!is_gone)
			tell_stays(s, calls, x);
		if (result == 0 && calls->unseen != NULL && is_hidden(x, s->now_ns))
			calls->unseen(x, calls->arg);
	}
	if (answers.n != 0)
		worker_call(w, apply, &answers);
	s->n_ended += answers.n_ended;
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
sweep_step(struct sweep *s, struct worker *const *workers, unsigned n, const struct sweep_calls *calls)
{
	if (s->worker == n)
		return false;
	if (!s->is_copied)
		copy_step(s, workers[s->worker], calls);
	else if (s->next < s->n)
		ask_step(s, workers[s->worker], calls);
	if (s->is_copied && s->next == s->n)
		go_on(s);
	return true;
}
