/* The endpoints of this node: its pods and the host's stack. Which port is whose, and what each may send.
 * Immutable once published; written by control/build/endpoint_build.c. */
#ifndef RINGWAY_ENDPOINT_TABLE_H
#define RINGWAY_ENDPOINT_TABLE_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define PORTS_MAX 1024 /* port ids of a node: pods, host, uplink queues */
/* reserved per family: [0] is the node's source in the pod network, [slot] its slots */
#define HOST_ADDRS 4
#define ENDPOINT_NONE 0xffff

struct policy_state;
struct roles;

enum family_index {
	V4,
	V6,
	N_FAMILIES,
};

struct endpoint {
	struct ip_addr
		addrs[N_FAMILIES]; /* none where the pod lacks the family; of the host: its [0] addresses */
	struct mac_addr mac;       /* of the far end: the pod's eth0, the host's side of the pair */
	uint16_t port;             /* port id */
	uint16_t mtu;              /* bytes from the IP header on */
	uint8_t owner;             /* the worker that owns the port */
	bool is_host;
	bool is_opaque; /* it has connections of whose sockets its kernel does not tell: what it opens is remembered */
	struct roles *roles;               /* the owner's worker writes; NULL for the host */
	struct policy_state *policy_state; /* the same */
};

struct endpoint_table {
	uint16_t n;
	uint16_t by_port[PORTS_MAX]; /* index into endpoints; ENDPOINT_NONE */
	struct ip_addr host_addrs[N_FAMILIES][HOST_ADDRS];
	struct ip_addr
		inbound_addrs[N_FAMILIES]; /* reserved: whom pods see in place of clients from outside */
	uint16_t host;                     /* index of the host's endpoint; ENDPOINT_NONE */
	struct endpoint endpoints[];
};

/* The endpoint behind a port, or NULL. */
static inline const struct endpoint *
endpoint_of_port(const struct endpoint_table *t, uint16_t port)
{
	uint16_t i = t->by_port[port];

	return i == ENDPOINT_NONE ? NULL : &t->endpoints[i];
}

/* Whether backends know clients from outside by this address. */
static inline bool
endpoint_is_inbound_addr(const struct endpoint_table *t, const struct ip_addr *a)
{
	return ip_addr_eq(&t->inbound_addrs[ip_addr_is_v4(a) ? V4 : V6], a);
}

/* Which of the host's reserved addresses this is (0..3), or -1. */
static inline int
endpoint_host_slot(const struct endpoint_table *t, const struct ip_addr *a)
{
	const struct ip_addr *reserved = t->host_addrs[ip_addr_is_v4(a) ? V4 : V6];

	for (int i = 0; i < HOST_ADDRS; i++)
		if (ip_addr_eq(&reserved[i], a))
			return i;
	return -1;
}

#endif
