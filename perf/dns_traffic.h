/* Queries of a node's pods, written into frames, and the replies judged by code apart from the dataplane's. A query is an index
 * into what was asked since the burst began, which its DNS id carries. One thread per struct dns_traffic. */
#ifndef RINGWAY_PERF_DNS_TRAFFIC_H
#define RINGWAY_PERF_DNS_TRAFFIC_H

#include "dataplane/burst.h"
#include "perf/dns_names.h"

enum dns_ask {
	DNS_ASK_A,
	DNS_ASK_AAAA,
	DNS_ASK_SRV,
	DNS_ASK_JUNK,    /* names that do not exist, as search lists make them: A and AAAA by turns */
	DNS_ASK_MIX,     /* 35% A, 35% AAAA, 5% SRV, 25% junk */
	DNS_ASK_OUTSIDE, /* A of outside names, which are in the cache (dns_cached.h) */
	N_DNS_ASKS,
};

struct dns_asked {
	uint8_t ask; /* never the mix */
	bool has_opt;
	uint16_t type, port;
	uint32_t pod, number; /* of the service or outside name */
};

struct dns_traffic {
	const struct cluster *cluster;
	struct mac_addr gateway_mac;
	enum dns_ask ask;
	uint32_t n_names; /* the names asked for are one of so many */
	bool is_uniform;  /* all as often; else Zipf-like, the n-th name 1/n as often as the first */
	struct ip_addr server;
	uint64_t random;
	unsigned n;
	struct dns_asked asked[BURST_MAX];
};

/* "a", "aaaa", "srv", "junk", "mix", "outside". */
const char *dns_ask_name(enum dns_ask ask);

void dns_traffic_init(struct dns_traffic *t, const struct cluster *c, const struct mac_addr *gateway_mac,
	enum dns_ask ask, uint32_t n_names, bool is_uniform);

/* What was asked so far is forgotten. */
void dns_traffic_begin(struct dns_traffic *t);

/* Writes the next query; at most BURST_MAX after dns_traffic_begin(). *port: the pod's. Half of all queries have OPT. */
void dns_traffic_write(struct dns_traffic *t, uint8_t *frame, uint16_t *len, uint16_t *port);

/* A reply to one of them, as it left by a port. NULL, or what is wrong: static string. */
const char *dns_traffic_check(const struct dns_traffic *t, uint16_t port, const uint8_t *frame, unsigned len);

#endif
