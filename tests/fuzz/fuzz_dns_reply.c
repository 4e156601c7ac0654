/* The parser of upstream replies, on a buffer of exactly the message's size, and what is made of those that it accepts: an entry, and a
 * client's reply, which must say the same when it is read again. The first byte says how large the client's reply may be. */
#include <stdlib.h>

#include "dataplane/dns/dns_cache_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define SEED 1
#define NOW UINT64_C(1000000000000)

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void
check_parsed(const struct dns_parsed *p)
{
	CHECK(p->kind <= DNS_KIND_NXDOMAIN && p->ttl_s <= DNS_TTL_MAX_S);
	CHECK(p->n_in_answer <= p->n_records && p->n_records <= DNS_RECORDS_MAX);
	CHECK(p->n_answers <= p->n_in_answer && p->n_authorities <= p->n_records - p->n_in_answer);
	CHECK(p->question_end <= p->size && p->last < p->size);
	for (unsigned i = 0; i < p->n_answers + p->n_authorities; i++)
		CHECK(p->taken[i] < p->n_records && (p->taken[i] < p->n_in_answer) == (i < p->n_answers));
}

/* A query for the same. */
static bool
ask(const struct dns_parsed *p, uint8_t *payload, struct dns_query *q)
{
	static const uint8_t rd_and_one_question[] = { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };

	memcpy(payload, p->message, p->question_end);
	memcpy(payload + DNS_FLAGS_AT, rd_and_one_question, sizeof(rd_and_one_question));
	return dns_query_scan(payload, p->question_end, SEED, q) == DNS_SCAN_QUERY;
}

static void
check_again(const struct dns_parsed *p, const uint8_t *payload, const struct dns_reply *reply)
{
	static struct dns_parsed again;

	dns_parse(payload, reply->size, &again);
	CHECK(again.kind == (reply->is_truncated ? DNS_KIND_TRUNCATED : p->kind));
	if (!reply->is_truncated)
		CHECK(again.n_answers == p->n_answers && again.n_authorities == p->n_authorities &&
			again.ttl_s == p->ttl_s);
}

/* A longer name's question, as for a cut, whose pointers all move. */
static void
tell_below(const struct dns_entry *e, const uint8_t *question, unsigned size)
{
	static const uint8_t label[] = { 3, 's', 'u', 'b' };
	static struct dns_parsed again;
	uint8_t payload[DNS_UDP_SIZE_MAX];
	struct dns_reply reply;
	struct dns_query q;

	memcpy(payload, question, DNS_HEADER_SIZE);
	memcpy(payload + DNS_HEADER_SIZE, label, sizeof(label));
	memcpy(payload + DNS_HEADER_SIZE + sizeof(label), question + DNS_HEADER_SIZE, size - DNS_HEADER_SIZE);
	if (dns_query_scan(payload, size + sizeof(label), SEED, &q) != DNS_SCAN_QUERY)
		return;
	CHECK(dns_entry_answer(e, &q, payload, sizeof(payload), 1, 0, DNS_EDE_NONE, &reply));
	CHECK(reply.size <= DNS_UDP_SIZE_MIN);
	CHECK(dns_parse(payload, reply.size, &again) != DNS_KIND_MALFORMED);
}

/* Behind an alias: "alias" leads to the entry's name, and its records follow. */
static void
tell_behind(const struct dns_entry *e, const uint8_t *question, unsigned len)
{
	static const uint8_t alias[] = "\5alias\0\0\1\0\1\xc0\x0c\0\5\0\1\0\0\0\x1e\0";
	static struct dns_parsed again;
	uint8_t payload[DNS_UDP_SIZE_MAX];
	struct dns_reply reply = { .outside = DNS_HEADER_SIZE + sizeof(alias) };
	struct dns_query q;

	memcpy(payload, question, DNS_HEADER_SIZE);
	memcpy(payload + DNS_HEADER_SIZE, alias, sizeof(alias) - 1);
	CHECK(dns_query_scan(payload, DNS_HEADER_SIZE + 11, SEED, &q) == DNS_SCAN_QUERY);
	q.udp_size = DNS_UDP_SIZE_MAX;
	payload[DNS_ANSWERS_AT + 1] = 1;
	payload[reply.outside - 1u] = (uint8_t)len;
	memcpy(payload + reply.outside, question + DNS_HEADER_SIZE, len);
	CHECK(dns_entry_continue(e, &q, payload, sizeof(payload), 1, 0, DNS_EDE_NONE, &reply));
	CHECK(dns_parse(payload, reply.size, &again) != DNS_KIND_MALFORMED);
}

static void
tell(const struct dns_parsed *p, unsigned room)
{
	static const struct dns_entry_limits limits = { .negative_max_s = DNS_TTL_MAX_S, .stale_max_s = 60 };
	static struct dns_entry_room entry_room;
	uint8_t question[DNS_HEADER_SIZE + DNS_NAME_MAX + 4], *payload;
	const struct dns_entry *e;
	struct dns_cache_key key;
	struct dns_reply reply;
	struct dns_query q;

	if (!ask(p, question, &q))
		return;
	q.udp_size = DNS_UDP_SIZE_MAX;
	key = dns_cache_key_of(&q, question);
	e = dns_entry_make(&entry_room, &key, p, &limits, NOW);
	CHECK(e->size <= DNS_ENTRY_SIZE_MAX && e->size % DNS_CACHE_UNIT == 0 &&
		e->body_at + e->body_len <= e->size);
	room += q.end;
	payload = malloc(room);
	CHECK(payload != NULL);
	memcpy(payload, question, q.end);
	CHECK(dns_entry_answer(
		e, &q, payload, room, dns_entry_ttl(e, NOW), room << 20, DNS_EDE_NONE, &reply));
	CHECK(reply.size >= q.end && reply.size <= room && reply.size <= DNS_UDP_SIZE_MAX);
	check_again(p, payload, &reply);
	free(payload);
	tell_below(e, question, q.end);
	tell_behind(e, question, q.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct dns_parsed parsed;
	uint8_t *message;

	if (size < 1)
		return 0;
	message = malloc(size > 1 ? size - 1 : 1);
	CHECK(message != NULL);
	memcpy(message, input + 1, size - 1);
	if (dns_parse(message, size - 1, &parsed) <= DNS_KIND_NXDOMAIN) {
		check_parsed(&parsed);
		tell(&parsed, input[0] * 8u);
	}
	free(message);
	return 0;
}
