/* The endpoints of a service as DNS names them: an endpoint is known by its hostname or else by its address with dashes, and
 * endpoints of one name (of two families, or in two slices) are one group. Ready ones only, or all if the service publishes those
 * that are not. Pure. */
#ifndef RINGWAY_BUILD_DNS_ENDPOINTS_H
#define RINGWAY_BUILD_DNS_ENDPOINTS_H

#include "control/build/key_sort.h"
#include "control/model/object.h"
#include "dataplane/dns/dns_name.h"

struct dns_endpoint {
	struct ip_addr addr;
	const struct slice_object *slice;
	bool is_named; /* by its hostname */
	uint8_t label_len;
	uint8_t label[DNS_LABEL_MAX];
};

struct dns_endpoints {
	size_t n, room;
	struct dns_endpoint *items; /* by label, then by address: IPv6 first */
	size_t n_addrs;
	struct ip_addr *addrs; /* each once, in order; as much room as items */

	/* scratch */
	struct dns_endpoint *unsorted;
	struct sort_key *keys; /* twice as much room */
};

/* In place of what was there. 0 or -ENOMEM. */
int dns_endpoints_collect(struct dns_endpoints *e, const struct service_object *service,
	const struct slice_object *const *slices, size_t n_slices);
void dns_endpoints_fini(struct dns_endpoints *e);

/* The order of labels. */
int dns_label_compare(const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len);

/* Behind the group that begins at 'first'. */
size_t dns_endpoints_group_end(const struct dns_endpoints *e, size_t first);

/* Whether an endpoint of that group has the address of the one before it, as while endpoints move between slices. */
static inline bool
dns_endpoints_repeat(const struct dns_endpoints *e, size_t first, size_t i)
{
	return i > first && ip_addr_eq(&e->items[i].addr, &e->items[i - 1].addr);
}

#endif
