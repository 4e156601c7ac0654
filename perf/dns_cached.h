/* A cache of other names' answers, filled with made-up ones: A records of the outside names of dns_names.h, as an upstream replies them.
 * Control thread. */
#ifndef RINGWAY_PERF_DNS_CACHED_H
#define RINGWAY_PERF_DNS_CACHED_H

#include "dataplane/dns/dns_cache_edit.h"
#include "perf/dns_names.h"

/* What an outside name's A record says. */
struct ip_addr dns_cached_addr(uint32_t number);

#define DNS_CACHED_FEW 10

/* A cache of the size that ringwayd's has by default, with so many percent of it in use, at least DNS_CACHED_FEW names; 100: with as many
 * as it holds. *n_names: how many; they are the first. Seed of names' hashes: DNS_NAMES_SEED. NULL on failure, with a message on
 * standard error. */
struct dns_cache *dns_cached_new(
	struct snapshot *snapshot, unsigned percent, uint64_t now_ns, uint32_t *n_names);

#endif
