/* A node for tests: real tables, workers and crossing, mem ports, and nothing that runs by itself.
 *
 *	this node      192.0.2.1, 2001:db8::1     VTEP of the family asked for
 *	reserved       10.244.1.1-4, fd00:10:244:1::1-4; for flows from outside 10.244.1.5, fd00:10:244:1::5
 *	pod1, pod2     10.244.1.10, .11, fd00:10:244:1::10, ::11
 *	the peer node  192.0.2.2, 2001:db8::2     10.244.2.0/24, fd00:10:244:2::/64
 *	services       10.96.0.0/16, fd00:10:96::/112
 *
 * With two workers the first has pod1 and the uplink, the second pod2 and the host. All of it may be changed
 * before the first packet. One thread. */
#ifndef TESTS_SUPPORT_FIXTURES_H
#define TESTS_SUPPORT_FIXTURES_H

#include "dataplane/io/port_mem.h"
#include "dataplane/io/umem.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/port_blocks.h"
#include "dataplane/service/roles.h"
#include "dataplane/worker.h"

#define FIXTURE_WORKERS_MAX 2
#define FIXTURE_FRAMES 4096 /* more than a crossing holds */
#define FIXTURE_FRAME_SIZE 2048
#define FIXTURE_EXCEPTIONS 64
#define FIXTURE_EXCEPTIONS_QUOTA 8
#define FIXTURE_AFFINITY 64
#define FIXTURE_INBOUND 1024 /* and as many half-open flows */
#define FIXTURE_OUTBOUND 256
#define FIXTURE_OUTBOUND_QUOTA 200
#define FIXTURE_OUTBOUND_BLOCKS 2 /* of one pod */
#define FIXTURE_PORT_FIRST 20032  /* of masqueraded flows: four blocks, of which two workers have two each */
#define FIXTURE_PORT_LAST 20287

#define FIXTURE_PEER 0       /* the peer's index in the FDB */
#define FIXTURE_PEER_OTHER 1 /* a third node, with 10.244.3.0/24 and fd00:10:244:3::/64 */
#define FIXTURE_UNRESOLVED \
	2 /* a fourth, whose next hop is not known, with 10.244.4.0/24, fd00:10:244:4::/64 */

enum fixture_port {
	FIXTURE_HOST,
	FIXTURE_POD1,
	FIXTURE_POD2,
	FIXTURE_UPLINK,
	FIXTURE_PORTS,
};

struct fixture {
	unsigned n_workers;
	struct node_table node;
	struct endpoint_table *endpoints;
	struct service_table *services;
	struct route_table *routes;
	struct fdb_table *fdb;
	struct policy_table *policies; /* tests/support/policies.h; NULL: none */
	struct dns_table *dns;         /* tests/support/names.h; NULL: none */
	struct names *names;
	struct dns_rings *rings; /* the same */
	bool is_policy_audit;    /* of all pods that are isolated from here on */
	struct tables tables;

	struct umem *umems[FIXTURE_WORKERS_MAX];
	struct crossing *crossing;
	struct events *events;
	int event_fd;
	struct nat_flows *exceptions[FIXTURE_WORKERS_MAX];
	struct nat_flows *inbound[FIXTURE_WORKERS_MAX];
	struct nat_flows *half_open[FIXTURE_WORKERS_MAX];
	struct affinity *affinity[FIXTURE_WORKERS_MAX], *inbound_affinity[FIXTURE_WORKERS_MAX];
	struct nat_flows *outbound[FIXTURE_WORKERS_MAX];
	struct port_blocks *port_blocks[FIXTURE_WORKERS_MAX];
	struct worker *workers[FIXTURE_WORKERS_MAX];
	struct port_mem ports[FIXTURE_PORTS];
};

/* Ends the test when out of memory. */
struct fixture *fixture_new(unsigned n_workers, bool v6_underlay);
void fixture_free(struct fixture *f);

/* Rounds of all workers until none has anything left to do. */
void fixture_run(struct fixture *f);

/* Gives the frames of all packets that were sent back to their umems. */
void fixture_clear(struct fixture *f);

/* The counters of all workers together. */
void fixture_counters(const struct fixture *f, struct counters *sum);

/* After fixture_clear(): NULL, or what does not balance: a packet without an end, or a frame without a place.
 * Static storage. */
const char *fixture_audit(const struct fixture *f);

/* The next event for control; false: there is none. */
bool fixture_event(struct fixture *f, struct event *event);

#endif
