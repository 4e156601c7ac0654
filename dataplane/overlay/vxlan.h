/* What the overlay's stages, and those that keep others out of it, agree on. Worker threads. */
#ifndef RINGWAY_VXLAN_H
#define RINGWAY_VXLAN_H

#include "dataplane/pkt.h"
#include "dataplane/tables.h"

/* Outer source ports carry the inner flow's entropy in the dynamic range (RFC 7348 section 5). */
#define VXLAN_SPORT_FIRST 49152u
#define VXLAN_SPORT_MASK 0x3fffu

/* Whether a packet so addressed would be taken for a tunnel packet by a node: ours or another. */
static inline bool
vxlan_is_tunnel_end(const struct tables *t, uint8_t proto, uint16_t dport, const struct ip_addr *dst)
{
	const struct route *r;

	if (dport != t->node->vxlan_port || proto != PROTO_UDP)
		return false;
	if (fdb_lookup(t->fdb, dst) != FDB_NONE)
		return true;
	r = route_lookup(t->routes, dst);
	return r != NULL && r->kind == ROUTE_HOST;
}

#endif
