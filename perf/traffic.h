/* The packets of a scenario: written into frames, and what the pipeline made of them judged. A flow is a
 * number; all about it follows from the number and the cluster by arithmetic, so the same arguments give
 * the same packets on every machine. Only the reply scenario keeps a table: which backend and wire port
 * each flow was given. One thread per struct traffic; they share what was learned, which none changes
 * while packets run. */
#ifndef RINGWAY_PERF_TRAFFIC_H
#define RINGWAY_PERF_TRAFFIC_H

#include "perf/cluster.h"
#include "perf/frame.h"
#include "perf/params.h"

/* Port ids: pod n has port n; worker n sends to the underlay by TRAFFIC_UPLINK + n. */
#define TRAFFIC_UPLINK CLUSTER_PODS

/* What this node's tables were built with. */
struct traffic_node {
	struct mac_addr gateway_mac;
	struct mac_addr uplink_mac;
	uint16_t vxlan_port;
	uint32_t vni;
};

struct flow {
	uint32_t pod;        /* of this node: the client, or in decap the receiver */
	uint16_t port;       /* the client's own */
	uint32_t service;    /* frontend */
	uint32_t node, peer; /* l3 and decap: the other pod */
};

/* Where a flow's packets went: to this pod, from this port. */
struct learned {
	uint16_t node;
	uint8_t pod;
	bool is_known;
	uint16_t wire;
};

struct traffic {
	const struct cluster *cluster;
	struct traffic_node node;
	enum scenario scenario;
	uint32_t n_flows;
	unsigned hot_percent;
	uint32_t hot_services;
	uint16_t size; /* bytes of a pod's frame */
	uint64_t random;
	struct learned *learned; /* by flow; NULL unless needed */
};

/* Seeds differ per worker. */
void traffic_init(struct traffic *t, const struct cluster *c, const struct params *p,
	const struct traffic_node *node, uint64_t seed);

/* All about flow number 'index'. */
struct flow traffic_flow(const struct traffic *t, uint32_t index);

/* The flow of the next packet: any, equally likely. */
uint32_t traffic_pick(struct traffic *t);

/* Writes the flow's packet as the scenario has it arrive: the pod's frame begins at 'inner', tunnel
 * headers go in front. Returns where the packet begins; *len receives its length and *port the id of the
 * port it arrives at (for the uplink that of worker 0). */
uint8_t *traffic_write(
	const struct traffic *t, uint32_t index, uint8_t *inner, uint16_t *len, uint16_t *port);

/* Judges what was sent by 'port': is it what becomes of its flow's packet? NULL, or what is wrong: static
 * string. *index receives the flow that the packet names, when it could be read. */
const char *traffic_check(
	const struct traffic *t, uint16_t port, const uint8_t *data, unsigned len, uint32_t *index);

/* Notes, for the reply scenario, what became of a flow's packet towards its service. NULL, or what is
 * wrong with it. */
const char *traffic_learn(struct traffic *t, uint16_t port, const uint8_t *data, unsigned len);

#endif
