/* Which sockets the kernel tells of: real ones, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/node/sockets.h"
#include "dataplane/clock.h"
#include "dataplane/net/headers.h"
#include "tests/support/own_netns.h"

#define SEEN_MAX 16

struct seen {
	unsigned n;
	struct socket_seen sockets[SEEN_MAX];
};

static void
collect(const struct socket_seen *socket, void *arg)
{
	struct seen *seen = arg;

	if (seen->n < SEEN_MAX)
		seen->sockets[seen->n] = *socket;
	seen->n++;
}

static struct seen
look(uint8_t proto, uint32_t states, uint16_t local_port)
{
	struct sockets_wanted wanted = { .proto = proto, .states = states, .local_port = local_port };
	struct seen seen = { 0 };
	int view = sockets_open(NULL);

	assert_true(view >= 0);
	assert_int_equal(sockets_each(view, &wanted, collect, &seen), 0);
	close(view);
	return seen;
}

static struct sockaddr_in6
sockaddr_of(const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6_addr), 1);
	return sa;
}

/* An IPv6 socket bound to the port of an address, which may be a v4-mapped one. */
static int
bound(int type, const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = sockaddr_of(text, port);
	int fd = socket(AF_INET6, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void
test_connections_of_both_families_are_told(void **state)
{
	static const char *const addrs[] = { "::1", "::ffff:127.0.0.1" };

	for (unsigned i = 0; i < 2; i++) {
		int listener = bound(SOCK_STREAM, addrs[i], 80), client = bound(SOCK_STREAM, addrs[i], 40000),
		    server;
		struct sockaddr_in6 to = sockaddr_of(addrs[i], 80);
		struct linger now = { .l_onoff = 1 };
		struct ip_addr expected;
		struct seen seen;

		assert_true(ip_addr_parse(i == 0 ? "::1" : "127.0.0.1", &expected));
		assert_int_equal(listen(listener, 1), 0);
		assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
		server = accept(listener, NULL, NULL);
		assert_int_equal(look(PROTO_TCP, SOCKETS_LIVE, 0).n, 2);
		assert_int_equal(look(PROTO_TCP, SOCKETS_ALL, 0).n, 3);
		seen = look(PROTO_TCP, SOCKETS_LIVE, 40000);
		assert_int_equal(seen.n, 1);
		assert_true(ip_addr_eq(&seen.sockets[0].local, &expected));
		assert_true(ip_addr_eq(&seen.sockets[0].remote, &expected));
		assert_int_equal(seen.sockets[0].remote_port, 80);
		assert_int_equal(seen.sockets[0].local_port, 40000);
		assert_int_equal(seen.sockets[0].state, SOCKET_ESTABLISHED);
		assert_int_equal(seen.sockets[0].proto, PROTO_TCP);
		setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(client);
		close(server);
		close(listener);
	}
}

static void
test_an_ipv4_socket_is_told_once(void **state)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ip_addr loopback;
	struct seen seen;

	assert_true(ip_addr_parse("127.0.0.1", &loopback));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	seen = look(PROTO_UDP, SOCKETS_ALL, 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.sockets[0].state, SOCKET_ESTABLISHED);
	assert_int_equal(seen.sockets[0].remote_port, 53);
	assert_true(ip_addr_eq(&seen.sockets[0].local, &loopback));
	close(fd);
}

static void
test_an_unconnected_socket_has_a_local_port_and_no_remote_one(void **state)
{
	static const char *const addrs[] = { "::", "::ffff:0.0.0.0" };

	for (unsigned i = 0; i < 2; i++) {
		int fd = bound(SOCK_DGRAM, addrs[i], 40001);
		struct seen seen = look(PROTO_UDP, SOCKETS_ALL, 40001);

		assert_int_equal(seen.n, 1);
		assert_int_equal(seen.sockets[0].state, SOCKET_CLOSE);
		assert_true(ip_addr_is_none(&seen.sockets[0].remote));
		assert_true(ip_addr_is_none(&seen.sockets[0].local));
		assert_int_equal(seen.sockets[0].local_port, 40001);
		assert_int_equal(look(PROTO_UDP, SOCKETS_ALL, 40002).n, 0);
		assert_int_equal(look(PROTO_TCP, SOCKETS_ALL, 0).n, 0);
		close(fd);
	}
}

/* More than fits one message of the kernel. */
static void
test_many_sockets_are_all_told(void **state)
{
	enum { N = 900 };
	static int fds[N];
	uint64_t start;

	for (unsigned i = 0; i < N; i++)
		fds[i] = bound(SOCK_DGRAM, "::", (uint16_t)(20000 + i));
	start = clock_now_ns();
	assert_int_equal(look(PROTO_UDP, SOCKETS_ALL, 0).n, N);
	print_message("# %u sockets told in %lu us\n", N, (unsigned long)((clock_now_ns() - start) / 1000));
	for (unsigned i = 0; i < N; i++)
		close(fds[i]);
	start = clock_now_ns();
	assert_int_equal(look(PROTO_TCP, SOCKETS_LIVE, 0).n, 0);
	print_message("# no TCP socket told in %lu us\n", (unsigned long)((clock_now_ns() - start) / 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_of_both_families_are_told),
		cmocka_unit_test(test_an_ipv4_socket_is_told_once),
		cmocka_unit_test(test_an_unconnected_socket_has_a_local_port_and_no_remote_one),
		cmocka_unit_test(test_many_sockets_are_all_told),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make a network namespace\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, own_netns_setup, NULL);
}
