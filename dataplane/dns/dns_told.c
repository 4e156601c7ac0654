#include "dataplane/dns/dns_told.h"

#include "dataplane/dns/dns_headers.h"
#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_tally.h"
#include "dataplane/io/umem.h"
#include "dataplane/worker.h"

/* In front of the message. */
#define HEADERS_MAX (sizeof(struct eth_hdr) + sizeof(struct ipv6_hdr) + sizeof(struct udp_hdr))

/* Whether the port is still that of who asked; by now it may be another's. */
static bool
is_port_of(const struct tables *t, uint16_t port, bool is_host, const struct ip_addr *addr)
{
	const struct endpoint *ep = endpoint_of_port(t->endpoints, port);

	if (ep == NULL || ep->is_host != is_host)
		return false;
	return is_host || ip_addr_eq(&ep->addrs[ip_addr_is_v4(addr) ? V4 : V6], addr);
}

/* Its link may take less than when it asked, too. */
static bool
is_deliverable(const struct tables *t, const struct worker *w, const struct dns_told *told)
{
	const struct dns_client *c = &told->client;
	unsigned family = ip_addr_is_v4(&c->client) ? 4 : 6;

	return w->ports[c->port] != NULL && is_port_of(t, c->port, c->is_host, &c->client) &&
	       dns_headers_size(family, (unsigned)sizeof(struct udp_hdr) + told->size) <=
		       endpoint_of_port(t->endpoints, c->port)->mtu;
}

bool
dns_told_is_for(const struct tables *t, const struct pkt *p)
{
	return is_port_of(t, p->in_port, p->origin == ORIGIN_HOST, &p->src);
}

/* The descriptor of the query, as far as the way back needs it, with the answer in place. */
static void
fill(struct pkt *p, const struct worker *w, const struct dns_told *told, struct umem *umem, uint8_t *frame)
{
	const struct dns_client *c = &told->client;

	memset(p, 0, sizeof(*p));
	p->data = frame + UMEM_HEADROOM;
	p->umem = umem;
	p->in_port = c->port;
	p->origin = c->is_host ? ORIGIN_HOST : ORIGIN_POD;
	p->origin_worker = (uint8_t)w->id;
	p->family = ip_addr_is_v4(&c->client) ? 4 : 6;
	p->proto = PROTO_UDP;
	p->vtep = FDB_NONE;
	p->sport = c->client_port;
	p->dport = c->server_port;
	p->src = p->new_src = c->client;
	p->dst = p->new_dst = c->server;
	p->l3_off = sizeof(struct eth_hdr);
	p->l4_off = HEADERS_MAX - sizeof(struct udp_hdr);
	p->l4_len = (uint16_t)(sizeof(struct udp_hdr) + told->size);
	p->len = (uint16_t)(p->l4_off + p->l4_len);
	memcpy(p->data + HEADERS_MAX, told->message, told->size);
	pkt_reply(p, REPLY_DNS);
}

/* False: it is lost, and counted. */
static bool
deliver(const struct tables *t, struct worker *w, const struct dns_told *told, struct pkt *p)
{
	struct umem *umem;
	uint8_t *frame;

	if (told->size > sizeof(told->message) || !is_deliverable(t, w, told)) {
		count(&w->counters, COUNT_DNS_LOST_GONE);
		return false;
	}
	umem = w->ports[told->client.port]->umem;
	frame = HEADERS_MAX + told->size > umem_room(umem) ? NULL : umem_get(umem);
	if (frame == NULL) {
		count(&w->counters, COUNT_DNS_LOST_NO_FRAME);
		return false;
	}
	fill(p, w, told, umem, frame);
	return true;
}

/* The question's name and type, if it has them. */
static void
note(struct worker *w, const struct dns_told *told)
{
	const uint8_t *name = told->message + DNS_HEADER_SIZE;
	size_t left = told->size < DNS_HEADER_SIZE ? 0 : told->size - (size_t)DNS_HEADER_SIZE, len = 0;
	struct dns_sample answer = { .port = told->client.port,
		.source = told->source,
		.rcode = told->rcode,
		.is_completed = told->is_completed,
		.received_ns = told->client.received_ns,
		.answered_ns = w->now_ns };

	while (len < left && len < DNS_NAME_MAX && name[len] != 0)
		len += 1u + name[len];
	if (len < DNS_NAME_MAX && len + 3 <= left) {
		answer.name_len = (uint8_t)(len + 1);
		answer.type = (uint16_t)(name[len + 1] << 8 | name[len + 2]);
	}
	dns_tally_note(w->dns_tally, &answer, name);
}

unsigned
dns_told_burst(const struct tables *t, struct worker *w, struct burst *b, unsigned max)
{
	struct dns_told told;
	unsigned n = 0;

	b->n = 0;
	b->seen = 0;
	for (; n < max && dns_told_take(w->dns_rings, w->id, &told); n++) {
		if (deliver(t, w, &told, &b->pkts[b->n])) {
			b->n++;
			note(w, &told);
		}
	}
	dns_tally_flush(w->dns_tally);
	return n;
}
