#include "dataplane/dns/dns_zone.h"

const struct dns_node *
dns_zone_find(const struct dns_zone *z, const uint8_t *name, unsigned len, uint64_t hash)
{
	const struct dns_shard *shard = &z->shards[hash >> DNS_SHARD_SHIFT];

	for (uint32_t i = (uint32_t)hash & shard->mask; shard->slots[i].node != NULL;
		i = (i + 1) & shard->mask) {
		const struct dns_node *node = shard->slots[i].node;

		if (shard->slots[i].hash == hash && node->len == len && memcmp(node->name, name, len) == 0)
			return node;
	}
	return NULL;
}

const struct dns_node *
dns_zone_get(const struct dns_zone *z, const uint8_t *name, unsigned len)
{
	_Alignas(DNS_CHUNK) uint8_t padded[DNS_NAME_ROOM];

	memset(padded + (len - 1) / DNS_CHUNK * DNS_CHUNK, 0, DNS_CHUNK);
	memcpy(padded, name, len);
	return dns_zone_find(z, padded, len, dns_name_hash(padded, len, z->seed));
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
	       memcmp(q->name + at, z->name, z->len) == 0;
}
