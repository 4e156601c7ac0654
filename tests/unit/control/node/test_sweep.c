/* TCP exceptions end with their connections, and only with them. The kernel is asked about real sockets, in a network
 * namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/node/sockets.h"
#include "control/node/sweep.h"
#include "dataplane/worker.h"
#include "tests/support/own_netns.h"

#define CAPACITY 64

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

struct connection {
	int listener, client, server;
	struct ip_addr addr;
	uint16_t listener_port, client_port;
};

static uint16_t
port_of(int fd)
{
	struct sockaddr_in6 sa; /* the port stands at the same place in both families */
	socklen_t len = sizeof(sa);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin6_port);
}

static struct connection
connect_loopback(int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *sa = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	struct connection c = { .addr = addr(family == AF_INET ? "127.0.0.1" : "::1") };

	c.listener = socket(family, SOCK_STREAM, 0);
	assert_int_equal(bind(c.listener, sa, len), 0);
	assert_int_equal(listen(c.listener, 1), 0);
	assert_int_equal(getsockname(c.listener, sa, &len), 0);
	c.listener_port = port_of(c.listener);
	c.client = socket(family, SOCK_STREAM, 0);
	assert_int_equal(connect(c.client, sa, len), 0);
	c.server = accept(c.listener, NULL, NULL);
	assert_true(c.server >= 0);
	c.client_port = port_of(c.client);
	return c;
}

/* Both ends with a reset, so that no TIME-WAIT is left. */
static void
break_connection(struct connection *c)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(c->client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->client);
	close(c->server);
	close(c->listener);
}

static void
test_the_kernel_tells_which_connections_exist(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < 2; i++) {
		struct connection c = connect_loopback(families[i]);
		int view = sockets_open(NULL);

		assert_true(view >= 0);
		assert_int_equal(sockets_tcp_state(view, &c.addr, c.client_port, &c.addr, c.listener_port),
			SOCKET_ESTABLISHED);
		/* a listener of that port is no connection */
		assert_int_equal(sockets_tcp_state(view, &c.addr, c.listener_port, &c.addr, 9), 0);
		break_connection(&c);
		assert_int_equal(
			sockets_tcp_state(view, &c.addr, c.client_port, &c.addr, c.listener_port), 0);
		close(view);
	}
}

static void
test_another_namespace_is_looked_into_and_left_again(void **state)
{
	struct connection c = connect_loopback(AF_INET);
	int view, here;
	char path[64];

	/* what is ours now becomes the other one */
	here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", here);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	view = sockets_open(path);
	assert_true(view >= 0);
	assert_int_equal(sockets_tcp_state(view, &c.addr, c.client_port, &c.addr, c.listener_port),
		SOCKET_ESTABLISHED);
	close(view);
	view = sockets_open(NULL);
	assert_int_equal(sockets_tcp_state(view, &c.addr, c.client_port, &c.addr, c.listener_port), 0);
	close(view);
	assert_int_equal(sockets_open("/nowhere"), -ENOENT);
	break_connection(&c);
	close(here);
	assert_int_equal(own_netns_setup(state), 0);
}

/* Entries by client port: even ones are gone, port 5 cannot be told. */
static int
ask_by_port(const struct nat_flow *x, void *arg)
{
	(*(unsigned *)arg)++;
	return x->client_port == 5 ? -EIO : x->client_port % 2;
}

static void
add(struct nat_flows *e, uint16_t client_port, uint8_t proto, uint64_t now_ns)
{
	struct nat_flow flow = {
		.client = addr("10.244.1.10"),
		.client_port = client_port,
		.frontend = addr("10.96.0.10"),
		.frontend_port = 80,
		.backend = addr("10.244.2.20"),
		.backend_port = 8080,
		.wire = addr("10.244.1.10"),
		.wire_port = client_port,
		.proto = proto,
	};

	assert_non_null(nat_flows_add(e, &flow, NULL, now_ns));
}

static void
test_only_quiet_tcp_entries_without_a_socket_end(void **state)
{
	struct nat_flows *e = aligned_alloc(CACHE_LINE, nat_flows_size(CAPACITY));
	struct crossing *crossing = crossing_new(1);
	struct snapshot *snapshot = snapshot_new(1);
	struct worker_config config = {
		.cpu = -1, .snapshot = snapshot, .crossing = crossing, .flows = { .exceptions = e }
	};
	struct worker *w = worker_new(&config);
	uint64_t now = 10 * SWEEP_QUIET_NS;
	static struct sweep sweep;
	unsigned asked = 0;
	struct ip_addr client = addr("10.244.1.10"), frontend = addr("10.96.0.10");

	memset(e, 0, nat_flows_size(CAPACITY));
	nat_flows_adopt(e, &(struct nat_flows_config){ .capacity = CAPACITY, .quota = CAPACITY }, 0);
	for (uint16_t port = 1; port <= 8; port++)
		add(e, port, PROTO_TCP, 0);
	add(e, 10, PROTO_UDP, 0);
	add(e, 12, PROTO_TCP, now - 1);                /* used just now */
	for (uint16_t port = 21; port <= 22; port++) { /* datagrams of connected sockets */
		add(e, port, PROTO_UDP, 0);
		nat_flows_find_forward(e, &client, port, &frontend, 80, PROTO_UDP)->flags |=
			NAT_FLOW_CONNECTED;
	}
	sweep_begin(&sweep, now);
	while (sweep_step(&sweep, &w, 1, &(struct sweep_calls){ .ask = ask_by_port, .arg = &asked }))
		;
	assert_int_equal(sweep.n_ended, 5);
	assert_int_equal(asked, 10);
	for (uint16_t port = 1; port <= 8; port++)
		assert_int_equal(
			nat_flows_find_forward(e, &client, port, &frontend, 80, PROTO_TCP) != NULL, port % 2);
	assert_non_null(nat_flows_find_forward(e, &client, 10, &frontend, 80, PROTO_UDP));
	assert_non_null(nat_flows_find_forward(e, &client, 21, &frontend, 80, PROTO_UDP));
	assert_null(nat_flows_find_forward(e, &client, 22, &frontend, 80, PROTO_UDP));
	assert_non_null(nat_flows_find_forward(e, &client, 12, &frontend, 80, PROTO_TCP));
	worker_free(w);
	snapshot_free(snapshot);
	crossing_free(crossing);
	free(e);
}

/* Entries without a socket; those of odd ports have one. */
static int
ask_odd(const struct nat_flow *x, void *arg)
{
	return x->client_port % 2;
}

static void
count_unseen(const struct nat_flow *x, void *arg)
{
	++*(unsigned *)arg;
}

/* Returns of how many flows it is told that their sockets are elsewhere. */
static unsigned
sweep_at(struct worker *w, uint64_t now_ns, sweep_ask *ask)
{
	static struct sweep sweep;
	unsigned n_unseen = 0;

	sweep_begin(&sweep, now_ns);
	while (sweep_step(
		&sweep, &w, 1, &(struct sweep_calls){ .ask = ask, .unseen = count_unseen, .arg = &n_unseen }))
		;
	return n_unseen;
}

static int
ask_nobody(const struct nat_flow *x, void *arg)
{
	return 0;
}

static struct nat_flow *
find(struct nat_flows *e, uint16_t client_port)
{
	struct ip_addr client = addr("10.244.1.10"), frontend = addr("10.96.0.10");

	return nat_flows_find_forward(e, &client, client_port, &frontend, 80, PROTO_TCP);
}

/* The connections of a virtual machine in a pod, or of Docker in it: none of its kernel's sockets is theirs. */
static void
a_socket_that_was_never_seen_ends_nothing(void **state)
{
	enum {
		OPENING = 2,
		STANDING = 4,
		HALF_CLOSED = 6,
		CLOSED = 8,
		BEGUN_ANEW = 10,
		SEEN = 11,
		LAST_ACK = 12
	};
	const uint16_t last = SEEN, last_unseen = LAST_ACK;
	struct nat_flows *e = aligned_alloc(CACHE_LINE, nat_flows_size(CAPACITY));
	struct nat_flows_config table = { .capacity = CAPACITY, .quota = CAPACITY };
	struct crossing *crossing = crossing_new(1);
	struct snapshot *snapshot = snapshot_new(1);
	struct worker_config config = {
		.cpu = -1, .snapshot = snapshot, .crossing = crossing, .flows = { .exceptions = e }
	};
	struct worker *w = worker_new(&config);
	const uint64_t second = UINT64_C(1000000000);

	memset(e, 0, nat_flows_size(CAPACITY));
	nat_flows_adopt(e, &table, 0);
	for (uint16_t port = OPENING; port <= last; port++) {
		if (port % 2 && port != SEEN)
			continue;
		add(e, port, PROTO_TCP, 0);
		nat_flow_seen(find(e, port), true, TCP_SYN, 0);
		if (port != OPENING) {
			nat_flow_seen(find(e, port), false, TCP_SYN | TCP_ACK, 0);
			nat_flow_seen(find(e, port), true, TCP_ACK, 0);
		}
	}
	nat_flow_seen(find(e, HALF_CLOSED), true, TCP_FIN | TCP_ACK, 0);
	nat_flow_seen(find(e, CLOSED), true, TCP_RST, 0);
	/* on its ports, the client had a socket once */
	nat_flows_note_socket(e, find(e, BEGUN_ANEW));
	nat_flow_seen(find(e, BEGUN_ANEW), true, TCP_SYN, 0);
	nat_flow_seen(find(e, BEGUN_ANEW), false, TCP_SYN | TCP_ACK, 0);
	nat_flow_seen(find(e, BEGUN_ANEW), true, TCP_ACK, 0);
	/* there was no room for an entry before, or a connection is made up: nobody has more to say */
	add(e, LAST_ACK, PROTO_TCP, 0);
	nat_flow_seen(find(e, LAST_ACK), true, TCP_ACK, 0);

	/* young ones that stand are asked about, and none ends */
	assert_int_equal(sweep_at(w, 1 * second, ask_odd), 0);
	for (uint16_t port = OPENING; port <= last_unseen; port += 2)
		assert_int_equal(find(e, port)->flags & NAT_FLOW_SOCKET, 0);
	assert_true(find(e, SEEN)->flags & NAT_FLOW_SOCKET);
	/* what never came to stand ends as before */
	assert_int_equal(sweep_at(w, SWEEP_QUIET_NS, ask_odd), 2);
	assert_null(find(e, OPENING));
	assert_null(find(e, CLOSED));
	assert_non_null(find(e, HALF_CLOSED));
	assert_non_null(find(e, LAST_ACK));
	/* a restart forgets nothing, and ends nothing */
	nat_flows_adopt(e, &table, SWEEP_QUIET_NS);
	sweep_at(w, NAT_FLOW_UNSEEN_TRANSITORY_IDLE_NS, ask_odd);
	assert_null(find(e, HALF_CLOSED));
	assert_null(find(e, LAST_ACK));
	assert_non_null(find(e, STANDING));
	assert_non_null(find(e, BEGUN_ANEW));
	/* a socket that was seen, and is gone, is proof */
	assert_non_null(find(e, SEEN));
	sweep_at(w, NAT_FLOW_UNSEEN_IDLE_NS - 1, ask_nobody);
	assert_null(find(e, SEEN));
	assert_non_null(find(e, STANDING));
	sweep_at(w, NAT_FLOW_UNSEEN_IDLE_NS, ask_nobody);
	assert_true(nat_flows_is_empty(e));
	worker_free(w);
	snapshot_free(snapshot);
	crossing_free(crossing);
	free(e);
}

/* What a question costs: a look into another namespace for each client that is not the last one. */
struct questions {
	struct ip_addr last;
	unsigned n, n_clients, n_stayed;
};

static int
ask_each(const struct nat_flow *x, void *arg)
{
	struct questions *q = arg;

	q->n++;
	q->n_clients += !ip_addr_eq(&q->last, &x->client);
	q->last = x->client;
	return 1;
}

static void
count_stayed(const struct nat_flow *x, void *arg)
{
	((struct questions *)arg)->n_stayed++;
}

static void
a_sweep_goes_in_bounded_steps_client_by_client(void **state)
{
	enum { TABLE = 16384, CLIENTS = 8, N = 4000 };
	struct nat_flows *tables[2];
	struct crossing *crossing = crossing_new(2);
	struct snapshot *snapshot = snapshot_new(2);
	struct worker *workers[2];
	static struct sweep sweep;
	struct questions sum = { 0 };
	bool is_more = true;

	for (unsigned i = 0; i < 2; i++) {
		struct worker_config config = {
			.cpu = -1, .id = i, .snapshot = snapshot, .crossing = crossing
		};

		tables[i] = aligned_alloc(CACHE_LINE, nat_flows_size(TABLE));
		memset(tables[i], 0, nat_flows_size(TABLE));
		nat_flows_adopt(tables[i], &(struct nat_flows_config){ .capacity = TABLE }, 0);
		for (unsigned k = 0; k < N; k++) {
			struct nat_flow x = { .frontend = addr("10.96.0.10"),
				.backend = addr("10.244.2.20"),
				.client = addr("10.244.1.10"),
				.client_port = (uint16_t)(1000 + k),
				.wire_port = (uint16_t)(1000 + k),
				.proto = PROTO_TCP };

			x.client.b[15] = (uint8_t)(10 + k % CLIENTS);
			x.wire = x.client;
			assert_non_null(nat_flows_add(tables[i], &x, NULL, 0));
		}
		config.flows.exceptions = tables[i];
		workers[i] = worker_new(&config);
		assert_non_null(workers[i]);
	}
	sweep_begin(&sweep, 10 * SWEEP_QUIET_NS);
	while (is_more) {
		struct questions q = { 0 };

		is_more = sweep_step(&sweep, workers, 2,
			&(struct sweep_calls){ .ask = ask_each, .stays = count_stayed, .arg = &q });
		assert_in_range(q.n, 0, SWEEP_AT_ONCE);
		sum.n += q.n;
		sum.n_clients += q.n_clients;
		sum.n_stayed += q.n_stayed;
	}
	assert_int_equal(sum.n, 2 * N);
	assert_int_equal(sum.n_stayed, 2 * N);
	/* a step that begins with the client of the last one's end counts it again here */
	assert_in_range(sum.n_clients, 1, 2 * (N / SWEEP_CHUNK + 1) * CLIENTS + 2 * N / SWEEP_AT_ONCE + 16);
	for (unsigned i = 0; i < 2; i++) {
		worker_free(workers[i]);
		free(tables[i]);
	}
	snapshot_free(snapshot);
	crossing_free(crossing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_kernel_tells_which_connections_exist),
		cmocka_unit_test(test_another_namespace_is_looked_into_and_left_again),
		cmocka_unit_test(test_only_quiet_tcp_entries_without_a_socket_end),
		cmocka_unit_test(a_socket_that_was_never_seen_ends_nothing),
		cmocka_unit_test(a_sweep_goes_in_bounded_steps_client_by_client),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make network namespaces\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, own_netns_setup, NULL);
}
