/* Addresses for what has none: one after the other of a range per family, without those that are in use. One thread. */
#ifndef RINGWAY_OFFLINE_MADE_UP_H
#define RINGWAY_OFFLINE_MADE_UP_H

#include "control/model/store.h"
#include "dataplane/endpoint_table.h"

#define MADE_UP_V4 "198.18.0.0/15"
#define MADE_UP_V6 "2001:2::/48"

struct made_up {
	size_t n_used;
	struct ip_addr *used; /* sorted */
	struct ip_prefix ranges[N_FAMILIES];
	uint32_t next[N_FAMILIES];
};

/* Notes the addresses of all nodes, pods and services of the store. 0 or -ENOMEM; made_up_fini() in either case. */
int made_up_init(struct made_up *m, const struct store *store);
void made_up_fini(struct made_up *m);

/* The next one of a family; false: there are no more. */
bool made_up_take(struct made_up *m, enum family_index family, struct ip_addr *out);

#endif
