/* The kernel's rules of priority 0 that lead the node's own processes to services at its own addresses, in a network
 * namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/rule.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/node/netdev.h"

static void
run(const char *command)
{
	/* a test's fixed commands: NOLINTNEXTLINE(cert-env33-c,bugprone-command-processor) */
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* What a command prints, its lines joined by '|'. */
static const char *
output(const char *command)
{
	static char text[4096];
	FILE *pipe = popen(command, "r"); /* as above: NOLINT(cert-env33-c,bugprone-command-processor) */
	size_t len;

	assert_non_null(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = '\0';
	pclose(pipe);
	for (char *at = text; (at = strchr(at, '\n')) != NULL;)
		*at = '|';
	return text;
}

#define RULES(family) "ip -" family " -N rule show | tr -s '\\t' ' ' | grep ^0: | cut -d' ' -f2-"

static struct netdev_detour
detour(const char *addr, uint8_t proto, uint16_t first, uint16_t last)
{
	struct netdev_detour d = { .proto = proto, .first = first, .last = last };

	assert_true(ip_addr_parse(addr, &d.addr));
	return d;
}

static int
setup(void **state)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	*state = netdev_open();
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	netdev_close(*state);
	return 0;
}

#define LOCAL "from all lookup 255|"
#define WEB4 "from all to 192.0.2.1 iif lo ipproto ipproto-6 dport 30080 lookup 1140 proto 114|"
#define WEB6 "from all to 2001:db8::1 iif lo ipproto ipproto-6 dport 30080 lookup 1140 proto 114|"
#define TUNNEL "not from all fwmark 0xca6c lookup 51820|"
#define DNS4 "from all to 192.0.2.1 iif lo ipproto ipproto-17 dport 30053-30055 lookup 1140 proto 114|"

static void
test_detours_stand_before_local_addresses(void **state)
{
	const struct netdev_detour detours[] = {
		detour("192.0.2.1", 6, 30080, 30080),
		detour("2001:db8::1", 6, 30080, 30080),
		detour("192.0.2.1", 17, 30053, 30055),
	};

	assert_string_equal(output(RULES("4")), LOCAL);
	assert_string_equal(output(RULES("6")), LOCAL);
	assert_int_equal(netdev_set_detours(*state, detours, 2), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	assert_string_equal(output(RULES("6")), WEB6 LOCAL);
	assert_int_equal(netdev_set_detours(*state, detours, 2), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	/* one more, and others less */
	assert_int_equal(netdev_set_detours(*state, detours, 3), 0);
	assert_string_equal(output(RULES("4")), WEB4 DNS4 LOCAL);
	assert_int_equal(netdev_set_detours(*state, detours + 2, 1), 0);
	assert_string_equal(output(RULES("4")), DNS4 LOCAL);
	assert_string_equal(output(RULES("6")), LOCAL);
	/* and as it was */
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
	assert_string_equal(output(RULES("4")), LOCAL);
	assert_string_equal(output("ip -4 -N -d rule show pref 0"), "0:\tfrom all lookup 255 proto 2|");
}

/* 'ip' adds no rule that is there already. */
static void
add_local_rule(void)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_rule *rule = rtnl_rule_alloc();

	assert_int_equal(nl_connect(sk, NETLINK_ROUTE), 0);
	rtnl_rule_set_family(rule, AF_INET);
	rtnl_rule_set_prio(rule, 0);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_table(rule, RT_TABLE_LOCAL);
	assert_int_equal(rtnl_rule_add(sk, rule, 0), 0);
	rtnl_rule_put(rule);
	nl_socket_free(sk);
}

static void
test_what_was_half_done_is_finished(void **state)
{
	const struct netdev_detour web = detour("192.0.2.1", 6, 30080, 30080);
	const char *const add =
		"ip rule add pref 0 to 192.0.2.1 iif lo ipproto tcp dport 30080 lookup 1140 protocol 114";

	/* ended after adding the detour */
	run(add);
	assert_string_equal(output(RULES("4")), LOCAL WEB4);
	assert_int_equal(netdev_set_detours(*state, &web, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	/* ended after adding the rule for local addresses once more */
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
	run(add);
	add_local_rule();
	assert_string_equal(output(RULES("4")), LOCAL WEB4 LOCAL);
	assert_int_equal(netdev_set_detours(*state, &web, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	/* the same, and the detour is wanted no more */
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
	add_local_rule();
	run(add);
	assert_string_equal(output(RULES("4")), LOCAL LOCAL WEB4);
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
	assert_string_equal(output(RULES("4")), LOCAL);
	assert_int_equal(netdev_set_detours(*state, &web, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	/* somebody removed it */
	run("ip rule del pref 0 to 192.0.2.1 lookup 1140");
	assert_int_equal(netdev_set_detours(*state, &web, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
}

/* As Cilium does: ours are before it, wherever it is. */
static void
test_local_addresses_may_be_looked_up_later(void **state)
{
	const struct netdev_detour web = detour("192.0.2.1", 6, 30080, 30080);

	run("ip rule add pref 100 lookup local && ip rule del pref 0 lookup local");
	assert_int_equal(netdev_set_detours(*state, &web, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4);
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
	assert_string_equal(output(RULES("4")), "");
	run("ip rule add pref 0 lookup local && ip rule del pref 100 lookup local");
}

/* To remove the kernel's rule, one that could be taken for it must not be there. */
static void
test_a_strangers_rule_is_not_touched(void **state)
{
	const struct netdev_detour web = detour("192.0.2.1", 6, 30080, 30080);

	run("ip rule add pref 0 from 192.0.2.7 lookup local");
	assert_int_equal(netdev_set_detours(*state, &web, 1), -EBUSY);
	assert_string_equal(output(RULES("4")), LOCAL "from 192.0.2.7 lookup 255|" WEB4);
	run("ip rule del pref 0 from 192.0.2.7 lookup local");
	assert_int_equal(netdev_set_detours(*state, &web, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL);
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
}

/* Rules that are added without a priority get 0, too, once there are detours. They stay behind the one for local addresses,
 * or what is for this node would leave it. */
static void
test_a_rule_without_a_priority_stays_behind_local_addresses(void **state)
{
	const struct netdev_detour detours[] = {
		detour("192.0.2.1", 6, 30080, 30080),
		detour("192.0.2.1", 17, 30053, 30055),
		detour("2001:db8::1", 6, 30080, 30080),
	};

	assert_int_equal(netdev_set_detours(*state, detours, 1), 0);
	run("ip rule add not fwmark 51820 lookup 51820");
	assert_string_equal(output(RULES("4")), WEB4 LOCAL TUNNEL);
	assert_int_equal(netdev_set_detours(*state, detours, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL TUNNEL);
	assert_int_equal(netdev_set_detours(*state, detours, 3), -EBUSY);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL TUNNEL DNS4);
	assert_string_equal(output(RULES("6")), WEB6 LOCAL); /* which has no such rule */
	/* what is wanted no more goes, and with the stranger's away all is as it should be */
	assert_int_equal(netdev_set_detours(*state, detours, 1), 0);
	assert_string_equal(output(RULES("4")), WEB4 LOCAL TUNNEL);
	run("ip rule del not fwmark 51820 lookup 51820");
	assert_int_equal(netdev_set_detours(*state, detours, 2), 0);
	assert_string_equal(output(RULES("4")), WEB4 DNS4 LOCAL);
	assert_int_equal(netdev_set_detours(*state, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detours_stand_before_local_addresses),
		cmocka_unit_test(test_what_was_half_done_is_finished),
		cmocka_unit_test(test_local_addresses_may_be_looked_up_later),
		cmocka_unit_test(test_a_strangers_rule_is_not_touched),
		cmocka_unit_test(test_a_rule_without_a_priority_stays_behind_local_addresses),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make network namespaces\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
