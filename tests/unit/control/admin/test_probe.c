/* explain's packets, read back by the dataplane's own parser. */
#include "control/admin/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static const char *const addrs[][2] = { { "10.244.1.2", "10.96.0.10" },
	{ "fd00:10:244:1::2", "fd00:10:96::10" } };

static struct pkt
parsed(uint8_t *frame, uint16_t len, enum origin origin)
{
	struct pkt p = { .data = frame, .len = len, .origin = origin, .verdict = VERDICT_CONTINUE };

	parse_pkt(&p);
	return p;
}

static bool
is_l4_sum_right(const struct pkt *p)
{
	const uint8_t *l4 = p->data + p->l4_off;
	uint64_t sum = p->proto == PROTO_ICMP
			       ? 0
			       : checksum_pseudo(&p->src, &p->dst, p->family == 4, p->proto, p->l4_len);

	if (p->proto == PROTO_SCTP)
		return ((const struct sctp_hdr *)l4)->crc32c.raw == checksum_sctp(l4, p->l4_len);
	return checksum_fold(checksum_add(sum, l4, p->l4_len)) == 0xffff;
}

static void
what_is_built_is_what_the_parser_reads(void **state)
{
	static const uint8_t protos[][2] = { { PROTO_TCP, PROTO_TCP }, { PROTO_UDP, PROTO_UDP },
		{ PROTO_SCTP, PROTO_SCTP }, { PROTO_ICMP, PROTO_ICMPV6 } };

	for (unsigned family = 0; family < 2; family++)
		for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
			for (unsigned size = 0; size <= 1500; size += 59) {
				uint8_t frame[2048];
				struct probe probe = {
					.src = addr(addrs[family][0]),
					.dst = addr(addrs[family][1]),
					.sport = 40000,
					.dport = 80,
					.proto = protos[i][family],
					.tcp_flags = TCP_SYN,
					.size = (uint16_t)size,
				};
				uint16_t len = probe_build(&probe, frame);
				struct pkt p = parsed(
					frame, len, ORIGIN_UPLINK); /* so that IPv4's own sum is verified */
				unsigned least = probe_least_size(&probe);

				assert_int_equal(len, 14 + (size < least ? least : size));
				assert_int_equal(p.verdict, VERDICT_CONTINUE);
				assert_int_equal(p.len, len);
				assert_int_equal(p.proto, probe.proto);
				assert_true(ip_addr_eq(&p.src, &probe.src) && ip_addr_eq(&p.dst, &probe.dst));
				assert_int_equal(p.sport, 40000);
				assert_int_equal(p.ttl, PROBE_TTL);
				if (probe.proto != PROTO_ICMP && probe.proto != PROTO_ICMPV6)
					assert_int_equal(p.dport, 80);
				if (probe.proto == PROTO_TCP)
					assert_int_equal(p.tcp_flags, TCP_SYN);
				assert_true(is_l4_sum_right(&p));
			}
}

static void
a_protocol_that_cannot_be_built_has_no_size(void **state)
{
	struct probe probe = { .dst = addr("10.0.0.1"), .proto = 50 };

	assert_int_equal(probe_least_size(&probe), 0);
}

static void
a_tunnel_goes_around_a_frame(void **state)
{
	static const char *const vteps[][2] = { { "172.30.0.2", "172.30.0.1" },
		{ "fd00:30::2", "fd00:30::1" } };

	for (unsigned outer = 0; outer < 2; outer++)
		for (unsigned inner = 0; inner < 2; inner++) {
			uint8_t room[2048], copy[2048], *frame = room + PROBE_OUTER_MAX, *first;
			struct probe probe = { .src = addr(addrs[inner][0]),
				.dst = addr(addrs[inner][1]),
				.proto = PROTO_UDP,
				.size = 301 };
			struct probe_tunnel tunnel = { .src = addr(vteps[outer][0]),
				.dst = addr(vteps[outer][1]),
				.port = 4789,
				.vni = 7 };
			uint16_t inner_len = probe_build(&probe, frame), len = inner_len;
			const struct vxlan_hdr *vxlan;
			struct pkt p;

			memcpy(copy, frame, inner_len);
			first = probe_encap(&tunnel, frame, &len);
			assert_int_equal(len, inner_len + (outer == 0 ? VXLAN_OUTER_V4 : VXLAN_OUTER_V6));
			assert_memory_equal(frame, copy, inner_len);
			p = parsed(first, len, ORIGIN_UPLINK);
			assert_int_equal(p.verdict, VERDICT_CONTINUE);
			assert_int_equal(p.dport, 4789);
			assert_true(ip_addr_eq(&p.src, &tunnel.src) && ip_addr_eq(&p.dst, &tunnel.dst));
			if (outer == 1)
				assert_true(is_l4_sum_right(&p));
			vxlan = (const struct vxlan_hdr *)(p.data + p.l4_off + sizeof(struct udp_hdr));
			assert_int_equal(be32_host(vxlan->vni), 7 << 8);
			assert_int_equal(be32_host(vxlan->flags), VXLAN_FLAG_VNI);
		}
}

static void
tcp_flags_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *written;
		uint8_t flags;
	} cases[] = {
		{ "SYN", "SYN", TCP_SYN },
		{ "syn,ack", "SYN,ACK", TCP_SYN | TCP_ACK },
		{ "ACK+SYN", "SYN,ACK", TCP_SYN | TCP_ACK },
		{ "fin|psh|urg|rst", "FIN,RST,PSH,URG", TCP_FIN | TCP_PSH | TCP_URG | TCP_RST },
		{ "none", "none", 0 },
	};
	char buf[PROBE_FLAGS_SIZE];
	uint8_t flags;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(probe_parse_tcp_flags(cases[i].text, &flags));
		assert_int_equal(flags, cases[i].flags);
		assert_string_equal(probe_format_tcp_flags(flags, buf), cases[i].written);
	}
	assert_string_equal(probe_format_tcp_flags(0x3f, buf), "SYN,ACK,FIN,RST,PSH,URG");
	assert_false(probe_parse_tcp_flags("", &flags));
	assert_false(probe_parse_tcp_flags("SYN,", &flags));
	assert_false(probe_parse_tcp_flags("SYNACK", &flags));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_is_what_the_parser_reads),
		cmocka_unit_test(a_protocol_that_cannot_be_built_has_no_size),
		cmocka_unit_test(a_tunnel_goes_around_a_frame),
		cmocka_unit_test(tcp_flags_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
