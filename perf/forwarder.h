/* The thing under test in the wire benchmark, between the node's ends of two pods' pairs: Ringway itself;
 * the same ports, packet memory, bursts and wake-ups with only the MAC addresses rewritten; or
 * dpdk-testpmd. Control thread. */
#ifndef RINGWAY_PERF_FORWARDER_H
#define RINGWAY_PERF_FORWARDER_H

#include "dataplane/dns/dns_table.h"
#include "perf/cluster.h"
#include "perf/lab.h"
#include "perf/traffic.h"

enum forwarder_kind {
	FORWARDER_RINGWAY,
	FORWARDER_BARE,
	FORWARDER_TESTPMD,
};

struct forwarder;

/* Starts it in the lab's node, pinned to the core. *node receives what the traffic needs to know. NULL on
 * failure, with a message on standard error. */
struct forwarder *forwarder_start(enum forwarder_kind kind, const struct lab *lab, const struct cluster *c,
	int cpu, struct traffic_node *node);
void forwarder_stop(struct forwarder *f);

/* Has Ringway answer DNS queries, too; the table stays the caller's, until the forwarder has stopped. */
void forwarder_set_dns(struct forwarder *f, const struct dns_table *dns);

/* Processor time that it has used: nanoseconds. */
uint64_t forwarder_cpu_ns(const struct forwarder *f);

/* Prints why packets were dropped, when any were. */
void forwarder_print_drops(const struct forwarder *f);

#endif
