/* Makes the pieces that a zone is of (dataplane/dns/dns_zone.h): a name, its sets, their units, records and glue, in this order,
 * and then puts it into a version of the zone, unless that has it just so. The scratch memory is used again for the next name.
 * When memory is short, this is said at the end. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_NODE_H
#define RINGWAY_BUILD_DNS_NODE_H

#include <stddef.h>

#include "control/build/dns_wire.h"
#include "dataplane/dns/dns_zone_edit.h"

#define DNS_SETS_MAX 4 /* of one name */

struct dns_making {
	struct dns_zone *zone; /* the coming version */
	uint32_t ttl_s;

	/* the name */
	struct dns_wire name;
	uint8_t flags, prefix_len;
	uint32_t n_owners;

	unsigned n_sets;
	struct {
		uint16_t type;
		uint32_t first, n; /* units */
	} sets[DNS_SETS_MAX];
	uint32_t n_units, units_room;
	struct dns_unit *units; /* at: in bytes */
	size_t n_bytes, bytes_room;
	uint8_t *bytes;
	size_t image_room;
	uint8_t *image;
	bool is_out_of_memory;
};

void dns_making_fini(struct dns_making *m);

/* A name with these flags (DNS_NODE_*) and without records. */
void dns_making_begin(struct dns_making *m, const struct dns_wire *name, uint8_t flags);

/* A set, which goes if it gets no unit; a unit of the set; a record of the unit. */
void dns_making_set(struct dns_making *m, uint16_t type);
void dns_making_unit(struct dns_making *m);
void dns_making_record(struct dns_making *m, const void *data, size_t len);

/* A unit with one address of the set's family. */
void dns_making_addr(struct dns_making *m, const struct ip_addr *addr);

/* An address that goes with the unit's records. Its owner: these labels (without root), before what begins in the question at
 * 'suffix' bytes from its start. */
void dns_making_glue(struct dns_making *m, const uint8_t *labels, unsigned len, unsigned suffix,
	const struct ip_addr *addr);

/* An SRV record of the unit (RFC 2782); dns_making_weights() gives all of a set equal weights, as CoreDNS does: a hundred is shared
 * among addresses and ports, each address with each port, also where several of these make one record. */
void dns_making_srv(struct dns_making *m, uint16_t port, const struct dns_wire *target);
void dns_making_weights(struct dns_making *m, size_t n_shares);

/* Into the zone. 0 with the name as it is there now, or -ENOMEM. */
int dns_making_end(struct dns_making *m, const struct dns_node **out);

#endif
