/* The subcommands of ringway-perf. Each prints its own messages and returns the exit code. */
#ifndef RINGWAY_PERF_BENCH_H
#define RINGWAY_PERF_BENCH_H

#include "perf/params.h"

/* The real pipeline on ports over arrays: cycles per packet. */
int bench_pipeline(const struct params *p);

/* The full path over AF_XDP on veth. */
int bench_wire(const struct params *p);

/* From a change of the store to the last worker's first packet on the new tables. */
int bench_update(const struct params *p);

/* The same for a policy, a pod or a namespace. Parses its own arguments. */
int bench_policy_update(int argc, char **argv);

/* DNS queries that are answered on the node. Parses its own arguments. */
int bench_dns(int argc, char **argv);

/* The same over AF_XDP on veth, beside other servers. Parses its own arguments. */
int bench_dns_wire(int argc, char **argv);

/* The DNS zone's next version after one changed endpoint or service. Parses its own arguments. */
int bench_zone_update(int argc, char **argv);

/* How long a runtime waits for a pod's network. Parses its own arguments. */
int bench_cni(int argc, char **argv);

/* A whole cluster's objects from an API server. Parses its own arguments. */
int bench_sync(int argc, char **argv);

#endif
