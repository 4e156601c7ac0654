/* DNS queries of pods and of the host's stack to the cluster's DNS service (dns_table.h): those that can be are answered here, in
 * the query's own frame. All else goes on as traffic of the service, as if nobody had looked: what is odd about a query
 * (dns_query.h), fragments, TCP, all queries as long as the zone is not there.
 *
 * A pod gets no answer that its policies keep from it: they are asked as if the query went to one of the service's endpoints. What
 * they deny goes on, too, and policy_stage.c drops and names it as anything else. */
#include "dataplane/dns/dns_answer.h"
#include "dataplane/dns/dns_headers.h"
#include "dataplane/dns/dns_tally.h"
#include "dataplane/io/umem.h"
#include "dataplane/net/flow_key.h"
#include "dataplane/policy/policy_judge.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* The fractional part of the golden ratio: consecutive numbers become far apart. */
#define SPREAD 0x9e3779b9u

/* Of what may follow the question: OPT with a cookie, padding or a client's subnet. */
#define DNS_TAIL_MAX 256

/* One query. */
struct asking {
	const struct tables *tables;
	struct worker *worker;
	struct burst *burst;
	struct pkt *pkt;
	uint8_t *payload;
	size_t size; /* of the payload */
	size_t room; /* for the answer: in the frame, and on the way to who asked */
	struct policy_opinion opinion;
	struct dns_query query;
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
	struct dns_server backend = backend_of(a->tables->dns, a->pkt);

	return policy_lets_send(a->tables->policies, a->pkt, &backend.addr, backend.port, &a->opinion);
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

/* Counts the answer, or that there was none. */
static void
note(struct asking *a, enum dns_source source, uint8_t rcode)
{
	struct worker *w = a->worker;
	bool is_known = source != DNS_PASSED;
	struct dns_sample
		answer; /* not initialised: its name, a few cache lines, would be written for nothing */

	answer.port = a->pkt->in_port;
	answer.type = is_known ? a->query.type : 0;
	answer.source = (uint8_t)source;
	answer.rcode = rcode;
	answer.name_len = is_known ? a->query.len : 0;
	answer.received_ns = answer.answered_ns = w->now_ns;
	dns_tally_note(w->dns_tally, &answer, a->payload + DNS_HEADER_SIZE);
}

static void
settle(struct asking *a, enum dns_source source, const struct dns_reply *reply)
{
	struct pkt *p = a->pkt;

	p->l4_len = (uint16_t)(sizeof(struct udp_hdr) + reply->size);
	p->len = (uint16_t)(p->l4_off + p->l4_len);
	pkt_reply(p, REPLY_DNS);
	policy_note_sent(a->worker, a->burst, &a->opinion);
	note(a, source, reply->rcode);
	TRACE(a->burst, "dns", "answered on this node");
}

/* An address of ours that is no service's has nobody else behind it, and must not reach the outside. */
static bool
is_stranded(const struct tables *t, const struct pkt *p)
{
	uint32_t hash = addr_hash(&p->dst, p->dport, p->proto);

	return service_frontend(t->services, hash, &p->dst, p->dport, p->proto) == NULL &&
	       route_is_outside(route_lookup(t->routes, &p->dst));
}

/* On to the DNS service. */
static void
go_on(const struct tables *t, struct burst *b, struct pkt *p, const char *why)
{
	if (is_stranded(t, p))
		pkt_drop(p, DROP_LINK_LOCAL);
	TRACE(b, "dns", "%s: it goes on to the DNS service", why);
}

static void
pass(struct asking *a, const char *why)
{
	note(a, DNS_PASSED, DNS_RCODE_NOERROR);
	go_on(a->tables, a->burst, a->pkt, why);
}

/* Which of several records comes first. Stub resolvers ask from a new port each time, or at least with a new id. */
static uint32_t
rotation_of(const struct asking *a)
{
	be16 id;

	memcpy(&id, a->payload, sizeof(id));
	return (a->pkt->hash ^ id.raw) * SPREAD;
}

/* What an answer that leaves the zone has written over: such a query goes on as it came. */
struct saved {
	size_t size;
	uint8_t header[DNS_HEADER_SIZE];
	uint8_t tail[DNS_TAIL_MAX];
};

static bool
save(const struct asking *a, struct saved *saved)
{
	saved->size = a->size - a->query.end;
	if (saved->size > sizeof(saved->tail))
		return false;
	memcpy(saved->header, a->payload, sizeof(saved->header));
	memcpy(saved->tail, a->payload + a->query.end, saved->size);
	return true;
}

static void
restore(struct asking *a, const struct saved *saved)
{
	memcpy(a->payload, saved->header, sizeof(saved->header));
	memcpy(a->payload + a->query.end, saved->tail, saved->size);
}

static void
answer(struct asking *a)
{
	struct dns_reply reply;
	struct saved saved;

	if (!save(a, &saved)) {
		pass(a, "its options are too long");
		return;
	}
	switch (dns_answer(a->tables->dns->zone, &a->query, a->payload, a->room, rotation_of(a), &reply)) {
	case DNS_ANSWERED:
		settle(a, DNS_AUTHORITY, &reply);
		break;
	case DNS_LEAVES:
		restore(a, &saved);
		pass(a, "its name leads out of the cluster");
		break;
	case DNS_PASS:
		pass(a, "its name is not the cluster's");
		break;
	}
}

/* Whether the packet is a query that the zone may answer; all others are settled. */
static bool
look(struct asking *a, const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	enum dns_scan scan;

	a->tables = t;
	a->worker = w;
	a->burst = b;
	a->pkt = p;
	open_query(a);
	if (t->dns->zone == NULL) {
		pass(a, "the cluster's names are not known yet");
		return false;
	}
	scan = dns_query_scan(a->payload, a->size, t->dns->zone->seed, &a->query);
	if (scan != DNS_SCAN_QUERY) {
		pass(a, dns_scan_text(scan));
		return false;
	}
	dns_zone_fetch_shard(t->dns->zone, a->query.hash);
	return true;
}

static void
serve(struct asking *a)
{
	if (may_ask(a))
		answer(a);
	else
		go_on(a->tables, a->burst, a->pkt, "policies deny it");
}

/* Queries that are looked up together (dns_zone.h). */
#define GROUP 8

static void
serve_group(struct asking *group, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		dns_zone_fetch_slot(group[i].tables->dns->zone, group[i].query.hash);
	for (unsigned i = 0; i < n; i++)
		dns_zone_fetch_node(group[i].tables->dns->zone, group[i].query.hash);
	for (unsigned i = 0; i < n; i++)
		serve(&group[i]);
}

/* Without its question, what explain shows is the way of those that are not answered. */
static void
explain(const struct tables *t, struct burst *b, struct pkt *p)
{
	TRACE(b, "dns", "%s",
		t->dns->zone == NULL
			? "the cluster's names are not known yet"
			: "the cluster's names are answered on this node, if policies let the query pass");
	if (is_stranded(t, p))
		pkt_drop(p, DROP_LINK_LOCAL);
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
	struct asking group[GROUP];
	unsigned n = 0;

	if (t->dns == NULL || !(b->seen & BURST_LOCAL))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (!is_for_us(t->dns, p))
			continue;
		if (p->flags & PKT_DRY_RUN)
			explain(t, b, p);
		else if (look(&group[n], t, w, b, p) && ++n == GROUP) {
			serve_group(group, n);
			n = 0;
		}
	}
	serve_group(group, n);
	dns_tally_flush(w->dns_tally);
}
