/* The thread with the kernel's sockets, against a server on the loopback interface of a network namespace of its own. What it says
 * depends on the first letters of the name: "tc" is too large for UDP, "spoof" gets wrong ids first, "dead" no answer, "twice" none to the
 * first query. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "control/build/dns_wire.h"
#include "control/resolve/resolver.h"
#include "dataplane/clock.h"
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_tally.h"
#include "dataplane/snapshot.h"
#include "tests/support/own_netns.h"

#define N_WORKERS 2
#define PATIENCE_NS UINT64_C(60000000000)
#define SERVER_PORT 5300
#define NOBODYS_PORT 5301

struct server {
	pthread_t thread;
	int udp[N_FAMILIES], tcp[N_FAMILIES], stop;
	unsigned n_udp, n_tcp; /* queries: atomics */
};

struct world {
	struct server server;
	struct snapshot *snapshot;
	struct dns_rings *rings;
	struct dns_cache *cache;
	struct dns_table *table;
	struct tables tables;
	struct resolver *resolver;
	int fd;
	uint16_t n_asked;
};

/* --- the server */

static int
open_server(int family, int type)
{
	struct sockaddr_storage addr = { .ss_family = (sa_family_t)family };
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (family == AF_INET) {
		((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		((struct sockaddr_in *)&addr)->sin_port = htons(SERVER_PORT);
	} else {
		((struct sockaddr_in6 *)&addr)->sin6_addr = in6addr_loopback;
		((struct sockaddr_in6 *)&addr)->sin6_port = htons(SERVER_PORT);
	}
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 },
		sizeof(int)); /* the last test's connections linger */
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* Makes the query its own reply, with an address. Returns its size. */
static size_t
answer(uint8_t *message)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 51, 100, 7 };
	size_t end = DNS_HEADER_SIZE;

	while (message[end] != 0)
		end += 1u + message[end];
	end += 5;
	message[DNS_FLAGS_AT] |= DNS_FLAG_QR;
	message[DNS_FLAGS_AT + 1] |= DNS_FLAG_RA;
	message[DNS_ANSWERS_AT + 1] = 1;
	message[DNS_ADDITIONALS_AT + 1] = 0;
	memcpy(message + end, record, sizeof(record));
	return end + sizeof(record);
}

static bool
is_about(const uint8_t *message, const char *label)
{
	return memcmp(message + DNS_HEADER_SIZE + 1, label, strlen(label)) == 0;
}

static void
serve_udp(struct server *s, int fd)
{
	uint8_t message[1024];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	size_t size;

	if (recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &len) < DNS_HEADER_SIZE)
		return;
	if (__atomic_add_fetch(&s->n_udp, 1, __ATOMIC_RELAXED) == 1 && is_about(message, "twice"))
		return;
	if (is_about(message, "dead"))
		return;
	size = answer(message);
	if (is_about(message, "tc")) {
		message[DNS_FLAGS_AT] |= DNS_FLAG_TC;
		message[DNS_ANSWERS_AT + 1] = 0;
		size -= 16;
	}
	if (is_about(message, "spoof")) {
		message[0] ^= 1;
		sendto(fd, message, size, 0, (struct sockaddr *)&from, len);
		message[0] ^= 1;
	}
	sendto(fd, message, size, 0, (struct sockaddr *)&from, len);
}

/* The answer comes in pieces. */
static void
serve_tcp(struct server *s, int listener)
{
	uint8_t message[1024];
	int fd = accept(listener, NULL, NULL);
	ssize_t got = recv(fd, message, sizeof(message), 0);
	size_t size;

	if (got > 2 + DNS_HEADER_SIZE) {
		__atomic_add_fetch(&s->n_tcp, 1, __ATOMIC_RELAXED);
		size = answer(message + 2);
		message[0] = (uint8_t)(size >> 8);
		message[1] = (uint8_t)size;
		for (size_t at = 0; at < size + 2; at += 7)
			send(fd, message + at, size + 2 - at < 7 ? size + 2 - at : 7, MSG_NOSIGNAL);
	}
	close(fd);
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd fds[] = {
		{ .fd = s->udp[V4], .events = POLLIN },
		{ .fd = s->udp[V6], .events = POLLIN },
		{ .fd = s->tcp[V4], .events = POLLIN },
		{ .fd = s->tcp[V6], .events = POLLIN },
		{ .fd = s->stop, .events = POLLIN },
	};

	while (poll(fds, 5, -1) > 0 && fds[4].revents == 0) {
		for (unsigned i = 0; i < 2; i++)
			if (fds[i].revents != 0)
				serve_udp(s, fds[i].fd);
		for (unsigned i = 2; i < 4; i++)
			if (fds[i].revents != 0)
				serve_tcp(s, fds[i].fd);
	}
	return NULL;
}

static void
start_server(struct server *s)
{
	s->udp[V4] = open_server(AF_INET, SOCK_DGRAM);
	s->udp[V6] = open_server(AF_INET6, SOCK_DGRAM);
	s->tcp[V4] = open_server(AF_INET, SOCK_STREAM);
	s->tcp[V6] = open_server(AF_INET6, SOCK_STREAM);
	s->stop = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void
stop_server(struct server *s)
{
	eventfd_write(s->stop, 1);
	pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < N_FAMILIES; i++) {
		close(s->udp[i]);
		close(s->tcp[i]);
	}
	close(s->stop);
}

/* --- the resolver */

static struct dns_server
server_at(const char *addr, uint16_t port)
{
	struct dns_server s = { .port = port };

	assert_true(ip_addr_parse(addr, &s.addr));
	return s;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct dns_forward *f;
	uint64_t grace;

	assert_non_null(w);
	start_server(&w->server);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->snapshot = snapshot_new(1);
	w->rings = dns_rings_new(N_WORKERS, w->fd);
	w->cache = dns_cache_new(&(struct dns_cache_config){
		.memory_bytes = 1 << 20, .negative_percent = 25, .seed = 7, .snapshot = w->snapshot });
	w->table = calloc(1, sizeof(*w->table) + 3 * sizeof(*f));
	w->table->cache = w->cache;
	w->table->n_forwards = 3;
	f = w->table->forwards;
	f[0] = (struct dns_forward){ .zone = { .len = 4, .labels = 1, .name = "\2v6" }, .n = 1 };
	f[0].servers[0] = server_at("::1", SERVER_PORT);
	f[1] = (struct dns_forward){ .zone = { .len = 8, .labels = 1, .name = "\6nobody" }, .n = 1 };
	f[1].servers[0] = server_at("127.0.0.1", NOBODYS_PORT);
	f[2] = (struct dns_forward){ .zone = { .len = 1 }, .n = 1 };
	f[2].servers[0] = server_at("127.0.0.1", SERVER_PORT);
	w->tables.dns = w->table;
	snapshot_publish(w->snapshot, &w->tables, &grace);
	assert_int_equal(
		resolver_new(&w->resolver, &(struct resolver_config){ .snapshot = w->snapshot,
						   .reader = 0,
						   .n_workers = N_WORKERS,
						   .rings = w->rings,
						   .fd = w->fd,
						   .cache = w->cache,
						   .limits = { .negative_max_s = 900, .stale_max_s = 86400 },
						   .queries_per_s = 100000,
						   .in_flight_per_pod = 10000 }),
		0);
	assert_int_equal(resolver_start(w->resolver), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	resolver_stop(w->resolver);
	resolver_free(w->resolver);
	stop_server(&w->server);
	dns_rings_free(w->rings);
	dns_cache_free(w->cache);
	snapshot_free(w->snapshot);
	close(w->fd);
	free(w->table);
	free(w);
	return 0;
}

static void
ask(struct world *w, unsigned worker, const char *name)
{
	struct dns_wire wire = { 0 };
	struct dns_miss miss = {
		.client = { .port = (uint16_t)(worker + 1), .client_port = ++w->n_asked },
		.udp_size = DNS_UDP_SIZE_MAX,
		.has_opt = true,
		.worker = (uint8_t)worker,
	};

	assert_true(dns_wire_parse(name, &wire));
	miss.message[DNS_FLAGS_AT] = DNS_FLAG_RD;
	miss.message[5] = 1;
	memcpy(miss.message + DNS_HEADER_SIZE, wire.bytes, wire.len);
	miss.message[DNS_HEADER_SIZE + wire.len + 1] = DNS_TYPE_A;
	miss.message[DNS_HEADER_SIZE + wire.len + 3] = DNS_CLASS_IN;
	miss.size = (uint16_t)(DNS_HEADER_SIZE + wire.len + 4);
	assert_true(dns_miss_put(w->rings, worker, &miss));
	dns_miss_kick(w->rings, worker);
}

static void
await(struct world *w, unsigned worker, struct dns_told *told)
{
	struct pollfd bell = { .fd = dns_told_fd(w->rings, worker), .events = POLLIN };
	uint64_t until = clock_now_ns() + PATIENCE_NS;

	while (!dns_told_take(w->rings, worker, told)) {
		assert_true(clock_now_ns() < until);
		poll(&bell, 1, 1000);
	}
}

static void
expect(struct world *w, unsigned worker, const char *name, enum dns_source source, uint8_t rcode)
{
	struct dns_told told;

	ask(w, worker, name);
	await(w, worker, &told);
	assert_int_equal(told.client.client_port, w->n_asked);
	assert_int_equal(told.source, source);
	assert_int_equal(told.rcode, rcode);
	assert_int_equal(told.message[DNS_ANSWERS_AT + 1], rcode == DNS_RCODE_NOERROR);
}

static void
test_udp(void **state)
{
	struct world *w = *state;
	struct upstream up;

	expect(w, 0, "www.example.com", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	expect(w, 1, "www.example.com", DNS_HIT, DNS_RCODE_NOERROR);
	expect(w, 1, "www.v6", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	assert_int_equal(__atomic_load_n(&w->server.n_udp, __ATOMIC_RELAXED), 2);
	assert_int_equal(resolver_counter(w->resolver, RESOLVER_QUERIES), 3);
	resolver_stop(w->resolver); /* a round ends a moment after its answers were told */
	assert_int_equal(resolver_upstreams(w->resolver, &up, 1), 1);
	assert_int_equal(up.n_answers, 1);
	assert_int_equal(resolver_books(w->resolver).n_tries, 0);
}

static void
test_tcp(void **state)
{
	struct world *w = *state;

	expect(w, 0, "tc.example.com", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	expect(w, 0, "tc.v6", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	assert_int_equal(__atomic_load_n(&w->server.n_tcp, __ATOMIC_RELAXED), 2);
	assert_int_equal(resolver_counter(w->resolver, RESOLVER_TCP), 2);
}

static void
test_forged(void **state)
{
	struct world *w = *state;

	expect(w, 0, "spoof.example.com", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	assert_int_equal(resolver_counter(w->resolver, RESOLVER_MISMATCHED), 1);
}

static void
test_nobody_listens(void **state)
{
	struct world *w = *state;

	expect(w, 0, "www.nobody", DNS_FAILED, DNS_RCODE_SERVFAIL);
	assert_int_equal(resolver_counter(w->resolver, RESOLVER_UNREACHABLE), 1);
}

static void
test_silence(void **state)
{
	struct world *w = *state;

	expect(w, 0, "twice.example.com", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	assert_true(resolver_counter(w->resolver, RESOLVER_TIMEOUTS) >= 1);
}

/* So many lots of queries for one name; only by the resolver are they taken. */
static void
ask_in_lots(struct world *w, unsigned n, unsigned n_workers)
{
	uint64_t before = resolver_counter(w->resolver, RESOLVER_QUERIES);

	for (unsigned lot = 0; lot < n; lot++) {
		uint64_t asked = before + (lot + 1) * DNS_MISS_SHARE, until = clock_now_ns() + PATIENCE_NS;

		for (unsigned i = 0; i < DNS_MISS_SHARE; i++)
			ask(w, lot % n_workers, "crowd.example.com");
		while (resolver_counter(w->resolver, RESOLVER_QUERIES) < asked)
			assert_true(clock_now_ns() < until);
	}
}

/* More than fit a ring on the way there, or back, before anybody takes one. */
static void
test_crowd(void **state)
{
	enum { LOTS = 30 };
	struct world *w = *state;
	struct dns_told told;

	ask_in_lots(w, LOTS, N_WORKERS);
	for (unsigned i = 0; i < LOTS * DNS_MISS_SHARE; i++) {
		await(w, i % N_WORKERS, &told);
		assert_int_equal(told.rcode, DNS_RCODE_NOERROR);
	}
	assert_int_equal(__atomic_load_n(&w->server.n_udp, __ATOMIC_RELAXED), 1);
	assert_int_equal(resolver_counter(w->resolver, RESOLVER_ANSWERS_LOST), 0);
}

static void
test_no_worker_waits_for_another(void **state)
{
	enum { LOTS = 2 * DNS_TOLD_DEPTH / DNS_MISS_SHARE };
	struct world *w = *state;
	struct dns_told told;

	ask_in_lots(w, LOTS, 1);
	expect(w, 1, "www.example.com", DNS_UPSTREAM, DNS_RCODE_NOERROR);
	for (unsigned i = 0; i < LOTS * DNS_MISS_SHARE; i++)
		await(w, 0, &told);
}

static void
test_stops_at_any_time(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 50; i++)
		ask(w, i % 2, i % 3 == 0 ? "dead.example.com" : "tc.example.com");
	resolver_stop(w->resolver);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_udp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_worker_waits_for_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stops_at_any_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, own_netns_setup, NULL);
}
