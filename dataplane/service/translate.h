/* What both directions of translation (translate_forward.h, translate_reply.h) ask of packets. Worker threads. */
#ifndef RINGWAY_SERVICE_TRANSLATE_H
#define RINGWAY_SERVICE_TRANSLATE_H

#include "dataplane/burst.h"
#include "dataplane/net/refuse.h"
#include "dataplane/tables.h"

struct worker;

static inline bool
translate_is_transport(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

/* The first packet of a connection: never an answer. */
static inline bool
translate_is_opening(const struct pkt *p)
{
	return p->proto == PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* A part of an SCTP packet: its checksum covers the ports and all other parts. */
static inline bool
translate_is_stuck(const struct pkt *p)
{
	return __builtin_expect((p->flags & PKT_FRAGMENT) != 0, 0) && p->proto == PROTO_SCTP;
}

static inline enum family_index
translate_family(const struct pkt *p)
{
	return p->family == 6 ? V6 : V4;
}

/* From a connection that a process of the node has under an address of the node's own. The stack sends what it begins to
 * services and to the addresses that they have under a reserved one, unless its socket is bound: what is in no flow of ours is
 * of a connection from before it found its way here. */
static inline bool
translate_may_be_older(const struct tables *t, const struct pkt *p)
{
	const struct route *r;

	if (p->origin != ORIGIN_HOST || p->proto != PROTO_TCP || translate_is_opening(p) ||
		pkt_is_translated(p))
		return false;
	r = route_lookup(t->routes, &p->src);
	return r != NULL && r->kind == ROUTE_HOST && endpoint_host_slot(t->endpoints, &p->src) < 0;
}

/* Whether this is the backend, in this slot, that a client's flow has. */
static inline bool
translate_is_choice(const struct backend *chosen, const struct pkt *reply, unsigned slot)
{
	return chosen->slot == slot && chosen->port == reply->sport && ip_addr_eq(&chosen->addr, &reply->src);
}

/* What is for a frontend that has nobody to serve it. */
static inline void
translate_refuse(struct pkt *p, const struct frontend *f)
{
	if (f->flags & FRONTEND_DROP_EMPTY)
		pkt_drop(p, DROP_NO_LOCAL_BACKEND);
	else
		pkt_refuse(p, DROP_NO_BACKEND);
}

#endif
