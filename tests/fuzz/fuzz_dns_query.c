/* The scanner of DNS queries, and the answers to what it accepts, on a buffer of exactly the payload's size. The first byte says how
 * much room the answer has beyond that. */
#include <stdlib.h>

#include "dataplane/dns/dns_answer.h"
#include "dataplane/dns/dns_zone_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define NODE_SIZE 64

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* The zone's own name. */
static const struct dns_node *
make_apex(struct dns_zone *zone)
{
	struct dns_node *node = dns_zone_node_new(zone, NODE_SIZE);

	CHECK(node != NULL);
	memset(node, 0, NODE_SIZE);
	node->size = NODE_SIZE;
	node->len = zone->len;
	node->flags = DNS_NODE_APEX;
	memcpy(node->name, zone->name, zone->len);
	return node;
}

static const struct dns_zone *
make_zone(void)
{
	static struct dns_zone *zone;
	const struct dns_zone_config config = {
		.name = (const uint8_t *)"\7cluster\5local",
		.ttl_s = 30,
		.serial = 1,
		.seed = 1,
	};

	if (zone != NULL)
		return zone;
	zone = dns_zone_new(&config, piece_pool_new());
	CHECK(zone != NULL);
	CHECK(dns_zone_put(zone, make_apex(zone)) == 0);
	dns_zone_commit(zone);
	return zone;
}

static void
check_query(const struct dns_query *q, size_t size)
{
	unsigned at = 0;

	CHECK(q->len >= 1 && q->end == DNS_HEADER_SIZE + q->len + 4u && q->end <= size);
	CHECK(q->udp_size >= DNS_UDP_SIZE_MIN);
	for (unsigned i = 0; i < q->labels; i++) {
		CHECK(q->label_at[i] == at && q->name[at] >= 1 && q->name[at] <= DNS_LABEL_MAX);
		at += 1u + q->name[at];
	}
	CHECK(at + 1 == q->len && q->name[at] == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const struct dns_zone *zone = make_zone();
	struct dns_reply reply;
	struct dns_query q;
	uint8_t *payload;
	size_t room;

	if (size == 0 || size > 1500)
		return 0;
	room = size - 1 + 2u * input[0];
	payload = malloc(size > 1 ? size - 1 : 1);
	CHECK(payload != NULL);
	memcpy(payload, input + 1, size - 1);
	if (dns_query_scan(payload, size - 1, zone->seed, &q) == DNS_SCAN_QUERY) {
		check_query(&q, size - 1);
		payload = realloc(payload, room);
		CHECK(payload != NULL);
		if (dns_answer(zone, &q, payload, room, input[0] * 0x1010101u, &reply) != DNS_PASS)
			CHECK(reply.size >= q.end && reply.size <= room && reply.size <= DNS_UDP_SIZE_MAX);
	}
	free(payload);
	return 0;
}
