/* Shadow mode (dns.mode: shadow): nothing is answered here, and the resolver gets copies of some queries for names that would have
 * been, to compare what we would have said with what the DNS service says. How many: so many in a window of time, and of one port so
 * many of these, which is room for a resolver's whole way along a search list. Queries that are looked at to see whether they are such
 * are limited in the same way, so a flood costs what it costs without us. Workers. */
#ifndef RINGWAY_DNS_SHADOW_H
#define RINGWAY_DNS_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/endpoint_table.h"

#define DNS_SHADOW_WINDOW_NS 100000000ull
#define DNS_SHADOW_MAX 64   /* copies in a window, of one worker */
#define DNS_SHADOW_SHARE 16 /* of them, of one port */
#define DNS_SHADOW_LOOKS (8 * DNS_SHADOW_MAX)
#define DNS_SHADOW_LOOKS_SHARE (8 * DNS_SHADOW_SHARE)

struct asking;

/* A worker's own. All zero at first. */
struct dns_shadow {
	uint64_t until_ns; /* the window's end */
	uint16_t n_looks, n;
	struct {
		uint8_t n_looks, n;
	} by_port[PORTS_MAX];
};

/* Whether a port's query may be looked at, which counts. */
bool dns_shadow_look(struct dns_shadow *s, uint16_t port, uint64_t now_ns);

/* A query that was read, and that policies let pass: the resolver gets a copy if its name is one that we would have answered for. The
 * payload stays as it came. */
void dns_shadow_copy(struct dns_shadow *s, const struct asking *a);

#endif
