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
