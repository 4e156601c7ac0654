/* A backend's reply back to its frontend, on the worker that owns the client's port. The slot in the client's
 * port, or in which of the host's addresses it came to, names the frontend; asking the forward choice again
 * proves that this backend was chosen, so no sibling of it can inject. Decided here for a burst's packets
 * (translate_receive_stage.c), for what a pod answers itself (translate_forward.c), and for the packet that would answer
 * what an ICMP error quotes (translate_error.c). Worker threads. */
#ifndef RINGWAY_SERVICE_TRANSLATE_REPLY_H
#define RINGWAY_SERVICE_TRANSLATE_REPLY_H

#include "dataplane/service/roles.h"
#include "dataplane/service/translate.h"

/* A packet that may be a reply, and what is known so far. */
struct translate_reply {
	struct pkt *pkt;
	const struct roles *roles; /* of the receiver; NULL for the host */
	struct ip_addr client;
	uint16_t client_port;
	uint8_t slot;  /* 0: only an exception can tell */
	uint32_t hash; /* of the backend, then of the client's flow */
	const struct frontend *frontend;
	const uint16_t *bucket;
};

/* Whether a packet may be a reply to a client of this node at all. What the send half translated is on its way
 * to a backend. */
static inline bool
translate_may_be_reply(const struct pkt *p)
{
	return translate_is_transport(p->proto) && !(p->flags & PKT_HAIRPIN) && !translate_is_opening(p) &&
	       ip_addr_eq(&p->dst, &p->new_dst);
}

/* The first step, for a packet that may be one: reads the slot that its destination would mean. False when it has none, so that
 * only one of the worker's exceptions, if there are any, could tell. */
static inline bool
translate_reply_read(const struct tables *t, const struct endpoint *receiver, bool has_exceptions,
	struct pkt *p, struct translate_reply *c)
{
	int slot = 0;

	c->pkt = p;
	c->roles = receiver->roles;
	c->client = p->dst;
	c->client_port = p->dport;
	if (receiver->is_host) {
		slot = endpoint_host_slot(t->endpoints, &p->dst);
		if (slot > 0)
			c->client = t->endpoints->host_addrs[translate_family(p)][0];
	} else if (p->proto != PROTO_SCTP) {
		slot = slot_decode(p->dport, &c->client_port);
	}
	c->slot = slot > 0 ? (uint8_t)slot : 0;
	if (c->slot == 0)
		return has_exceptions;
	c->hash = addr_hash(&p->src, p->sport, p->proto);
	service_prefetch_reverse(t->services, c->hash);
	if (c->roles != NULL)
		__builtin_prefetch(roles_line(c->roles, p->proto));
	return true;
}

/* The others, for n packets (at most BURST_MAX): replies are noted as such in the descriptors, and counted; false ones are
 * dropped. b: whose trace gets the notes. c is scratch afterwards. */
void translate_reply(
	const struct tables *t, struct worker *w, struct burst *b, struct translate_reply *c, unsigned n);

/* In the send half: a pod answers itself, at the hairpin address of this slot. Settles the packet, and returns
 * whether it found its frontend. */
bool translate_reply_itself(
	const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, unsigned slot);

#endif
