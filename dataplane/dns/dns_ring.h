/* Between workers and the resolver, one pair of rings per worker: queries that it could not answer (misses), and the answers to
 * them (told). Each ring has one producer and one consumer; messages are copied.
 *
 * A bell wakes the other side: it is rung once per round (misses) or message (told), and stays quiet until the consumer has found
 * its ring empty since. So that no ring is overlooked, the consumer first reads the bell's descriptor and then takes until there
 * is nothing more; the worker's is read by dns_told_take() itself.
 *
 * A pod has a share of a worker's ring of misses: one that asks faster than the resolver takes keeps out no other. */
#ifndef RINGWAY_DNS_RING_H
#define RINGWAY_DNS_RING_H

#include "dataplane/dns/dns_answer.h"
#include "dataplane/endpoint_table.h"

#define DNS_MISS_DEPTH 1024
#define DNS_MISS_SHARE 128 /* of one port */
#define DNS_TOLD_DEPTH 512

/* Who waits for an answer. */
struct dns_client {
	uint16_t port; /* port id */
	uint16_t client_port, server_port;
	bool is_host;
	struct ip_addr client, server; /* server: the address that was asked, and answers */
	uint64_t received_ns;          /* CLOCK_MONOTONIC */
};

enum dns_miss_kind {
	DNS_MISS_QUERY,
	DNS_MISS_PREFETCH, /* nobody waits: an entry of the cache that is in use is about to expire */
	DNS_MISS_COMPLETION, /* a name that the zone denies, and whose search is to be completed (dns_complete.h) */
	DNS_MISS_SHADOW, /* nobody waits: a copy of what the DNS service is asked, to compare (dns_shadow.h) */
};

/* Header as the client sent it, and question. */
#define DNS_MISS_MESSAGE_MAX (DNS_HEADER_SIZE + DNS_NAME_MAX + 4)

struct dns_miss {
	struct dns_client client;
	uint16_t
		udp_size; /* what the answer may measure: the least of the client's, DNS_UDP_SIZE_MAX and its link's */
	bool has_opt, wants_dnssec;
	uint8_t kind; /* enum dns_miss_kind */
	uint8_t worker;
	uint8_t n_steps; /* of a completion, for the resolver: names that were asked for it */
	uint16_t size;   /* of message */
	uint8_t message[DNS_MISS_MESSAGE_MAX];
};

struct dns_told {
	struct dns_client client; /* as in the miss */
	uint8_t source, rcode;    /* enum dns_source */
	bool is_completed;        /* as in struct dns_sample */
	uint16_t size;
	uint8_t message[DNS_UDP_SIZE_MAX];
};

struct dns_rings;

/* fd: an eventfd, the caller's, which becomes readable when there are misses. NULL if out of memory or descriptors. Control. */
struct dns_rings *dns_rings_new(unsigned n_workers, int fd);

/* After workers and resolver have stopped. NULL is fine. */
void dns_rings_free(struct dns_rings *r);

/* Worker: false when its ring, or the share of the port in it, is full. */
bool dns_miss_put(struct dns_rings *r, unsigned worker, const struct dns_miss *miss);

/* Worker, once per round: rings the resolver's bell if there were misses. */
void dns_miss_kick(struct dns_rings *r, unsigned worker);

/* Resolver: false when there is none. */
bool dns_miss_take(struct dns_rings *r, unsigned worker, struct dns_miss *out);

/* Resolver: false when the ring is full. Wakes the worker. */
bool dns_told_put(struct dns_rings *r, unsigned worker, const struct dns_told *told);

/* Worker: false when there is none. */
bool dns_told_take(struct dns_rings *r, unsigned worker, struct dns_told *out);

/* Readable when there may be answers for a worker that has found none. */
int dns_told_fd(const struct dns_rings *r, unsigned worker);

#endif
