#include "dataplane/dns/dns_shadow.h"

#include "dataplane/dns/dns_outside.h"
#include "dataplane/dns/dns_table.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"

bool
dns_shadow_look(struct dns_shadow *s, uint16_t port, uint64_t now_ns)
{
	if (now_ns >= s->until_ns) {
		memset(s, 0, sizeof(*s));
		s->until_ns = now_ns + DNS_SHADOW_WINDOW_NS;
	}
	if (s->n == DNS_SHADOW_MAX || s->n_looks == DNS_SHADOW_LOOKS ||
		s->by_port[port].n == DNS_SHADOW_SHARE || s->by_port[port].n_looks == DNS_SHADOW_LOOKS_SHARE)
		return false;
	s->n_looks++;
	s->by_port[port].n_looks++;
	return true;
}

/* ANY has as many right answers as there are servers (RFC 8482), and no resolver asks with another version of EDNS. */
static bool
is_comparable(const struct dns_zone *zone, const struct dns_query *q)
{
	return q->type != DNS_TYPE_ANY && q->edns_version == 0 &&
	       (dns_zone_holds(zone, q) ||
		       (dns_zone_may_reverse(q) && dns_zone_find(zone, q->name, q->len, q->hash) != NULL));
}

void
dns_shadow_copy(struct dns_shadow *s, const struct asking *a)
{
	if (a->worker->dns_rings == NULL || !is_comparable(a->tables->dns->zone, &a->query) ||
		!asking_tell_resolver(a, DNS_MISS_SHADOW))
		return;
	s->n++;
	s->by_port[a->pkt->in_port].n++;
}
