#include "control/resolve/upstream.h"

#include <string.h>

#include "control/loop.h"

/* Of a server that has not answered yet. */
#define PATIENCE_NS (400 * NS_PER_MS)
/* A server that answers in a millisecond has to ask others for some names. */
#define PATIENCE_MIN_NS (250 * NS_PER_MS)
#define PATIENCE_MAX_NS (1500 * NS_PER_MS)

#define SILENT_MAX 3
#define SILENT_NS NS_PER_S

#define PROBE_FIRST_NS NS_PER_S
#define PROBE_MAX_NS (30 * NS_PER_S)

/* Servers that differ by less are as good as each other: the load is to be shared. */
#define ALIKE_NS (2 * NS_PER_MS)
#define AGAIN_NS (60 * NS_PER_S)

static struct upstream *
room(struct upstreams *u)
{
	struct upstream *oldest = NULL;

	if (u->n < UPSTREAMS_MAX)
		return &u->all[u->n++];
	for (unsigned i = 0; i < u->n; i++)
		if (u->all[i].n_open == 0 && (oldest == NULL || u->all[i].asked_ns < oldest->asked_ns))
			oldest = &u->all[i];
	return oldest;
}

struct upstream *
upstreams_get(struct upstreams *u, const struct dns_server *server, uint64_t now_ns)
{
	struct upstream *up;

	for (unsigned i = 0; i < u->n; i++)
		if (u->all[i].server.port == server->port &&
			ip_addr_eq(&u->all[i].server.addr, &server->addr))
			return &u->all[i];
	up = room(u);
	if (up != NULL)
		*up = (struct upstream){ .server = *server, .asked_ns = now_ns };
	return up;
}

static void
recover(struct upstream *up)
{
	up->n_silent = 0;
	up->silent_since_ns = up->failing_since_ns = 0;
	up->probe_at_ns = up->probe_wait_ns = 0;
}

void
upstream_answered(struct upstream *up, uint64_t rtt_ns, uint64_t now_ns)
{
	if (up->srtt_ns == 0) {
		up->srtt_ns = rtt_ns;
		up->rttvar_ns = rtt_ns / 2;
	} else {
		uint64_t off = rtt_ns > up->srtt_ns ? rtt_ns - up->srtt_ns : up->srtt_ns - rtt_ns;

		up->rttvar_ns = (3 * up->rttvar_ns + off) / 4;
		up->srtt_ns = (7 * up->srtt_ns + rtt_ns) / 8;
	}
	up->answered_ns = now_ns;
	up->n_answers++;
	recover(up);
}

static void
fail(struct upstream *up, uint64_t now_ns)
{
	if (up->failing_since_ns != 0)
		return;
	up->failing_since_ns = now_ns;
	up->probe_wait_ns = PROBE_FIRST_NS;
	up->probe_at_ns = now_ns + up->probe_wait_ns;
}

void
upstream_silent(struct upstream *up, uint64_t asked_ns, uint64_t now_ns)
{
	up->n_silences++;
	if (asked_ns < up->answered_ns) /* it lives: this one query was lost, or is hard */
		return;
	if (up->n_silent++ == 0)
		up->silent_since_ns = asked_ns;
	if (up->n_silent >= SILENT_MAX && now_ns - up->silent_since_ns >= SILENT_NS)
		fail(up, now_ns);
}

void
upstream_unreachable(struct upstream *up, uint64_t now_ns)
{
	up->n_silences++;
	fail(up, now_ns);
}

uint64_t
upstream_patience_ns(const struct upstream *up)
{
	uint64_t patience = up->srtt_ns + 4 * up->rttvar_ns;

	if (up->srtt_ns == 0)
		return PATIENCE_NS;
	if (patience < PATIENCE_MIN_NS)
		return PATIENCE_MIN_NS;
	return patience < PATIENCE_MAX_NS ? patience : PATIENCE_MAX_NS;
}

static bool
is_avoided(const struct upstream *up, struct upstream *const *avoided, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (avoided[i] == up)
			return true;
	return false;
}

/* The fastest one; one whose speed is not known is to be tried. */
static uint64_t
fastest_ns(struct upstream *const *ups, unsigned n)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < n; i++)
		if (ups[i]->srtt_ns < best)
			best = ups[i]->srtt_ns;
	return best;
}

/* The servers that may be asked now; of those that do not fail, if there are any. */
static unsigned
list_candidates(struct upstreams *u, const struct dns_forward *forward, struct upstream *const *avoided,
	unsigned n_avoided, uint64_t now_ns, struct upstream *ups[static DNS_UPSTREAMS_MAX])
{
	unsigned n = 0, n_well = 0;

	for (unsigned i = 0; i < forward->n; i++) {
		struct upstream *up = upstreams_get(u, &forward->servers[i], now_ns);

		if (up != NULL && !is_avoided(up, avoided, n_avoided))
			ups[n++] = up;
	}
	for (unsigned i = 0; i < n; i++)
		if (ups[i]->failing_since_ns == 0)
			ups[n_well++] = ups[i];
	return n_well != 0 ? n_well : n;
}

struct upstream *
upstreams_choose(struct upstreams *u, const struct dns_forward *forward, struct upstream *const *avoided,
	unsigned n_avoided, struct entropy *entropy, uint64_t now_ns)
{
	struct upstream *ups[DNS_UPSTREAMS_MAX];
	unsigned n = list_candidates(u, forward, avoided, n_avoided, now_ns, ups), n_fast = 0;
	uint64_t best = fastest_ns(ups, n);

	/* a slow one is given another chance once in a while: whatever slowed it down may be over */
	for (unsigned i = 0; i < n; i++)
		if (ups[i]->srtt_ns <= 2 * best + ALIKE_NS || ups[i]->asked_ns + AGAIN_NS < now_ns)
			ups[n_fast++] = ups[i];
	return n_fast == 0 ? NULL : ups[entropy_below(entropy, n_fast)];
}

struct upstream *
upstreams_due(struct upstreams *u, const struct dns_forward *forward, uint64_t now_ns)
{
	for (unsigned i = 0; i < forward->n; i++) {
		struct upstream *up = upstreams_get(u, &forward->servers[i], now_ns);

		if (up == NULL || up->failing_since_ns == 0 || now_ns < up->probe_at_ns)
			continue;
		up->probe_wait_ns =
			2 * up->probe_wait_ns < PROBE_MAX_NS ? 2 * up->probe_wait_ns : PROBE_MAX_NS;
		up->probe_at_ns = now_ns + up->probe_wait_ns;
		return up;
	}
	return NULL;
}
