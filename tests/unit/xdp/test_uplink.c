/* What the uplink's program takes, packet by packet, in the kernel's test harness (BPF_PROG_TEST_RUN): no interface, no
 * socket, so that what is ours is dropped and the rest passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/net/ip_addr.h"
#include "tests/support/pkt_build.h"
#include "xdp/steer.h"
#include "uplink.skel.h"

#define NODE_V4 "172.30.0.1"
#define NODE_V6 "fd00:30::1"
#define POD_V4 "10.244.1.10"
#define POD_V6 "fd00:10:244:1::a"
#define CLIENT_V4 "172.30.0.100"
#define CLIENT_V6 "fd00:30::64"
#define NODE_PORT 30080
#define MASQUERADED 20000
#define IN ETH("peer", "uplink")

static void
set_config(struct steer_uplink *c)
{
	struct ip_addr v4, v6, pods;

	ip_addr_parse(NODE_V4, &v4);
	ip_addr_parse(NODE_V6, &v6);
	memcpy(c->vtep, v4.b, sizeof(c->vtep));
	c->is_v4 = 1;
	c->vxlan_port = htons(4789);
	c->masquerade_v4 = ip_addr_to_v4(&v4).raw;
	memcpy(c->masquerade_v6, v6.b, sizeof(c->masquerade_v6));
	c->ports[MASQUERADED / 64] = UINT64_C(1) << MASQUERADED % 64;
	c->takes_pods = 1;
	ip_addr_parse("10.244.1.0", &pods);
	c->pods_v4 = ip_addr_to_v4(&pods).raw;
	c->pods_v4_mask = htonl(0xffffff00);
	ip_addr_parse("fd00:10:244:1::", &pods);
	memcpy(c->pods_v6, pods.b, sizeof(c->pods_v6));
	memset(c->pods_v6_mask, 0xff, 8);
}

static int
setup(void **state)
{
	struct uplink_bpf *uplink = uplink_bpf__open();
	const char *const addrs[] = { NODE_V4, NODE_V6 };
	const uint8_t yes = 1;

	if (uplink == NULL)
		return -1;
	set_config((struct steer_uplink *)&uplink->rodata->config);
	if (uplink_bpf__load(uplink) < 0)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		struct steer_frontend key = { .port = htons(NODE_PORT), .proto = PROTO_UDP };
		struct ip_addr addr;

		ip_addr_parse(addrs[i], &addr);
		memcpy(key.addr, addr.b, sizeof(key.addr));
		if (bpf_map_update_elem(bpf_map__fd(uplink->maps.exposed), &key, &yes, BPF_ANY) < 0)
			return -1;
	}
	*state = uplink;
	return 0;
}

static int
teardown(void **state)
{
	uplink_bpf__destroy(*state);
	return 0;
}

static bool
is_ours(void **state, const struct layer *layers)
{
	const struct uplink_bpf *uplink = *state;
	struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);

	pkt_build(&frame, layers, 0);
	opts.data_in = frame.bytes;
	opts.data_size_in = frame.len;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(uplink->progs.steer_uplink), &opts), 0);
	assert_in_range(opts.retval, XDP_DROP, XDP_PASS);
	return opts.retval == XDP_DROP;
}

#define assert_ours(...) assert_true(is_ours(state, PKT(IN, __VA_ARGS__)))
#define assert_hosts(...) assert_false(is_ours(state, PKT(IN, __VA_ARGS__)))

/* Whole datagrams, and parts of 32 bytes */
#define FIRST_V4(i, dport) \
	IP(CLIENT_V4, NODE_V4, .id = (i), .more = true), UDP(5000, dport, .len = 56), DATA(24)
#define LAST_V4(i) IP(CLIENT_V4, NODE_V4, .id = (i), .offset = 32, .proto = PROTO_UDP), DATA(24)
#define FIRST_V6(i, dport) \
	IP(CLIENT_V6, NODE_V6), FRAG(0, true, .id = (i)), UDP(5000, dport, .len = 56), DATA(24)
#define LAST_V6(i) IP(CLIENT_V6, NODE_V6), FRAG(32, false, .id = (i), .proto = PROTO_UDP), DATA(24)

static void
test_whole_packets_by_their_ports(void **state)
{
	assert_ours(IP(CLIENT_V4, NODE_V4), UDP(5000, NODE_PORT), DATA(8));
	assert_ours(IP(CLIENT_V6, NODE_V6), UDP(5000, NODE_PORT), DATA(8));
	assert_ours(IP(CLIENT_V4, NODE_V4), TCP(443, MASQUERADED, TCP_ACK));
	assert_ours(IP(CLIENT_V6, NODE_V6), TCP(443, MASQUERADED, TCP_ACK));
	assert_ours(IP(CLIENT_V4, NODE_V4), UDP(50000, 4789), VXLAN(1), IN, IP(POD_V4, POD_V4), UDP(1, 2),
		DATA(8));
	assert_hosts(IP(CLIENT_V4, NODE_V4), TCP(5000, NODE_PORT, TCP_SYN));
	assert_hosts(IP(CLIENT_V6, NODE_V6), UDP(5000, 22), DATA(8));
	assert_hosts(IP(CLIENT_V4, CLIENT_V4), UDP(5000, NODE_PORT), DATA(8));
	assert_hosts(ARP(1, "peer", CLIENT_V4, "uplink", NODE_V4));
	assert_hosts(IP(CLIENT_V4, NODE_V4), UDP(5000, NODE_PORT), CUT(6));
}

#define FRAGMENTS_OF(F)                                                               \
	do {                                                                          \
		/* they go where the first went */                                    \
		assert_ours(FIRST_##F(7, NODE_PORT));                                 \
		assert_ours(LAST_##F(7));                                             \
		assert_ours(LAST_##F(7));                                             \
		assert_ours(FIRST_##F(8, MASQUERADED));                               \
		assert_ours(LAST_##F(8));                                             \
		/* of another datagram, or before their first, they are the host's */ \
		assert_hosts(LAST_##F(9));                                            \
		assert_hosts(FIRST_##F(9, 53));                                       \
		assert_hosts(LAST_##F(9));                                            \
		/* also when its number was one of ours */                            \
		assert_hosts(FIRST_##F(7, 53));                                       \
		assert_hosts(LAST_##F(7));                                            \
		assert_ours(LAST_##F(8));                                             \
		/* and the other way round */                                         \
		assert_ours(FIRST_##F(9, NODE_PORT));                                 \
		assert_ours(LAST_##F(9));                                             \
	} while (0)

static void
test_later_fragments_go_where_the_first_went(void **state)
{
	FRAGMENTS_OF(V4);
	FRAGMENTS_OF(V6);
	/* told apart by all that a datagram has in common */
	assert_ours(FIRST_V4(20, NODE_PORT));
	assert_hosts(IP(CLIENT_V4, NODE_V4, .id = 20, .offset = 32, .proto = PROTO_TCP), DATA(24));
	assert_hosts(IP("172.30.0.101", NODE_V4, .id = 20, .offset = 32, .proto = PROTO_UDP), DATA(24));
	assert_hosts(IP(CLIENT_V4, "172.30.0.2", .id = 20, .offset = 32, .proto = PROTO_UDP), DATA(24));
	/* IPv6 does not tell them apart by the protocol, of which a later one may say anything */
	assert_ours(FIRST_V6(20, NODE_PORT));
	assert_ours(IP(CLIENT_V6, NODE_V6), FRAG(32, false, .id = 20, .proto = PROTO_TCP), DATA(24));
	assert_hosts(IP("fd00:30::65", NODE_V6), FRAG(32, false, .id = 20, .proto = PROTO_UDP), DATA(24));
	/* a fragment header around a whole datagram */
	assert_ours(IP(CLIENT_V6, NODE_V6), FRAG(0, false, .id = 30), UDP(5000, NODE_PORT), DATA(8));
	assert_hosts(LAST_V6(30));
	assert_hosts(IP(CLIENT_V6, NODE_V6), FRAG(0, false, .id = 30), UDP(5000, 53), DATA(8));
	assert_hosts(IP(CLIENT_V6, NODE_V6), FRAG(0, true, .id = 31), CUT(2));
}

static void
test_whatever_is_for_pods_is_ours(void **state)
{
	assert_ours(IP(CLIENT_V4, POD_V4), UDP(5000, 53), DATA(8));
	assert_ours(IP(CLIENT_V4, POD_V4, .id = 40, .offset = 32, .proto = PROTO_UDP), DATA(24));
	assert_ours(IP(CLIENT_V6, POD_V6), FRAG(32, false, .id = 40, .proto = PROTO_UDP), DATA(24));
	assert_hosts(IP(CLIENT_V4, "10.244.2.10"), UDP(5000, 53), DATA(8));
	assert_hosts(IP(CLIENT_V6, "fd00:10:244:2::a"), UDP(5000, 53), DATA(8));
}

/* Layers of an error that somebody on the way sends to this node, about what it sent. */
#define ERROR_V4(...) IP("172.30.0.200", NODE_V4), ICMP(3, 4), QUOTE(PKT(IN, __VA_ARGS__), 28)
#define ERROR_V6(...) IP("fd00:30::c8", NODE_V6), ICMP(2, 0), QUOTE(PKT(IN, __VA_ARGS__), 0)

static void
test_errors_by_what_they_quote(void **state)
{
	assert_ours(ERROR_V4(IP(NODE_V4, CLIENT_V4), UDP(NODE_PORT, 5000), DATA(8)));
	assert_ours(ERROR_V4(IP(NODE_V4, CLIENT_V4), UDP(MASQUERADED, 53), DATA(8)));
	assert_ours(
		ERROR_V4(IP(NODE_V4, CLIENT_V4, .more = true), UDP(MASQUERADED, 53, .len = 56), DATA(24)));
	assert_hosts(ERROR_V4(IP(NODE_V4, CLIENT_V4), UDP(40000, 53), DATA(8)));
	assert_hosts(ERROR_V4(IP(CLIENT_V4, NODE_V4), UDP(MASQUERADED, 53), DATA(8)));
	assert_hosts(ERROR_V4(IP(NODE_V4, CLIENT_V4, .offset = 32, .proto = PROTO_UDP), DATA(24)));
	assert_ours(ERROR_V6(IP(NODE_V6, CLIENT_V6), UDP(NODE_PORT, 5000), DATA(8)));
	assert_ours(ERROR_V6(IP(NODE_V6, CLIENT_V6), UDP(MASQUERADED, 53), DATA(8)));
	assert_ours(ERROR_V6(
		IP(NODE_V6, CLIENT_V6), FRAG(0, true, .id = 7), UDP(MASQUERADED, 53, .len = 56), DATA(24)));
	assert_hosts(
		ERROR_V6(IP(NODE_V6, CLIENT_V6), FRAG(32, false, .id = 7, .proto = PROTO_UDP), DATA(24)));
	assert_hosts(ERROR_V6(IP(NODE_V6, CLIENT_V6), UDP(40000, 53), DATA(8)));
}

#define ECHO(type, id) ICMP(type, 0, id, 1), DATA(24)

static void
test_echoes_by_their_identifiers(void **state)
{
	assert_ours(IP(CLIENT_V4, NODE_V4), ECHO(0, MASQUERADED));
	assert_ours(IP(CLIENT_V6, NODE_V6), ECHO(129, MASQUERADED));
	assert_hosts(IP(CLIENT_V4, NODE_V4), ECHO(0, 7));
	assert_hosts(IP(CLIENT_V6, NODE_V6), ECHO(129, 7));
	assert_hosts(IP(CLIENT_V4, NODE_V4), ECHO(8, MASQUERADED));
	assert_hosts(IP(CLIENT_V6, NODE_V6), ECHO(128, MASQUERADED));
	/* in parts */
	assert_ours(IP(CLIENT_V4, NODE_V4, .id = 50, .more = true), ECHO(0, MASQUERADED));
	assert_ours(IP(CLIENT_V4, NODE_V4, .id = 50, .offset = 32, .proto = PROTO_ICMP), DATA(24));
	assert_ours(IP(CLIENT_V6, NODE_V6), FRAG(0, true, .id = 50), ECHO(129, MASQUERADED));
	assert_ours(IP(CLIENT_V6, NODE_V6), FRAG(32, false, .id = 50, .proto = PROTO_ICMPV6), DATA(24));
	/* errors about what was asked, not about what was answered */
	assert_ours(ERROR_V4(IP(NODE_V4, CLIENT_V4), ECHO(8, MASQUERADED)));
	assert_ours(ERROR_V6(IP(NODE_V6, CLIENT_V6), ECHO(128, MASQUERADED)));
	assert_ours(ERROR_V6(IP(NODE_V6, CLIENT_V6), FRAG(0, true, .id = 51), ECHO(128, MASQUERADED)));
	assert_hosts(ERROR_V4(IP(NODE_V4, CLIENT_V4), ECHO(8, 7)));
	assert_hosts(ERROR_V6(IP(NODE_V6, CLIENT_V6), ECHO(128, 7)));
	assert_hosts(ERROR_V4(IP(NODE_V4, CLIENT_V4), ECHO(0, MASQUERADED)));
	assert_hosts(ERROR_V6(IP(NODE_V6, CLIENT_V6), ECHO(129, MASQUERADED)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_packets_by_their_ports),
		cmocka_unit_test(test_later_fragments_go_where_the_first_went),
		cmocka_unit_test(test_whatever_is_for_pods_is_ours),
		cmocka_unit_test(test_errors_by_what_they_quote),
		cmocka_unit_test(test_echoes_by_their_identifiers),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to load BPF programs\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
