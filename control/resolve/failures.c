#include "control/resolve/failures.h"

#include "control/loop.h"

#define FAILURE_NS NS_PER_S

static uint64_t
hash_of(const struct dns_cache_key *key)
{
	return dns_cache_hash(key->hash, key->type, dns_cache_key_flags(key));
}

void
failures_note(struct failures *f, const struct dns_cache_key *key, uint64_t now_ns)
{
	uint64_t hash = hash_of(key);
	unsigned set = hash % FAILURE_SETS, way = 0;

	for (unsigned i = 0; i < FAILURE_WAYS; i++) {
		if (f->sets[set][i].hash == hash) {
			way = i;
			break;
		}
		if (f->sets[set][i].until_ns < f->sets[set][way].until_ns)
			way = i;
	}
	f->sets[set][way].hash = hash;
	f->sets[set][way].until_ns = now_ns + FAILURE_NS;
}

void
failures_forget(struct failures *f, const struct dns_cache_key *key)
{
	uint64_t hash = hash_of(key);

	for (unsigned i = 0; i < FAILURE_WAYS; i++)
		if (f->sets[hash % FAILURE_SETS][i].hash == hash)
			f->sets[hash % FAILURE_SETS][i].until_ns = 0;
}

bool
failures_has(const struct failures *f, const struct dns_cache_key *key, uint64_t now_ns)
{
	uint64_t hash = hash_of(key);

	for (unsigned i = 0; i < FAILURE_WAYS; i++)
		if (f->sets[hash % FAILURE_SETS][i].hash == hash)
			return now_ns < f->sets[hash % FAILURE_SETS][i].until_ns;
	return false;
}
