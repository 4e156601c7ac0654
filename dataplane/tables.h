/* All that workers may read, as one version. Immutable once published (snapshot.h); sub-tables that did not
 * change are shared between versions. What workers write (counters, roles, exceptions) is not in here. */
#ifndef RINGWAY_TABLES_H
#define RINGWAY_TABLES_H

#include "dataplane/dns/dns_table.h"
#include "dataplane/endpoint_table.h"
#include "dataplane/overlay/fdb_table.h"
#include "dataplane/policy/policy_table.h"
#include "dataplane/route/route_table.h"
#include "dataplane/service/port_set.h"
#include "dataplane/service/service_table.h"

#define WORKERS_MAX 64

/* The gateway that every pod sees; pods hold /32 and /128 addresses, so everything goes through it. */
#define GATEWAY_V4 "169.254.1.1"
#define GATEWAY_V6 "fe80::1"
/* the same on every node, so that it never changes under a pod */
/* clang-format off */
#define GATEWAY_MAC { { 0x02, 0x72, 0x77, 0x00, 0x00, 0x01 } }
/* clang-format on */

/* What this node is. */
struct node_table {
	struct ip_addr vtep;         /* our tunnel address, one of the node's own */
	struct mac_addr uplink_mac;  /* outer source */
	struct mac_addr tunnel_mac;  /* inner source; what other nodes address */
	struct mac_addr gateway_mac; /* what pods and the host's stack see as their next hop */
	struct ip_addr gateway[N_FAMILIES];
	uint16_t vxlan_port; /* UDP destination port */
	uint32_t vni;
	uint16_t uplink_mtu;
	uint16_t pod_mtu; /* uplink_mtu less the tunnel's overhead */
	/* by which the outside knows pods; none: nothing of that family leaves the cluster */
	struct ip_addr masquerade[N_FAMILIES];
	uint8_t n_workers;
	uint16_t uplink_port[WORKERS_MAX]; /* port id each worker sends to the underlay by; PORTS_MAX: no
					      uplink */
	uint8_t port_owner[PORTS_MAX];     /* worker of each port */
	struct port_set masquerade_ports;  /* of the masquerade addresses, that flows may get now */
	struct port_set
		masquerade_claim; /* and those that may be in use by flows: answers to them are ours */
};

struct tables {
	uint64_t version;
	const struct node_table *node;
	const struct endpoint_table *endpoints;
	const struct service_table *services;
	const struct route_table *routes;
	const struct fdb_table *fdb;
	const struct policy_table *policies; /* NULL: no pod of this node is isolated */
	const struct dns_table *dns;         /* NULL: DNS is not answered on this node */
};

#endif
