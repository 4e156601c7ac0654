/* The underlay as the kernel tells it, in network namespaces of the test's own: the uplink is found by address, next hops
 * are resolved by ARP and neighbour discovery, on link and behind a gateway, and followed when they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/loop.h"
#include "control/node/underlay.h"

static pid_t peer; /* a process that keeps the other side's namespace */

static void
run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	/* a test's fixed commands: NOLINTNEXTLINE(cert-env33-c,bugprone-command-processor) */
	if (system(command) != 0)
		fail_msg("%s", command);
}

#define IN_PEER "nsenter --net=/proc/%d/ns/net "

static int
setup(void **state)
{
	int ready[2];
	char byte;

	if (geteuid() != 0 || pipe(ready) < 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	peer = fork();
	if (peer == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	run("ip link set lo up");
	run("ip link add up0 numrxqueues 2 numtxqueues 2 mtu 1450 type veth peer name far0");
	run("ip link set far0 netns %d", peer);
	run("ip addr add 192.0.2.1/24 dev up0 && ip addr add 2001:db8::1/64 dev up0 nodad && ip link set up0 "
	    "up");
	run(IN_PEER
		"sh -c 'ip link set far0 address 02:00:00:00:00:22 && ip addr add 192.0.2.2/24 dev far0 && "
		"ip addr add 2001:db8::2/64 dev far0 nodad && ip link set far0 up'",
		peer);
	run("ip route add 198.51.100.0/24 via 192.0.2.2");
	return 0;
}

static int
teardown(void **state)
{
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	return 0;
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static void
count_change(void *arg)
{
	(*(unsigned *)arg)++;
}

/* Runs the loop until the way to a VTEP is in that state; fails after some seconds. */
static struct next_hop
wait_for(struct loop *loop, const struct underlay *u, const char *vtep, enum next_hop_state state)
{
	struct ip_addr a = addr(vtep);
	uint64_t deadline = clock_now_ns() + 60 * NS_PER_S;

	while (underlay_next_hop(u, &a).state != state) {
		if (clock_now_ns() > deadline)
			fail_msg("%s is %s, not %s", vtep,
				next_hop_state_label(underlay_next_hop(u, &a).state),
				next_hop_state_label(state));
		loop_round(loop, 100);
	}
	return underlay_next_hop(u, &a);
}

static struct underlay *
start(struct loop *loop, const char *node_addr, unsigned *changes)
{
	struct underlay_config config = { .loop = loop,
		.interface = "",
		.node_addr = addr(node_addr),
		.changed = count_change,
		.arg = changes };
	struct underlay *u;

	assert_int_equal(underlay_new(&u, &config), 0);
	return u;
}

static void
test_the_uplink_is_the_interface_with_the_nodes_address(void **state)
{
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u = start(loop, "192.0.2.1", &changes);
	const struct underlay_facts *facts = underlay_facts(u);

	assert_string_equal(facts->name, "up0");
	assert_int_equal(facts->mtu, 1450);
	assert_int_equal(facts->n_queues, 2);
	assert_true(facts->is_up);
	assert_false(facts->mac.b[0] == 0 && facts->mac.b[5] == 0);
	assert_int_equal(facts->n_addrs, 2);
	run("ip link set up0 mtu 1400");
	while (changes == 0)
		loop_round(loop, -1);
	assert_int_equal(underlay_facts(u)->mtu, 1400);
	run("ip link set up0 mtu 1450");
	underlay_free(u);
	loop_free(loop);
}

/* Which the kernel lists by interface, the loopback one first. */
static void
test_addresses_that_the_node_holds_for_others_come_last(void **state)
{
	static const char *const order[] = { "192.0.2.1", "2001:db8::1", "192.0.2.77", "2001:db8::77",
		"203.0.113.7", "2001:db8:f::7" };
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u;

	run("ip addr add 203.0.113.7/32 dev lo && ip addr add 2001:db8:f::7/128 dev lo && "
	    "ip addr add 192.0.2.77/32 dev up0 && ip addr add 2001:db8::77/128 dev up0 nodad");
	u = start(loop, "192.0.2.1", &changes);
	assert_int_equal(underlay_facts(u)->n_addrs, 6);
	for (unsigned i = 0; i < 6; i++) {
		struct ip_addr a = addr(order[i]);
		bool is_there = false;

		/* the families stand in whichever order */
		for (unsigned k = i & ~1u; k < (i & ~1u) + 2; k++)
			is_there |= ip_addr_eq(&underlay_facts(u)->addrs[k], &a);
		assert_true(is_there);
	}
	underlay_free(u);
	loop_free(loop);
	run("ip addr del 203.0.113.7/32 dev lo && ip addr del 2001:db8:f::7/128 dev lo && "
	    "ip addr del 192.0.2.77/32 dev up0 && ip addr del 2001:db8::77/128 dev up0");
}

static void
test_next_hops_are_resolved(void **state)
{
	const struct ip_addr vteps[] = { addr("192.0.2.2"), addr("2001:db8::2"), addr("198.51.100.7"),
		addr("203.0.113.1"), addr("127.0.0.9"), addr("192.0.2.99") };
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u = start(loop, "192.0.2.1", &changes);
	struct next_hop hop;

	assert_int_equal(underlay_set_vteps(u, vteps, sizeof(vteps) / sizeof(vteps[0])), 0);
	hop = wait_for(loop, u, "192.0.2.2", NEXT_HOP_RESOLVED);
	assert_int_equal(hop.mac.b[5], 0x22);
	hop = wait_for(loop, u, "2001:db8::2", NEXT_HOP_RESOLVED);
	assert_int_equal(hop.mac.b[5], 0x22);
	hop = wait_for(loop, u, "198.51.100.7", NEXT_HOP_RESOLVED);
	assert_int_equal(hop.mac.b[5], 0x22);
	assert_int_equal(hop.addr.b[15], 2);
	wait_for(loop, u, "203.0.113.1", NEXT_HOP_NO_ROUTE);
	wait_for(loop, u, "192.0.2.99", NEXT_HOP_FAILED);
	assert_true(changes > 0);
	assert_int_equal(underlay_next_hop(u, &(struct ip_addr){ .b = { 1 } }).state, NEXT_HOP_UNKNOWN);
	underlay_free(u);
	loop_free(loop);
}

static void
test_changes_are_followed(void **state)
{
	const struct ip_addr vteps[] = { addr("192.0.2.2"), addr("203.0.113.1") };
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u = start(loop, "192.0.2.1", &changes);

	assert_int_equal(underlay_set_vteps(u, vteps, 2), 0);
	wait_for(loop, u, "192.0.2.2", NEXT_HOP_RESOLVED);
	wait_for(loop, u, "203.0.113.1", NEXT_HOP_NO_ROUTE);
	run("ip route add 203.0.113.0/24 via 192.0.2.2");
	wait_for(loop, u, "203.0.113.1", NEXT_HOP_RESOLVED);
	run("ip route del 203.0.113.0/24");
	wait_for(loop, u, "203.0.113.1", NEXT_HOP_NO_ROUTE);

	/* the node was replaced: another MAC answers */
	run(IN_PEER "ip link set far0 address 02:00:00:00:00:33", peer);
	run("ip neigh flush dev up0");
	while (wait_for(loop, u, "192.0.2.2", NEXT_HOP_RESOLVED).mac.b[5] != 0x33)
		loop_round(loop, 100);
	run(IN_PEER "ip link set far0 address 02:00:00:00:00:22", peer);
	underlay_free(u);
	loop_free(loop);
}

/* A large segment has changes in the neighbour table all the time. */
static void
test_neighbours_are_asked_for_again_amid_other_events(void **state)
{
	const struct ip_addr vtep = addr("192.0.2.50");
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u = start(loop, "192.0.2.1", &changes);

	assert_int_equal(underlay_set_vteps(u, &vtep, 1), 0);
	wait_for(loop, u, "192.0.2.50", NEXT_HOP_FAILED);
	run(IN_PEER "ip addr add 192.0.2.50/32 dev far0", peer);
	for (unsigned i = 0; underlay_next_hop(u, &vtep).state != NEXT_HOP_RESOLVED; i++) {
		if (i == 1000) /* the kernel's own three attempts are long over */
			fail_msg("still %s", next_hop_state_label(underlay_next_hop(u, &vtep).state));
		run("ip neigh replace 192.0.2.77 lladdr 02:00:00:00:01:%02x dev up0 nud permanent", i);
		loop_round(loop, 0);
		usleep(50000);
	}
	run("ip neigh del 192.0.2.77 dev up0");
	run(IN_PEER "ip addr del 192.0.2.50/32 dev far0", peer);
	underlay_free(u);
	loop_free(loop);
}

static struct way_out ways[UNDERLAY_WAYS_OUT_MAX];

static const struct way_out *
find_way(const struct underlay *u, const char *text)
{
	size_t n = underlay_ways_out(u, ways, UNDERLAY_WAYS_OUT_MAX);
	struct ip_prefix dst;

	assert_true(ip_prefix_parse(text, &dst));
	for (size_t i = 0; i < n; i++)
		if (ways[i].dst.len == dst.len && ip_addr_eq(&ways[i].dst.addr, &dst.addr))
			return &ways[i];
	return NULL;
}

/* Until there is a way of that kind, its next hop's MAC ending like that (0: none); fails after some seconds. */
static void
wait_for_way(struct loop *loop, const struct underlay *u, const char *dst, enum route_kind kind, unsigned mac)
{
	uint64_t deadline = clock_now_ns() + 60 * NS_PER_S;

	for (;;) {
		const struct way_out *way = find_way(u, dst);

		if (way == NULL ? kind == ROUTE_NONE : way->kind == kind && way->next_hop.b[5] == mac)
			return;
		if (clock_now_ns() > deadline)
			fail_msg("%s: kind %d, MAC %x", dst, way == NULL ? -1 : (int)way->kind,
				way == NULL ? 0 : way->next_hop.b[5]);
		loop_round(loop, 100);
	}
}

static void
test_the_nodes_routes_lead_out(void **state)
{
	struct ip_addr near4 = addr("192.0.2.2"), near6 = addr("2001:db8::2"), nobody = addr("192.0.2.99"),
		       far = addr("198.51.100.7");
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u = start(loop, "192.0.2.1", &changes);

	run("ip neigh flush dev up0");
	run("ip link add other0 type veth peer name other1 && ip addr add 10.9.0.1/24 dev other0 && ip link "
	    "set other0 up");
	run("ip route add default via 192.0.2.2");
	run("ip -6 route add default via 2001:db8::2");
	run("ip route add blackhole 10.7.0.0/16");
	run("ip route add 203.0.113.0/24 via 10.9.0.2 && ip route add 203.0.113.0/24 via 192.0.2.2 metric 9");
	wait_for_way(loop, u, "0.0.0.0/0", ROUTE_UNDERLAY, 0x22);
	wait_for_way(loop, u, "::/0", ROUTE_UNDERLAY, 0x22);
	wait_for_way(loop, u, "198.51.100.0/24", ROUTE_UNDERLAY, 0x22);
	wait_for_way(loop, u, "192.0.2.0/24", ROUTE_SEGMENT, 0);
	wait_for_way(loop, u, "2001:db8::/64", ROUTE_SEGMENT, 0);
	wait_for_way(loop, u, "10.9.0.0/24", ROUTE_ELSEWHERE, 0);
	wait_for_way(loop, u, "10.7.0.0/16", ROUTE_NOBODY, 0);
	wait_for_way(loop, u, "203.0.113.0/24", ROUTE_ELSEWHERE, 0); /* the better metric */
	run("ip route del 203.0.113.0/24 via 10.9.0.2");
	wait_for_way(loop, u, "203.0.113.0/24", ROUTE_UNDERLAY, 0x22);

	/* hosts of the segment are found when packets ask for them, and nobody else is looked for */
	run("ip route del default && ip -6 route del default && ip route del 198.51.100.0/24");
	run("ip route del 203.0.113.0/24 && ip link del other0 && ip route del blackhole 10.7.0.0/16");
	wait_for_way(loop, u, "0.0.0.0/0", ROUTE_NONE, 0);
	underlay_find_host(u, &near4);
	underlay_find_host(u, &near6);
	underlay_find_host(u, &nobody);
	underlay_find_host(u, &far);
	wait_for_way(loop, u, "192.0.2.2/32", ROUTE_UNDERLAY, 0x22);
	wait_for_way(loop, u, "2001:db8::2/128", ROUTE_UNDERLAY, 0x22);
	assert_null(find_way(u, "192.0.2.99/32"));
	assert_null(find_way(u, "198.51.100.7/32"));
	run("ip route add 198.51.100.0/24 via 192.0.2.2");
	underlay_free(u);
	loop_free(loop);
}

/* The node talks to hosts of its segment itself, and so did the daemon before a restart: of what the kernel knows already,
 * it sends no event. */
static void
test_hosts_that_the_kernel_knows_are_found_at_once(void **state)
{
	static const char *const reachability[] = { "reachable", "stale", "permanent" };
	struct ip_addr asked = addr("192.0.2.60"), everybody = addr("192.0.2.255");
	struct loop *loop = loop_new();
	unsigned changes = 0;
	struct underlay *u;

	run("ip neigh flush dev up0");
	run("ip neigh replace 192.0.2.61 lladdr 02:00:00:00:00:61 dev up0 nud stale");
	run("ip neigh replace 2001:db8::61 lladdr 02:00:00:00:00:61 dev up0 nud reachable");
	run("ip neigh replace 192.0.2.255 lladdr ff:ff:ff:ff:ff:ff dev up0 nud noarp");
	u = start(loop, "192.0.2.1", &changes);
	assert_true(underlay_read(u));
	assert_int_equal(find_way(u, "192.0.2.0/24")->kind, ROUTE_SEGMENT);
	assert_int_equal(find_way(u, "192.0.2.61/32")->next_hop.b[5], 0x61);
	assert_int_equal(find_way(u, "2001:db8::61/128")->next_hop.b[5], 0x61);

	for (unsigned i = 0; i < sizeof(reachability) / sizeof(reachability[0]); i++) {
		run("ip neigh replace 192.0.2.60 lladdr 02:00:00:00:00:60 dev up0 nud %s", reachability[i]);
		loop_round(loop, 0);
		assert_null(find_way(u, "192.0.2.60/32"));
		changes = 0;
		underlay_find_host(u, &asked);
		assert_int_equal(find_way(u, "192.0.2.60/32")->next_hop.b[5], 0x60);
		while (changes == 0)
			loop_round(loop, -1);
		underlay_free(u);
		/* what the operator decided is left as it was */
		run("ip neigh show 192.0.2.60 nud all | grep -q 'lladdr 02:00:00:00:00:60'");
		if (strcmp(reachability[i], "permanent") == 0)
			run("ip neigh show 192.0.2.60 nud all | grep -q PERMANENT");
		run("ip neigh del 192.0.2.60 dev up0");
		u = start(loop, "192.0.2.1", &changes);
		wait_for_way(loop, u, "192.0.2.0/24", ROUTE_SEGMENT, 0);
	}

	underlay_find_host(u, &everybody);
	assert_null(find_way(u, "192.0.2.255/32"));
	run("ip neigh flush dev up0");
	underlay_free(u);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_uplink_is_the_interface_with_the_nodes_address),
		cmocka_unit_test(test_addresses_that_the_node_holds_for_others_come_last),
		cmocka_unit_test(test_next_hops_are_resolved),
		cmocka_unit_test(test_changes_are_followed),
		cmocka_unit_test(test_neighbours_are_asked_for_again_amid_other_events),
		cmocka_unit_test(test_the_nodes_routes_lead_out),
		cmocka_unit_test(test_hosts_that_the_kernel_knows_are_found_at_once),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make network namespaces\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
