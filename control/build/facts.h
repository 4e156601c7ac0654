/* What the builders need to know besides the store: this node, its ports, its underlay. Filled by whoever publishes (the
 * daemon, a test, a benchmark); all pointers are the filler's and live through the build. */
#ifndef RINGWAY_BUILD_FACTS_H
#define RINGWAY_BUILD_FACTS_H

#include "dataplane/tables.h"

struct build_facts {
	const char *node_name;

	/* configuration */
	uint16_t vxlan_port;
	uint32_t vni;
	uint16_t pod_mtu; /* 0: what the uplink leaves */
	size_t n_service_cidrs;
	const struct ip_prefix *service_cidrs;

	/* the underlay */
	struct mac_addr uplink_mac;
	uint16_t uplink_mtu;
	size_t n_own_addrs; /* of the node's interfaces */
	const struct ip_addr *own_addrs;

	/* MAC of the next hop to a VTEP (all zero: not resolved), and what the tunnel to it was found to take, of the inner
	 * packet (0: what the uplink leaves). NULL: none. */
	struct mac_addr (*next_hop)(const struct ip_addr *vtep, void *arg);
	uint16_t (*path_mtu)(const struct ip_addr *vtep, void *arg);
	void *arg;

	/* ports */
	uint8_t n_workers;
	size_t n_uplinks;
	const struct uplink_queue {
		uint16_t port; /* id */
		uint8_t owner; /* worker */
	} * uplinks;
	size_t n_endpoints;
	const struct endpoint *endpoints;
	struct ip_addr host_addrs[N_FAMILIES][HOST_ADDRS];
};

#endif
