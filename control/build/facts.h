/* What the builders need to know besides the store: this node, its ports, its underlay. Filled by whoever publishes (the
 * daemon, a test, a benchmark); all pointers are the filler's and live through the build. */
#ifndef RINGWAY_BUILD_FACTS_H
#define RINGWAY_BUILD_FACTS_H

#include "control/model/host_port.h"
#include "control/model/object.h"
#include "dataplane/tables.h"

struct dns_cache;
struct dns_options;

/* A route of the node's own, or a known host on the uplink's segment. */
struct way_out {
	struct ip_prefix dst;
	enum route_kind kind; /* ROUTE_UNDERLAY, ROUTE_SEGMENT, ROUTE_ELSEWHERE or ROUTE_NOBODY: refused */
	struct mac_addr next_hop; /* of ROUTE_UNDERLAY; all zero: not resolved */
};

/* A host port with the pod behind it, which is attached here. */
struct pod_host_port {
	struct host_port map;
	struct ip_addr addrs[N_FAMILIES]; /* the pod's; none of a family that it lacks */
	const char *pod_ns, *pod;         /* "" when the runtime did not say */
};

/* A pod that is attached here. */
struct local_pod {
	uint16_t port;                    /* id */
	struct ip_addr addrs[N_FAMILIES]; /* none of a family that it lacks */
	const char *ns, *name;            /* "" when the runtime did not say */
	uint64_t uid;                     /* pod_uid_digest(); 0 likewise */
};

struct build_facts {
	const char *node_name;

	/* configuration */
	uint16_t vxlan_port;
	uint32_t vni;
	uint16_t pod_mtu; /* 0: what the uplink leaves */
	size_t n_service_cidrs;
	const struct ip_prefix *service_cidrs;
	size_t n_pod_cidrs; /* of the whole cluster */
	const struct ip_prefix *pod_cidrs;
	size_t n_external_ranges; /* where externalIPs may be */
	const struct ip_prefix *external_ranges;
	size_t n_node_port_addrs; /* where NodePorts listen */
	const struct ip_addr *node_port_addrs;
	enum policy_mode policy_mode; /* where a namespace does not say it */

	/* DNS on the node; NULL: none. With what follows it stays as it is with the first build: the cache of other names than the
	 * cluster's (NULL: they are passed on), and its seed of names' hashes (0 without one) */
	const struct dns_options *dns;
	struct dns_cache *dns_cache;
	uint64_t dns_seed;

	/* the underlay */
	struct mac_addr uplink_mac;
	uint16_t uplink_mtu;
	size_t n_own_addrs; /* of the node's interfaces */
	const struct ip_addr *own_addrs;

	/* networks outside to which pods go with their own addresses */
	size_t n_non_masquerade_cidrs;
	const struct ip_prefix *non_masquerade_cidrs;

	/* ports for masqueraded flows: which may be given out now, and which flows may have; NULL: none */
	const struct port_set *masquerade_ports, *masquerade_claim;

	/* how the node itself would send what is outside of the cluster; overlapping, the longest prefix wins */
	size_t n_ways_out;
	const struct way_out *ways_out;

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
	size_t n_host_ports;
	const struct pod_host_port *host_ports;
	size_t n_pods;
	const struct local_pod *pods; /* those of the endpoints that are pods */
	struct ip_addr host_addrs[N_FAMILIES][HOST_ADDRS];
	struct ip_addr inbound_addrs[N_FAMILIES];
};

#endif
