/* Connections that opened at the old backend of a moving bucket, because there was no room for the entry which would have
 * taken them to the new one. While control lists sockets it has to know of them, since the listing may be past
 * their client already: their buckets stay. The worker notes them; control switches that on, reads and ends it through
 * worker_call(). */
#ifndef RINGWAY_SERVICE_UNMOVED_H
#define RINGWAY_SERVICE_UNMOVED_H

#include "dataplane/service/service_table.h"

#define UNMOVED_MAX 64

struct unmoved {
	bool is_on;
	unsigned n;
	struct {
		struct ip_addr addr; /* of the frontend */
		uint16_t port;
		uint8_t proto;
		uint32_t bucket; /* its number */
	} items[UNMOVED_MAX];
};

/* False: there are too many, and the connection may not open. */
static inline bool
unmoved_note(struct unmoved *u, const struct frontend *f, uint32_t hash)
{
	uint32_t bucket = hash & f->bucket_mask;

	if (!u->is_on)
		return true;
	for (unsigned i = 0; i < u->n; i++)
		if (u->items[i].bucket == bucket && u->items[i].port == f->port &&
			u->items[i].proto == f->proto && ip_addr_eq(&u->items[i].addr, &f->addr))
			return true;
	if (u->n == UNMOVED_MAX)
		return false;
	u->items[u->n].addr = f->addr;
	u->items[u->n].port = f->port;
	u->items[u->n].proto = f->proto;
	u->items[u->n++].bucket = bucket;
	return true;
}

#endif
