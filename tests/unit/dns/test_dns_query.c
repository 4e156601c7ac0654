/* Queries as resolvers send them, queries as nobody should, and half a million that chance changed, which libknot reads too. */
#include "dataplane/dns/dns_query.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>

#include <cmocka.h>

#include "tests/support/knot.h"

#define SEED UINT64_C(0x1234567890abcdef)

#define HEADER "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define HEADER_OPT "\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01"
#define NAME "\3ApI\4shop\3svc\7cluster\5local\0"
#define IN_A "\0\1\0\1"
#define OPT "\0\0\x29\x04\xd0\0\0\x80\0\0\0"

struct message {
	const char *name;
	const char *bytes;
	size_t size;
	enum dns_scan scan;
};

#define M(name, bytes, scan)                         \
	{                                            \
		name, bytes, sizeof(bytes) - 1, scan \
	}

static const struct message messages[] = {
	M("a plain query", HEADER NAME IN_A, DNS_SCAN_QUERY),
	M("class ANY", HEADER NAME "\0\1\0\xff", DNS_SCAN_QUERY),
	M("type ANY", HEADER NAME "\0\xff\0\1", DNS_SCAN_QUERY),
	M("the root", HEADER "\0\0\2\0\1", DNS_SCAN_QUERY),
	M("with OPT", HEADER_OPT NAME IN_A OPT, DNS_SCAN_QUERY),
	M("with a cookie",
		HEADER_OPT NAME IN_A "\0\0\x29\x04\xd0\0\0\0\0\0\x0c\0\x0a\0\x08"
				     "12345678",
		DNS_SCAN_QUERY),
	M("nothing", "", DNS_SCAN_TRUNCATED),
	M("half a header", "\x12\x34\x01\x00", DNS_SCAN_TRUNCATED),
	M("no question", HEADER, DNS_SCAN_TRUNCATED),
	M("a name without end", HEADER "\3api\4shop", DNS_SCAN_TRUNCATED),
	M("a label without end",
		HEADER "\x3f"
		       "api",
		DNS_SCAN_TRUNCATED),
	M("no class", HEADER NAME "\0\1\0", DNS_SCAN_TRUNCATED),
	M("no OPT where one is announced", HEADER_OPT NAME IN_A, DNS_SCAN_TRUNCATED),
	M("half an OPT", HEADER_OPT NAME IN_A "\0\0\x29\x04\xd0\0\0", DNS_SCAN_TRUNCATED),
	M("an option without end", HEADER_OPT NAME IN_A "\0\0\x29\x04\xd0\0\0\0\0\0\5a", DNS_SCAN_TRUNCATED),
	M("a reply", "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME IN_A, DNS_SCAN_RESPONSE),
	M("TC", "\x12\x34\x03\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME IN_A, DNS_SCAN_RESPONSE),
	M("NOTIFY", "\x12\x34\x20\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME IN_A, DNS_SCAN_OPCODE),
	M("two questions", "\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" NAME IN_A NAME IN_A,
		DNS_SCAN_COUNTS),
	M("no questions", "\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", DNS_SCAN_COUNTS),
	M("an answer", "\x12\x34\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00" NAME IN_A, DNS_SCAN_COUNTS),
	M("OPT and TSIG", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02" NAME IN_A OPT, DNS_SCAN_COUNTS),
	M("compressed", HEADER "\3api\xc0\x0c" IN_A, DNS_SCAN_NAME),
	M("a label of another type", HEADER "\x41\x01\0" IN_A, DNS_SCAN_NAME),
	M("AXFR", HEADER NAME "\0\xfc\0\1", DNS_SCAN_TYPE),
	M("TSIG", HEADER NAME "\0\xfa\0\1", DNS_SCAN_TYPE),
	M("OPT as a question", HEADER NAME "\0\x29\0\1", DNS_SCAN_TYPE),
	M("CHAOS", HEADER "\7version\4bind\0\0\x10\0\3", DNS_SCAN_CLASS),
	M("no OPT but A", HEADER_OPT NAME IN_A "\0\0\1\0\1\0\0\0\0\0\0", DNS_SCAN_ADDITIONAL),
	M("OPT of a name", HEADER_OPT NAME IN_A "\1a\0\0\x29\x04\xd0\0\0\0\0\0\0", DNS_SCAN_ADDITIONAL),
	M("something behind", HEADER NAME IN_A "x", DNS_SCAN_TRAILING),
	M("something behind OPT", HEADER_OPT NAME IN_A OPT "x", DNS_SCAN_TRAILING),
};

/* On a copy without a byte to spare, so that reading outside is found. */
static enum dns_scan
scan(const void *bytes, size_t size, struct dns_query *q)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);
	enum dns_scan result;

	assert_non_null(copy);
	if (size != 0)
		memcpy(copy, bytes, size);
	result = dns_query_scan(copy, size, SEED, q);
	free(copy);
	return result;
}

static void
messages_are_what_they_are(void **state)
{
	struct dns_query q;

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		const struct message *m = &messages[i];
		enum dns_scan found = scan(m->bytes, m->size, &q);

		if (found != m->scan)
			fail_msg("%s: %s, not %s", m->name, dns_scan_text(found), dns_scan_text(m->scan));
	}
}

static void
a_query_is_read(void **state)
{
	static const char plain[] = HEADER NAME IN_A, with_opt[] = HEADER_OPT NAME IN_A OPT;
	static const char small[] = HEADER_OPT NAME IN_A "\0\0\x29\0\x64\0\1\0\0\0\0";
	static const char lower[] = "\3api\4shop\3svc\7cluster\5local\0";
	uint8_t padded[DNS_NAME_ROOM] = { 0 };
	struct dns_query q;

	assert_int_equal(scan(plain, sizeof(plain) - 1, &q), DNS_SCAN_QUERY);
	assert_int_equal(q.len, sizeof(lower) - 1);
	assert_memory_equal(q.name, lower, q.len);
	memcpy(padded, lower, sizeof(lower) - 1);
	assert_memory_equal(q.name, padded, (q.len + 15u) / 16 * 16);
	assert_true(q.hash == dns_name_hash(padded, q.len, SEED));
	assert_int_equal(q.labels, 5);
	assert_int_equal(q.label_at[1], 4);
	assert_int_equal(q.label_at[4], 21);
	assert_int_equal(q.type, DNS_TYPE_A);
	assert_int_equal(q.end, sizeof(plain) - 1);
	assert_false(q.has_opt);
	assert_int_equal(q.udp_size, 512);
	assert_int_equal(scan(with_opt, sizeof(with_opt) - 1, &q), DNS_SCAN_QUERY);
	assert_true(q.has_opt && q.wants_dnssec);
	assert_int_equal(q.udp_size, 1232);
	assert_int_equal(q.edns_version, 0);
	assert_int_equal(scan(small, sizeof(small) - 1, &q), DNS_SCAN_QUERY);
	assert_int_equal(q.udp_size, 512);
	assert_int_equal(q.edns_version, 1);
	assert_false(q.wants_dnssec);
}

/* n labels of this size, the last one shorter so that the name has so many bytes. */
static size_t
make_long(uint8_t *message, unsigned label, unsigned len)
{
	static const char header[] = HEADER, end[] = "\0" IN_A;
	size_t at = sizeof(header) - 1;

	memcpy(message, header, sizeof(header) - 1);
	while (len > 1) {
		unsigned n = label + 2 > len ? len - 2 : label;

		n -= len - n == 3; /* a label of no bytes would be the end */
		message[at++] = (uint8_t)n;
		memset(message + at, 'A', n);
		at += n;
		len -= n + 1;
	}
	memcpy(message + at, end, sizeof(end) - 1);
	return at + sizeof(end) - 1;
}

static void
the_longest_name_is_one_and_a_longer_one_is_not(void **state)
{
	uint8_t message[512];
	struct dns_query q;

	for (unsigned label = 1; label <= 63; label += 31) {
		assert_int_equal(scan(message, make_long(message, label, 255), &q), DNS_SCAN_QUERY);
		assert_int_equal(q.len, 255);
		assert_int_equal(scan(message, make_long(message, label, 257), &q), DNS_SCAN_NAME);
	}
	scan(message, make_long(message, 1, 255), &q);
	assert_int_equal(q.labels, 127);
}

static void
no_prefix_is_a_query(void **state)
{
	static const char whole[] = HEADER_OPT NAME IN_A OPT;
	struct dns_query q;

	for (size_t size = 0; size < sizeof(whole) - 1; size++)
		assert_int_equal(scan(whole, size, &q), DNS_SCAN_TRUNCATED);
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What we take for a query is one for libknot, too, and says the same. */
static void
compare(const uint8_t *message, size_t size, unsigned *n_queries)
{
	uint8_t copy[512], lower[256];
	enum dns_scan found;
	struct dns_query q;
	knot_pkt_t *pkt;

	memcpy(copy, message, size);
	pkt = knot_read(copy, size);
	found = scan(message, size, &q);
	if (pkt == NULL) {
		/* it looks into options, which are all the same to us */
		assert_true(found != DNS_SCAN_QUERY || (q.has_opt && size != q.end + 11u));
		return;
	}
	if (found == DNS_SCAN_QUERY) {
		++*n_queries;
		assert_int_equal(knot_dname_size(knot_pkt_qname(pkt)), q.len);
		memcpy(lower, knot_pkt_qname(pkt), q.len);
		knot_dname_to_lower(lower);
		assert_memory_equal(lower, q.name, q.len);
		assert_int_equal(knot_pkt_qtype(pkt), q.type);
		assert_int_equal(pkt->opt_rr != NULL, q.has_opt);
		if (q.has_opt) {
			uint16_t udp_size = knot_edns_get_payload(pkt->opt_rr);

			assert_int_equal(knot_edns_get_version(pkt->opt_rr), q.edns_version);
			assert_int_equal(knot_edns_do(pkt->opt_rr), q.wants_dnssec);
			assert_int_equal(q.udp_size, udp_size < 512 ? 512 : udp_size);
		}
	} else {
		/* it reads more than plain queries, but no plain query is lost */
		assert_true(found != DNS_SCAN_TRUNCATED && found != DNS_SCAN_TRAILING);
	}
	knot_done(pkt);
}

static void
libknot_reads_the_same(void **state)
{
	uint64_t random = 88172645463325252u;
	unsigned n_queries = 0;

	for (unsigned i = 0; i < 500000; i++) {
		const struct message *m = &messages[next_random(&random) % 6];
		size_t size = m->size;
		uint8_t bytes[512];

		memcpy(bytes, m->bytes, size);
		for (unsigned n = (unsigned)(next_random(&random) % 3); n > 0; n--)
			bytes[next_random(&random) % size] = (uint8_t)next_random(&random);
		if (next_random(&random) % 8 == 0)
			size -= next_random(&random) % size;
		compare(bytes, size, &n_queries);
	}
	assert_true(n_queries > 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_what_they_are),
		cmocka_unit_test(a_query_is_read),
		cmocka_unit_test(the_longest_name_is_one_and_a_longer_one_is_not),
		cmocka_unit_test(no_prefix_is_a_query),
		cmocka_unit_test(libknot_reads_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
