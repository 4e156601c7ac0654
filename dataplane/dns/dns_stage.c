/* DNS queries of pods and of the host's stack to the cluster's DNS service (dns_table.h): the cluster's names are answered here, in
 * the query's own frame; for others see dns_outside.c. All else goes on as traffic of the service, as if nobody had looked: what is
 * odd about a query (dns_query.h), fragments, TCP, and all queries as long as the zone is not there.
 *
 * A pod gets no answer that its policies keep from it: they are asked as if the query went to one of the service's endpoints. What
 * they deny goes on, too, and policy_stage.c drops and names it as anything else.
 *
 * In shadow mode all queries go on so, and a few are copied on the way (dns_shadow.h).
 *
 * Tables of names are larger than the cache, so queries go through each step in groups. */
#include "dataplane/dns/dns_asking.h"
#include "dataplane/dns/dns_cache.h"
#include "dataplane/dns/dns_complete.h"
#include "dataplane/dns/dns_headers.h"
#include "dataplane/dns/dns_outside.h"
#include "dataplane/dns/dns_reply.h"
#include "dataplane/dns/dns_shadow.h"
#include "dataplane/io/umem.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* Of what may follow the question: OPT with a cookie, padding or a client's subnet. */
#define TAIL_MAX 256

#define GROUP 16

struct group {
	unsigned n;
	struct asking asking[GROUP];
};

/* The address and port whose policies count: an endpoint of the service, or what was asked when none is known. */
static struct dns_server
backend_of(const struct dns_table *t, const struct pkt *p)
{
	unsigned family = p->family == 4 ? V4 : V6, n = t->backends[family].n;

	if (n == 0)
		return (struct dns_server){ p->dst, p->dport };
	return t->backends[family].servers[(uint64_t)p->hash * n >> 32];
}

static bool
may_ask(struct asking *a)
{
	if (a->tables->policies == NULL) {
		a->opinion.candidate.flow.pod = NULL;
		return true;
	}
	a->backend = backend_of(a->tables->dns, a->pkt);
	return policy_lets_send(a->tables->policies, a->pkt, &a->backend.addr, a->backend.port, &a->opinion);
}

static void
open_query(struct asking *a)
{
	const struct pkt *p = a->pkt;
	const struct endpoint *ep = endpoint_of_port(a->tables->endpoints, p->in_port);
	const struct udp_hdr *udp = (const struct udp_hdr *)(p->data + p->l4_off);
	unsigned headers = dns_headers_size(p->family, sizeof(*udp));

	a->payload = (uint8_t *)(udp + 1);
	a->size = be16_host(udp->len) - sizeof(*udp);
	a->room = p->umem->frame_size - umem_space_before(p->umem, a->payload);
	if (ep == NULL || ep->mtu < headers)
		a->room = 0;
	else if (a->room > ep->mtu - headers)
		a->room = ep->mtu - headers;
}

/* Who answers other names than the cluster's. */
static bool
has_resolver(const struct asking *a)
{
	return a->tables->dns->cache != NULL && a->worker->dns_rings != NULL;
}

/* DNS_PASS: what was asked is all that is answered. */
static enum dns_verdict
complete(struct asking *a, struct dns_reply *reply)
{
	const struct dns_table *t = a->tables->dns;
	enum dns_verdict verdict;

	if (t->namespaces == NULL)
		return DNS_PASS;
	verdict = dns_complete(t, a->pkt->in_port, &a->query, a->payload, a->room, asking_rotation(a),
		a->worker->now_ns, reply);
	a->is_completed = verdict != DNS_PASS;
	if (verdict == DNS_ANSWERED)
		asking_settle(a, DNS_AUTHORITY, reply);
	return verdict;
}

static void
answer_from_zone(struct asking *a, enum dns_verdict *verdict, struct dns_reply *reply)
{
	*verdict = dns_answer_guessed(
		a->tables->dns->zone, &a->query, a->node, a->payload, a->room, asking_rotation(a), reply);
	if (*verdict == DNS_ANSWERED)
		asking_settle(a, DNS_AUTHORITY, reply);
}

/* The cluster's names alone: an answer that leaves the zone has written over a query that is to go on as it came. */
static void
answer_without_resolver(struct asking *a)
{
	size_t tail = a->size - a->query.end;
	uint8_t saved[TAIL_MAX];
	enum dns_verdict verdict;
	struct dns_reply reply;

	if (tail > sizeof(saved)) {
		asking_pass(a, "its options are too long");
		return;
	}
	memcpy(saved, a->payload + a->query.end, tail);
	answer_from_zone(a, &verdict, &reply);
	if (verdict == DNS_LEAVES) {
		memcpy(a->payload, a->header, sizeof(a->header));
		memcpy(a->payload + a->query.end, saved, tail);
	}
	if (verdict != DNS_ANSWERED)
		asking_pass(a, "its name is not the cluster's, or leads out of it");
}

static void
answer(struct asking *a)
{
	enum dns_verdict verdict;
	struct dns_reply reply;

	if (a->room < a->query.end + (size_t)DNS_OPT_SIZE) {
		asking_pass(a, "there is no room for an answer");
		return;
	}
	if (!has_resolver(a)) {
		answer_without_resolver(a);
		return;
	}
	if (!a->may_be_in_zone) {
		asking_outside(a);
		return;
	}
	verdict = complete(a, &reply);
	if (verdict == DNS_PASS)
		answer_from_zone(a, &verdict, &reply);
	if (verdict == DNS_LEAVES)
		asking_leave(a, &reply);
	else if (verdict == DNS_PASS)
		asking_outside(a);
}

/* Where a name may be says the name, so that others' are not looked for in the zone. */
static void
fetch_first(struct asking *a, const struct dns_table *t)
{
	bool is_held = dns_zone_holds(t->zone, &a->query);

	a->may_be_outside = !is_held && t->cache != NULL;
	a->may_be_in_zone = is_held || dns_zone_may_reverse(&a->query);
	if (a->may_be_in_zone)
		dns_zone_fetch_line(t->zone, a->query.hash);
	if (a->may_be_outside) {
		struct dns_cache_key key = dns_cache_key_of(&a->query, a->payload);

		dns_cache_prefetch(t->cache, &key);
	}
}

/* Has loaded what look-ups will read next: of all queries one thing, then another. */
static void
fetch_group(struct group *g)
{
	const struct dns_table *t = g->asking[0].tables->dns;

	for (unsigned i = 0; i < g->n; i++) {
		struct asking *a = &g->asking[i];

		a->guess = NULL;
		a->node = NULL;
		if (a->may_be_in_zone)
			a->node = dns_zone_fetch_node(t->zone, a->query.hash);
		if (a->may_be_outside) {
			struct dns_cache_key key = dns_cache_key_of(&a->query, a->payload);

			a->guess = dns_cache_prefetch_entry(t->cache, &key);
		}
	}
	for (unsigned i = 0; i < g->n; i++) {
		const struct asking *a = &g->asking[i];

		if (a->guess != NULL)
			dns_cache_prefetch_body(a->guess);
	}
}

static void
answer_group(struct group *g)
{
	if (g->n == 0)
		return;
	fetch_group(g);
	for (unsigned i = 0; i < g->n; i++)
		answer(&g->asking[i]);
	g->n = 0;
}

static void
take_up(struct asking *a, const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	a->tables = t;
	a->worker = w;
	a->burst = b;
	a->pkt = p;
	a->is_completed = false;
	open_query(a);
}

/* Whether there is a query that may be answered; else it has gone on. */
static bool
begin(struct asking *a)
{
	const struct dns_zone *zone = a->tables->dns->zone;
	enum dns_scan scan;

	if (zone == NULL) {
		asking_pass(a, "the cluster's names are not known yet");
		return false;
	}
	scan = dns_query_scan(a->payload, a->size, zone->seed, &a->query);
	if (scan != DNS_SCAN_QUERY) {
		asking_pass(a, dns_scan_text(scan));
		return false;
	}
	fetch_first(a, a->tables->dns);
	if (!may_ask(a)) {
		asking_go_on(a->tables, a->burst, a->pkt, "policies deny it");
		return false;
	}
	memcpy(a->header, a->payload, sizeof(a->header));
	return true;
}

/* In shadow mode: what policies deny is not compared either, since nobody would have answered it. */
static void
pass_in_shadow(struct asking *a)
{
	static const char why[] = "nothing is answered in shadow mode";

	if (!dns_shadow_look(&a->worker->dns_shadow, a->pkt->in_port, a->worker->now_ns)) {
		asking_pass(a, why);
	} else if (begin(a)) {
		dns_shadow_copy(&a->worker->dns_shadow, a);
		asking_pass(a, why);
	}
}

/* Without its question, what explain shows is the way of those that are not answered. */
static void
explain(const struct tables *t, struct burst *b, struct pkt *p)
{
	if (t->dns->zone == NULL)
		TRACE(b, "dns", "the cluster's names are not known yet: it goes on to the DNS service");
	else if (t->dns->is_shadow)
		TRACE(b, "dns", "nothing is answered in shadow mode: it goes on to the DNS service");
	else
		TRACE(b, "dns", "if policies let it pass, this node answers %s; the way of all else:",
			t->dns->cache != NULL ? "it, or asks upstream for it" : "names of the cluster");
	asking_check_way(t, p);
}

static bool
is_for_us(const struct dns_table *t, const struct pkt *p)
{
	return p->proto == PROTO_UDP && !(p->flags & PKT_FRAGMENT) && p->origin != ORIGIN_UPLINK &&
	       dns_table_asks(t, &p->dst, p->dport);
}

void
dns_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct group group;

	if (t->dns == NULL || !(b->seen & BURST_LOCAL))
		return;
	group.n = 0;
	BURST_FOREACH_UNDECIDED (b, p) {
		struct asking *a;

		if (!is_for_us(t->dns, p))
			continue;
		if (p->flags & PKT_DRY_RUN) {
			explain(t, b, p);
			continue;
		}
		a = &group.asking[group.n];
		take_up(a, t, w, b, p);
		if (t->dns->is_shadow)
			pass_in_shadow(a);
		else if (begin(a) && ++group.n == GROUP)
			answer_group(&group);
	}
	answer_group(&group);
	dns_tally_flush(w->dns_tally);
}
