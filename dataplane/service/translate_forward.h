/* Frontend to backend, in the client's node: what becomes of packets that pods and the host's stack send to services. Decided
 * here for a burst's packets (translate_send_stage.c), and for the one that would answer what an ICMP error quotes
 * (translate_error.c). Here too, a pod's packets to itself are told from others (hairpin), and its roles are learned. Worker
 * threads.
 *
 * The tables are far larger than the cache, so packets go through each step together: every step prefetches for the
 * next one, and a packet costs a look at memory that has arrived. */
#ifndef RINGWAY_SERVICE_TRANSLATE_FORWARD_H
#define RINGWAY_SERVICE_TRANSLATE_FORWARD_H

#include "dataplane/service/roles.h"
#include "dataplane/service/translate.h"

/* A packet that may be for a service, and what is known so far. */
struct translate_forward {
	struct pkt *pkt;
	struct roles *roles; /* of the sender; NULL for the host */
	bool is_opaque;      /* likewise (struct endpoint) */
	uint32_t hash;       /* of the destination, then of the flow */
	const struct frontend *frontend;
	const uint16_t *bucket;
};

/* The first step, for a packet of a pod or of the host which translate_is_transport(). */
static inline void
translate_forward_read(const struct tables *t, struct pkt *p, struct translate_forward *c)
{
	const struct endpoint *sender = endpoint_of_port(t->endpoints, p->in_port);

	c->pkt = p;
	c->roles = sender == NULL ? NULL : sender->roles;
	c->is_opaque = sender != NULL && sender->is_opaque;
	c->hash = addr_hash(&p->dst, p->dport, p->proto);
	service_prefetch_frontend(t->services, c->hash);
	if (c->roles != NULL)
		__builtin_prefetch(roles_line(c->roles, p->proto));
}

/* The others, for n packets (at most BURST_MAX): the decisions are noted in the descriptors, and counted. b: whose trace gets
 * the notes. c is scratch afterwards. */
void translate_forward(
	const struct tables *t, struct worker *w, struct burst *b, struct translate_forward *c, unsigned n);

#endif
