/* What the descriptor says about a frame. Which frames are refused, and why, is in tests/packets/parse_cases.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/net/parse.h"
#include "dataplane/overlay/fdb_table.h"
#include "dataplane/tables.h"
#include "tests/support/pkt_build.h"

#define SRC4 "10.244.1.10"
#define DST4 "10.96.0.10"
#define SRC6 "fd00:10:244:1::10"
#define DST6 "fd00:10:96::a"
#define HEAD4(...) ETH("pod1", "gw"), IP(SRC4, DST4, ##__VA_ARGS__)
#define HEAD6(...) ETH("pod1", "gw"), IP(SRC6, DST6, ##__VA_ARGS__)

struct parse_case {
	const char *name;
	const struct layer *in;
	enum origin origin;
	uint16_t before; /* flags that io or decap set */
	/* wanted */
	uint16_t flags; /* besides those */
	uint8_t family, proto, l3_off;
	uint16_t l4_off, l4_len;
	uint16_t sport, dport;
	uint8_t tcp_flags;
};

static const struct parse_case cases[] = {
	{ "TCP", PKT(HEAD4(), TCP(1000, 80, TCP_SYN, .mss = 1460), DATA(3)), ORIGIN_POD, PKT_TRUST_CHECKSUM,
		0, 4, PROTO_TCP, 14, 34, 27, 1000, 80, TCP_SYN },
	{ "TCP in IPv6", PKT(HEAD6(), TCP(1000, 80, TCP_ACK), DATA(3)), ORIGIN_POD, PKT_TRUST_CHECKSUM,
		PKT_DONT_FRAGMENT, 6, PROTO_TCP, 14, 54, 23, 1000, 80, TCP_ACK },
	{ "DF and options",
		PKT(HEAD4(.df = true, .n_options = 4, .options = { 1, 1, 1, 0 }), UDP(53, 1000), DATA(1)),
		ORIGIN_POD, PKT_TRUST_CHECKSUM, PKT_DONT_FRAGMENT, 4, PROTO_UDP, 14, 38, 9, 53, 1000, 0 },
	{ "padding", PKT(HEAD4(), UDP(53, 1000), PADDING(18)), ORIGIN_POD, PKT_TRUST_CHECKSUM, 0, 4,
		PROTO_UDP, 14, 34, 8, 53, 1000, 0 },
	{ "SCTP behind extension headers",
		PKT(HEAD6(), EXT(PROTO_HOPOPTS, 0), EXT(PROTO_DSTOPTS, 1), SCTP(7, 8)), ORIGIN_POD,
		PKT_TRUST_CHECKSUM, PKT_DONT_FRAGMENT, 6, PROTO_SCTP, 14, 78, 12, 7, 8, 0 },
	{ "echo request", PKT(HEAD4(), ICMP(8, 0, .id = 99)), ORIGIN_POD, PKT_TRUST_CHECKSUM, 0, 4,
		PROTO_ICMP, 14, 34, 8, 99, 99, 8 },
	{ "ICMPv6 echo reply", PKT(HEAD6(), ICMP(129, 0, .id = 99)), ORIGIN_POD, PKT_TRUST_CHECKSUM,
		PKT_DONT_FRAGMENT, 6, PROTO_ICMPV6, 14, 54, 8, 99, 99, 129 },
	{ "ICMP error", PKT(HEAD4(), ICMP(11, 0), DATA(28)), ORIGIN_POD, PKT_TRUST_CHECKSUM, PKT_ICMP_ERROR,
		4, PROTO_ICMP, 14, 34, 36, 0, 0, 11 },
	{ "ICMPv6 error", PKT(HEAD6(), ICMP(2, 0), DATA(48)), ORIGIN_POD, PKT_TRUST_CHECKSUM,
		PKT_ICMP_ERROR | PKT_DONT_FRAGMENT, 6, PROTO_ICMPV6, 14, 54, 56, 0, 0, 2 },
	{ "first fragment", PKT(HEAD4(.more = true), UDP(5, 6, .len = 999), DATA(8)), ORIGIN_POD,
		PKT_TRUST_CHECKSUM, PKT_FRAGMENT, 4, PROTO_UDP, 14, 34, 16, 5, 6, 0 },
	{ "later fragment", PKT(HEAD4(.offset = 16, .proto = PROTO_UDP), DATA(9)), ORIGIN_POD,
		PKT_TRUST_CHECKSUM, PKT_FRAGMENT | PKT_LATER_FRAGMENT, 4, PROTO_UDP, 14, 34, 9, 0, 0, 0 },
	{ "later IPv6 fragment", PKT(HEAD6(), FRAG(24, false, .proto = PROTO_TCP), DATA(9)), ORIGIN_POD,
		PKT_TRUST_CHECKSUM, PKT_FRAGMENT | PKT_LATER_FRAGMENT | PKT_DONT_FRAGMENT, 6, PROTO_TCP, 14,
		62, 9, 0, 0, 0 },
	{ "partial TCP checksum", PKT(HEAD4(), TCP(1, 2, TCP_ACK, .sum = SUM_PARTIAL), DATA(5)), ORIGIN_POD,
		PKT_TRUST_CHECKSUM, PKT_CHECKSUM_PARTIAL, 4, PROTO_TCP, 14, 34, 25, 1, 2, TCP_ACK },
	{ "partial UDP checksum in IPv6", PKT(HEAD6(), UDP(1, 2, .sum = SUM_PARTIAL), DATA(5)), ORIGIN_HOST,
		PKT_TRUST_CHECKSUM, PKT_CHECKSUM_PARTIAL | PKT_DONT_FRAGMENT, 6, PROTO_UDP, 14, 54, 13, 1, 2,
		0 },
	{ "from a tunnel no checksum is partial", PKT(HEAD4(), UDP(1, 2, .sum = SUM_PARTIAL), DATA(5)),
		ORIGIN_UPLINK, PKT_DECAPPED, 0, 4, PROTO_UDP, 14, 34, 13, 1, 2, 0 },
	{ "VLAN tag of the underlay", PKT(ETH("peer", "uplink"), VLAN(3), IP(SRC4, DST4), UDP(1, 4789)),
		ORIGIN_UPLINK, 0, 0, 4, PROTO_UDP, 18, 38, 8, 1, 4789, 0 },
	{ "ARP", PKT(ETH("pod1", "*"), ARP(ARP_REQUEST, "pod1", SRC4, NULL, DST4), PADDING(18)), ORIGIN_POD,
		PKT_TRUST_CHECKSUM, PKT_TO_LINK, 0, 0, 14, 42, 0, 0, 0, ARP_REQUEST },
};

static void
check_case(const struct parse_case *c)
{
	struct frame frame;
	struct pkt p = { .origin = (uint8_t)c->origin, .flags = c->before };
	struct ip_addr src, dst;
	uint32_t hash;

	print_message("%s\n", c->name);
	pkt_build(&frame, c->in, 0);
	p.data = frame.bytes;
	p.len = frame.len;
	parse_pkt(&p);
	assert_int_equal(p.verdict, VERDICT_CONTINUE);
	assert_int_equal(p.flags, c->before | c->flags);
	assert_int_equal(p.family, c->family);
	assert_int_equal(p.proto, c->proto);
	assert_int_equal(p.l3_off, c->l3_off);
	assert_int_equal(p.l4_off, c->l4_off);
	assert_int_equal(p.l4_len, c->l4_len);
	assert_int_equal(p.len, c->l4_off + c->l4_len);
	assert_int_equal(p.sport, c->sport);
	assert_int_equal(p.dport, c->dport);
	assert_int_equal(p.tcp_flags, c->tcp_flags);
	assert_int_equal(p.vtep, FDB_NONE);
	assert_false(pkt_is_translated(&p));
	assert_true(ip_addr_parse(c->family == 6 ? SRC6 : SRC4, &src));
	assert_true(ip_addr_parse(c->family == 6 ? DST6 : DST4, &dst));
	assert_true(ip_addr_eq(&p.src, &src) && ip_addr_eq(&p.dst, &dst));
	hash = flow_hash(&src, &dst, c->sport, c->dport, c->proto);
	assert_int_equal(p.hash, c->origin == ORIGIN_UPLINK && c->before == 0 ? 0 : hash);
}

static void
descriptors_say_what_frames_are(void **state)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
}

#define TO(mac, src, dst, ...) PKT(ETH("pod1", mac), IP(src, dst), __VA_ARGS__)

static const struct link_case {
	const char *name;
	const struct layer *in;
	bool is_for_link;
} link_cases[] = {
	{ "a pod", TO("gw", SRC4, "10.244.2.20", UDP(1, 2)), false },
	{ "a pod, IPv6", TO("gw", SRC6, "fd00:10:244:2::20", UDP(1, 2)), false },
	{ "the outside", TO("gw", SRC4, "198.51.100.1", ICMP(8, 0)), false },
	{ "the outside, IPv6", TO("gw", SRC6, "2001:db8::1", ICMP(128, 0)), false },
	{ "the gateway", TO("gw", SRC4, GATEWAY_V4, UDP(1, 2)), true },
	{ "the gateway, IPv6", TO("gw", SRC6, GATEWAY_V6, UDP(1, 2)), true },
	{ "multicast", TO("gw", SRC4, "224.0.0.1", UDP(1, 2)), true },
	{ "multicast, IPv6", TO("gw", SRC6, "ff02::1", UDP(1, 2)), true },
	{ "broadcast", TO("gw", SRC4, "255.255.255.255", UDP(1, 2)), true },
	{ "everybody's frame", TO("*", SRC4, DST4, UDP(1, 2)), true },
	{ "everybody's frame, IPv6", TO("*", SRC6, DST6, UDP(1, 2)), true },
	{ "router solicitation", TO("gw", SRC6, DST6, ICMP(133, 0)), true },
	{ "redirect", TO("gw", SRC6, DST6, ICMP(137, 0)), true },
	{ "multicast listeners", TO("gw", SRC6, DST6, ICMP(132, 0)), false },
};

/* What has no PKT_TO_LINK is not looked at by the gateway. */
static void
what_is_for_the_link_is_noted(void **state)
{
	for (unsigned i = 0; i < sizeof(link_cases) / sizeof(link_cases[0]); i++) {
		struct frame frame;
		struct pkt p = { .origin = ORIGIN_POD, .flags = PKT_TRUST_CHECKSUM };

		print_message("%s\n", link_cases[i].name);
		pkt_build(&frame, link_cases[i].in, 0);
		p.data = frame.bytes;
		p.len = frame.len;
		parse_pkt(&p);
		assert_int_equal(p.verdict, VERDICT_CONTINUE);
		assert_int_equal((p.flags & PKT_TO_LINK) != 0, link_cases[i].is_for_link);
	}
}

/* However a frame is cut off, it is refused, unless only padding is missing. */
static void
no_prefix_of_a_frame_passes(void **state)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame frame;

		pkt_build(&frame, cases[i].in, 0);
		for (unsigned len = 0; len < (unsigned)cases[i].l4_off + cases[i].l4_len; len++) {
			struct pkt p = { .data = frame.bytes,
				.len = (uint16_t)len,
				.origin = (uint8_t)cases[i].origin,
				.flags = cases[i].before };

			parse_pkt(&p);
			assert_int_equal(p.verdict, VERDICT_DROP);
			assert_int_equal(p.drop_reason, DROP_TRUNCATED);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_say_what_frames_are),
		cmocka_unit_test(what_is_for_the_link_is_noted),
		cmocka_unit_test(no_prefix_of_a_frame_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
