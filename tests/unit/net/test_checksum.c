/* Sums against a two-bytes-at-a-time reading of RFC 1071; adjusting against computing anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/net/checksum.h"

static uint16_t
plain_sum(const uint8_t *p, unsigned len, uint32_t sum)
{
	for (unsigned i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void
fill_random(uint8_t *p, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)rand();
}

/* RFC 1071 section 3 */
static void
sums_the_example_of_rfc_1071(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	assert_int_equal(__builtin_bswap16(checksum_fold(checksum_add(0, bytes, sizeof(bytes)))), 0xddf2);
}

static void
sums_any_length_and_alignment(void **state)
{
	uint8_t bytes[2100];

	srand(2);
	fill_random(bytes, sizeof(bytes));
	for (unsigned start = 0; start < 8; start++)
		for (unsigned len = 0; len < 2000; len += len < 80 ? 1 : 97)
			assert_int_equal(
				__builtin_bswap16(checksum_fold(checksum_add(0, bytes + start, len))),
				plain_sum(bytes + start, len, 0));
}

static void
carries_of_the_largest_packet_are_kept(void **state)
{
	static uint8_t bytes[65535];

	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(__builtin_bswap16(checksum_fold(checksum_add(UINT32_MAX, bytes, sizeof(bytes)))),
		plain_sum(bytes, sizeof(bytes), 0));
}

/* An IPv4 header as tcpdump shows it, with its sum. */
static void
computes_an_ipv4_header(void **state)
{
	static const uint8_t header[] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8,
		0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };
	struct ipv4_hdr ip;

	memcpy(&ip, header, sizeof(ip));
	assert_int_equal(be16_host(checksum_ipv4(&ip)), 0xb861);
	assert_true(checksum_ipv4_is_valid(&ip));
	ip.ttl--;
	assert_false(checksum_ipv4_is_valid(&ip));
}

static void
pseudo_headers_of_both_families(void **state)
{
	struct ip_addr src[2], dst[2];
	uint8_t bytes[40] = { 0 };

	assert_true(ip_addr_parse("192.0.2.1", &src[0]) && ip_addr_parse("198.51.100.7", &dst[0]));
	assert_true(ip_addr_parse("2001:db8::1", &src[1]) && ip_addr_parse("2001:db8:ffff::7", &dst[1]));
	memcpy(bytes, src[0].b + 12, 4);
	memcpy(bytes + 4, dst[0].b + 12, 4);
	bytes[9] = PROTO_UDP;
	bytes[10] = 1234 >> 8;
	bytes[11] = 1234 & 0xff;
	assert_int_equal(
		__builtin_bswap16(checksum_fold(checksum_pseudo(&src[0], &dst[0], true, PROTO_UDP, 1234))),
		plain_sum(bytes, 12, 0));
	memcpy(bytes, src[1].b, 16);
	memcpy(bytes + 16, dst[1].b, 16);
	memset(bytes + 32, 0, 8);
	bytes[34] = 1234 >> 8;
	bytes[35] = 1234 & 0xff;
	bytes[39] = PROTO_UDP;
	assert_int_equal(
		__builtin_bswap16(checksum_fold(checksum_pseudo(&src[1], &dst[1], false, PROTO_UDP, 1234))),
		plain_sum(bytes, 40, 0));
}

/* What rewrite does: change addresses and ports, adjust once; against summing the changed packet. */
static void
adjusting_equals_computing(void **state)
{
	srand(3);
	for (unsigned round = 0; round < 100000; round++) {
		bool v4 = round % 2 == 0;
		struct ip_addr from = { 0 }, to = { 0 };
		uint16_t words[4];
		uint64_t sum, delta;
		be16 before, after;

		fill_random((uint8_t *)words, sizeof(words));
		fill_random(from.b, sizeof(from.b));
		fill_random(to.b, sizeof(to.b));
		if (round % 5 == 0) /* the corners of one's complement */
			words[0] = round % 2 ? 0xffff : 0, words[2] = round % 3 ? 0xffff : 0;
		if (v4) {
			from = ip_addr_v4((be32){ from.d[3] });
			to = ip_addr_v4((be32){ to.d[3] });
		}
		sum = checksum_add_addr((uint64_t)words[0] + words[1], &from, v4);
		before = checksum_finish(sum);
		sum = checksum_add_addr((uint64_t)words[2] + words[1], &to, v4);
		after = checksum_finish(sum);
		delta = checksum_change_addr(0, &from, &to, v4);
		delta = checksum_change16(delta, words[0], words[2]);
		assert_int_equal(checksum_apply(before, delta).raw, after.raw);
	}
}

static void
udp_sends_a_computed_zero_as_ones(void **state)
{
	assert_int_equal(checksum_finish(0xffff).raw, 0);
	assert_int_equal(checksum_finish_udp(0xffff).raw, 0xffff);
	assert_int_equal(checksum_finish_udp(0x1234).raw, checksum_finish(0x1234).raw);
}

/* Whatever the field holds, the sum is the same. */
static void
sctp_ignores_its_own_field(void **state)
{
	uint8_t packet[64];
	uint32_t crc;

	srand(4);
	fill_random(packet, sizeof(packet));
	crc = checksum_sctp(packet, sizeof(packet));
	memset(packet + 8, 0xff, 4);
	assert_int_equal(checksum_sctp(packet, sizeof(packet)), crc);
	packet[63] ^= 1;
	assert_int_not_equal(checksum_sctp(packet, sizeof(packet)), crc);
}

/* An all-zero packet of 32 bytes: RFC 3720 appendix B.4 gives its CRC32C as aa 36 91 8a. */
static void
sctp_uses_the_crc_of_rfc_3720(void **state)
{
	static const uint8_t zeros[32];
	static const uint8_t want[] = { 0xaa, 0x36, 0x91, 0x8a };
	uint32_t crc = checksum_sctp(zeros, sizeof(zeros));

	assert_memory_equal(&crc, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_the_example_of_rfc_1071),
		cmocka_unit_test(sums_any_length_and_alignment),
		cmocka_unit_test(carries_of_the_largest_packet_are_kept),
		cmocka_unit_test(computes_an_ipv4_header),
		cmocka_unit_test(pseudo_headers_of_both_families),
		cmocka_unit_test(adjusting_equals_computing),
		cmocka_unit_test(udp_sends_a_computed_zero_as_ones),
		cmocka_unit_test(sctp_ignores_its_own_field),
		cmocka_unit_test(sctp_uses_the_crc_of_rfc_3720),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
