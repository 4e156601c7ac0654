/* Who answers in 'ringway-perf dns-wire', in the lab's node, on one core: a worker of ours over AF_XDP, or unbound or dnsmasq over
 * the kernel's stack, on the node's end of the same pair, with the same names. Control thread. */
#ifndef RINGWAY_PERF_DNS_SERVER_H
#define RINGWAY_PERF_DNS_SERVER_H

#include "perf/dns_names.h"
#include "perf/lab.h"

enum dns_server_kind {
	DNS_SERVER_RINGWAY,
	DNS_SERVER_UNBOUND,
	DNS_SERVER_DNSMASQ,
	N_DNS_SERVERS,
};

struct dns_server_run;

/* "ringway", "unbound", "dnsmasq". */
const char *dns_server_name(enum dns_server_kind kind);

/* Makes pod 0 of the lab able to ask, and starts the server. cluster: with pods, as forwarder_start() wants it. NULL on failure, with
 * a message on standard error. */
struct dns_server_run *dns_server_start(enum dns_server_kind kind, const struct lab *lab,
	const struct cluster *cluster, const struct dns_names *names, int cpu);
void dns_server_stop(struct dns_server_run *s);

/* Processor time of the server's threads, what the kernel did for them in their system calls included: nanoseconds. */
uint64_t dns_server_cpu_ns(const struct dns_server_run *s);

#endif
