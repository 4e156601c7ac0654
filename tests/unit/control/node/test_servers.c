/* Which ports are servers' by their sockets: real ones, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/node/servers.h"
#include "control/node/sockets.h"
#include "dataplane/policy/policy_state.h"
#include "tests/support/own_netns.h"

static struct sockaddr_in6
sockaddr_of(const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6_addr), 1);
	return sa;
}

static int
bound(const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = sockaddr_of(text, port);
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int
listening(const char *text, uint16_t port)
{
	int fd = bound(text, port);

	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static struct server_ports
look(void)
{
	struct server_ports ports;
	int view = sockets_open(NULL);

	assert_true(view >= 0);
	assert_int_equal(server_ports_read(&ports, view), 0);
	close(view);
	return ports;
}

static bool
has(const uint64_t *ports, uint16_t port)
{
	return ports[port / 64] >> port % 64 & 1;
}

static void
ports_that_listen_and_ports_in_use(void **state)
{
	struct sockaddr_in6 to = sockaddr_of("::1", 7002);
	int all = listening("::", 7001), one = listening("::1", 7002),
	    v4 = listening("::ffff:127.0.0.1", 7003);
	int client = bound("::1", 7004), server;
	struct server_ports ports;

	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	server = accept(one, NULL, NULL);
	assert_true(server >= 0);
	ports = look();
	assert_true(ports.has_sockets);
	assert_true(has(ports.listening, 7001));
	/* nobody gets at these from outside */
	assert_false(has(ports.listening, 7002) || has(ports.listening, 7003));
	assert_false(has(ports.listening, 7004));
	for (uint16_t port = 7001; port <= 7004; port++)
		assert_true(has(ports.in_use, port));
	assert_false(has(ports.in_use, 7005));
	close(all);
	close(v4);
	/* a connection stands whose listener is gone */
	close(one);
	ports = look();
	assert_false(has(ports.in_use, 7001) || has(ports.in_use, 7003));
	assert_true(has(ports.in_use, 7002) && has(ports.in_use, 7004));
	close(client);
	close(server);
}

static void
only_others_connections_count(void **state)
{
	struct sockaddr_in6 to = sockaddr_of("::ffff:192.0.2.1", 7011);
	int listener, own, client;
	struct server_ports ports;

	assert_int_equal(system("ip addr add 192.0.2.1/32 dev lo && ip addr add 192.0.2.2/32 dev lo"), 0);
	listener = listening("::ffff:192.0.2.1", 7011);
	own = bound("::ffff:192.0.2.1", 7012);
	assert_int_equal(connect(own, (struct sockaddr *)&to, sizeof(to)), 0);
	ports = look();
	assert_true(has(ports.in_use, 7011));
	assert_false(has(ports.connected, 7011));
	client = bound("::ffff:192.0.2.2", 7013);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	ports = look();
	assert_true(has(ports.listening, 7011) && has(ports.connected, 7011));
	close(client);
	close(own);
	close(listener);
}

struct ageing {
	struct policy_state *state;
	uint64_t idle[SERVER_WORDS], forgotten[SERVER_WORDS];
};

static bool
sweep(struct ageing *a, const struct server_ports *ports)
{
	return server_ports_age(a->state, ports, a->idle, a->forgotten);
}

static void
learned_ports_end_when_two_sweeps_see_no_socket(void **state)
{
	static const uint64_t key[2] = { 1, 2 };
	struct ageing a = { .state = aligned_alloc(CACHE_LINE, sizeof(struct policy_state)) };
	struct server_ports ports = { .has_sockets = true }, nothing = { 0 };

	memset(a.state, 0, sizeof(*a.state));
	policy_state_adopt(a.state, key);
	policy_declare_server(a.state, 80);
	policy_learn_server(a.state, 8080);
	policy_learn_server(a.state, 9090);
	ports.in_use[8080 / 64] = UINT64_C(1) << 8080 % 64;
	assert_false(sweep(&a, &ports));
	assert_true(sweep(&a, &ports));
	assert_true(has(a.forgotten, 9090));
	assert_false(has(a.forgotten, 8080) || has(a.forgotten, 80));
	assert_true(policy_forget_server(a.state, 9090));
	assert_false(sweep(&a, &ports));
	/* one that was there again in between begins anew */
	memset(ports.in_use, 0, sizeof(ports.in_use));
	assert_false(sweep(&a, &ports));
	ports.in_use[8080 / 64] = UINT64_C(1) << 8080 % 64;
	assert_false(sweep(&a, &ports));
	memset(ports.in_use, 0, sizeof(ports.in_use));
	assert_false(sweep(&a, &ports));
	/* without any socket it may be a virtual machine's */
	for (unsigned i = 0; i < 4; i++)
		assert_false(sweep(&a, &nothing));
	assert_false(sweep(&a, &ports));
	assert_true(sweep(&a, &ports));
	assert_true(has(a.forgotten, 8080));
	free(a.state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ports_that_listen_and_ports_in_use, own_netns_setup),
		cmocka_unit_test_setup(only_others_connections_count, own_netns_setup),
		cmocka_unit_test(learned_ports_end_when_two_sweeps_see_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
