#include "dataplane/dns/dns_zone.h"

uint64_t
dns_zone_hash(const struct dns_zone *z, const uint8_t *name, unsigned len)
{
	_Alignas(DNS_CHUNK) uint8_t padded[DNS_NAME_ROOM];

	memset(padded + (len - 1) / DNS_CHUNK * DNS_CHUNK, 0, DNS_CHUNK);
	memcpy(padded, name, len);
	return dns_name_hash(padded, len, z->seed);
}

static bool
is_name(const struct dns_node *node, const uint8_t *name, unsigned len)
{
	return node->len == len && dns_bytes_equal(node->name, name, len);
}

/* In the lines behind its own, too, and among names of the same hash. */
static __attribute__((noinline)) const struct dns_node *
find_further(const struct dns_shard *shard, const uint8_t *name, unsigned len, uint64_t hash)
{
	for (uint32_t i = dns_shard_home(shard, hash); shard->slots[i].node != NULL;
		i = (i + 1) & shard->mask) {
		const struct dns_node *node = shard->slots[i].node;

		if (shard->slots[i].hash == hash && is_name(node, name, len))
			return node;
	}
	return NULL;
}

const struct dns_node *
dns_zone_find(const struct dns_zone *z, const uint8_t *name, unsigned len, uint64_t hash)
{
	const struct dns_slot *line = dns_zone_line(z, hash);
	unsigned match = dns_line_match(line, hash);
	const struct dns_node *node = line[dns_line_first(match)].node;

	if (node == NULL) /* nor is there a name behind the line's */
		return NULL;
	if (match != 0 && is_name(node, name, len))
		return node;
	return find_further(&z->shards[hash >> DNS_SHARD_SHIFT], name, len, hash);
}

const struct dns_node *
dns_zone_get(const struct dns_zone *z, const uint8_t *name, unsigned len)
{
	return dns_zone_find(z, name, len, dns_zone_hash(z, name, len));
}

bool
dns_zone_holds(const struct dns_zone *z, const struct dns_query *q)
{
	unsigned at;

	if (q->labels < z->labels || q->len < z->len)
		return false;
	at = q->len - z->len;
	/* the suffix must begin where a label does */
	return (q->labels == z->labels ? at == 0 : q->label_at[q->labels - z->labels] == at) &&
	       dns_bytes_equal(q->name + at, z->name, z->len);
}
