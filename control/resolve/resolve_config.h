/* What the resolver's core is given, by the thread that runs it, or by a test. */
#ifndef RINGWAY_RESOLVE_RESOLVE_CONFIG_H
#define RINGWAY_RESOLVE_RESOLVE_CONFIG_H

#include "dataplane/dns/dns_cache_make.h"
#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_table.h"

struct try; /* a query to a server, under way: tries.h */

/* How queries go out. */
struct resolve_transport {
	/* Sends a message from a socket of its own, whose answer is for x. 0; or -errno: there is no socket then. */
	int (*send)(void *arg, const struct dns_server *server, bool is_tcp, const uint8_t *message,
		uint16_t size, struct try *x, void **socket);
	void (*close)(void *arg, void *socket);
	void *arg;
};

struct resolve_config {
	struct dns_cache *cache; /* it alone writes it */
	struct dns_entry_limits limits;
	uint32_t queries_per_s;     /* at least 1 */
	uint32_t in_flight_per_pod; /* at least 1 */
	struct resolve_transport transport;

	/* An answer for a client of this worker. False: it is lost. */
	bool (*tell)(void *arg, unsigned worker, const struct dns_told *told);
	void *tell_arg;
};

#endif
