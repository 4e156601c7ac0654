#include "dataplane/dns/dns_asking.h"

#include "dataplane/net/flow_key.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* The fractional part of the golden ratio: consecutive numbers become far apart. */
#define SPREAD 0x9e3779b9u

/* Counts the answer, or that there was none. */
static void
note(const struct asking *a, enum dns_source source, uint8_t rcode)
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
	answer.is_completed = is_known && a->is_completed;
	answer.received_ns = answer.answered_ns = w->now_ns;
	dns_tally_note(w->dns_tally, &answer, a->payload + DNS_HEADER_SIZE);
}

void
asking_settle(struct asking *a, enum dns_source source, const struct dns_reply *reply)
{
	struct pkt *p = a->pkt;

	p->l4_len = (uint16_t)(sizeof(struct udp_hdr) + reply->size);
	p->len = (uint16_t)(p->l4_off + p->l4_len);
	pkt_reply(p, REPLY_DNS);
	policy_note_sent(a->worker, a->burst, &a->opinion);
	note(a, source, reply->rcode);
	TRACE(a->burst, "dns", "answered on this node");
}

static bool
is_stranded(const struct tables *t, const struct pkt *p)
{
	uint32_t hash = addr_hash(&p->dst, p->dport, p->proto);

	return service_frontend(t->services, hash, &p->dst, p->dport, p->proto) == NULL &&
	       route_is_outside(route_lookup(t->routes, &p->dst));
}

void
asking_check_way(const struct tables *t, struct pkt *p)
{
	if (is_stranded(t, p))
		pkt_drop(p, DROP_LINK_LOCAL);
}

void
asking_go_on(const struct tables *t, struct burst *b, struct pkt *p, const char *why)
{
	asking_check_way(t, p);
	TRACE(b, "dns", "%s: it goes on to the DNS service", why);
}

void
asking_pass(struct asking *a, const char *why)
{
	note(a, DNS_PASSED, DNS_RCODE_NOERROR);
	asking_go_on(a->tables, a->burst, a->pkt, why);
}

/* Stub resolvers ask from a new port each time, or at least with a new id. */
uint32_t
asking_rotation(const struct asking *a)
{
	be16 id;

	memcpy(&id, a->header, sizeof(id));
	return (a->pkt->hash ^ id.raw) * SPREAD;
}
