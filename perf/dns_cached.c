#include "perf/dns_cached.h"

#include <stdio.h>

#include "dataplane/dns/dns_cache_make.h"

#define MEMORY ((size_t)16 << 20)
#define NEGATIVE_PERCENT 25
#define TTL_S 86400 /* longer than any run */
#define STALE_S 86400
#define REPLY_MAX 512

struct ip_addr
dns_cached_addr(uint32_t number)
{
	return ip_addr_v4(be32_from(0xc6120000 + number)); /* 198.18.0.0/15 */
}

static uint8_t *
put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *
put_labels(uint8_t *at, const char *text)
{
	uint8_t *label = at++;

	for (; *text != '\0'; text++) {
		if (*text != '.') {
			*at++ = (uint8_t)*text;
			continue;
		}
		*label = (uint8_t)(at - label - 1);
		label = at++;
	}
	*label = (uint8_t)(at - label - 1);
	*at++ = 0;
	return at;
}

/* An upstream's reply about an outside name's address. Returns its size. */
static size_t
write_reply(uint8_t out[static REPLY_MAX], uint32_t number)
{
	static const unsigned header[] = { 0, 0x8180, 1, 1, 0, 0 };
	struct ip_addr addr = dns_cached_addr(number);
	char name[DNS_NAME_TEXT_MAX];
	uint8_t *at = out;

	dns_names_outside(number, name);
	for (unsigned i = 0; i < 6; i++)
		at = put_u16(at, header[i]);
	at = put_u16(put_u16(put_labels(at, name), DNS_TYPE_A), DNS_CLASS_IN);
	at = put_u16(put_u16(put_u16(at, 0xc000 | DNS_HEADER_SIZE), DNS_TYPE_A), DNS_CLASS_IN);
	at = put_u16(put_u16(put_u16(at, TTL_S >> 16), TTL_S & 0xffff), 4);
	memcpy(at, addr.b + 12, 4);
	return (size_t)(at + 4 - out);
}

/* 0, or what dns_cache_put() says. */
static int
put(struct dns_cache *c, uint32_t number, uint64_t now_ns)
{
	const struct dns_entry_limits limits = { .negative_max_s = 900, .stale_max_s = STALE_S };
	uint8_t message[REPLY_MAX], question[REPLY_MAX];
	size_t size = write_reply(message, number);
	struct dns_entry_room room;
	struct dns_parsed parsed;
	struct dns_cache_key key;
	struct dns_query q;

	if (dns_parse(message, size, &parsed) != DNS_KIND_ANSWER)
		return -1;
	/* the question alone is the query, whose scan is the key */
	memcpy(question, message, parsed.question_end);
	question[2] = 1;
	question[3] = question[7] = 0;
	if (dns_query_scan(question, parsed.question_end, dns_cache_seed(c), &q) != DNS_SCAN_QUERY)
		return -1;
	key = dns_cache_key_of(&q, question);
	return dns_cache_put(c, dns_entry_make(&room, &key, &parsed, &limits, now_ns));
}

/* Puts names until there are so many, or until something is forgotten for the next. Returns how many. */
static uint32_t
fill(struct dns_cache *c, uint32_t limit, uint64_t now_ns)
{
	uint32_t n = 0;

	while (n < limit && put(c, n, now_ns) == 0 && dns_cache_books(c).n_forgotten == 0)
		n++;
	return n;
}

struct dns_cache *
dns_cached_new(struct snapshot *snapshot, unsigned percent, uint64_t now_ns, uint32_t *n_names)
{
	const struct dns_cache_config config = { .memory_bytes = MEMORY,
		.negative_percent = NEGATIVE_PERCENT,
		.seed = DNS_NAMES_SEED,
		.snapshot = snapshot };
	struct dns_cache *tried = dns_cache_new(&config), *c = dns_cache_new(&config);
	uint32_t most = tried == NULL ? 0 : fill(tried, UINT32_MAX, now_ns);
	uint32_t limit = (uint32_t)((uint64_t)most * percent / 100);

	dns_cache_free(tried);
	if (limit < DNS_CACHED_FEW)
		limit = DNS_CACHED_FEW;
	*n_names = limit;
	if (c != NULL && fill(c, limit, now_ns) == limit)
		return c;
	fprintf(stderr, "cannot fill a cache\n");
	dns_cache_free(c);
	return NULL;
}
