/* One client's trouble is its own: a pod whose sockets cannot be listed, or that has used up its exceptions, does not keep
 * other pods' flows at backends that are no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "control/node/listing.h"
#include "control/node/pins.h"
#include "control/node/sockets.h"
#include "dataplane/worker.h"

#define CAPACITY 8
#define QUOTA 4

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static void
what_no_namespace_is_mounted_on_is_of_a_pod_that_is_gone(void **state)
{
	char path[] = "/tmp/ringway-listing-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_true(listing_is_gone(sockets_open(path)));
	unlink(path);
	assert_true(listing_is_gone(sockets_open(path)));
	assert_false(listing_is_gone(-EMFILE));
	assert_false(listing_is_gone(-EACCES));
}

static void
a_client_that_cannot_be_listed_is_tried_again_and_then_skipped(void **state)
{
	unsigned n = 1;

	while (listing_after(-EACCES, n) == LISTING_AGAIN && n < 100)
		n++;
	assert_int_equal(n, LISTING_TRIES);
	assert_int_equal(listing_after(-EACCES, n), LISTING_SKIP);
	assert_int_equal(listing_after(0, 1), LISTING_ON);
	assert_int_equal(listing_after(0, n), LISTING_ON);
}

/* To skip a client would cut its connections, though nothing is wrong with it. */
static void
what_the_daemon_lacks_is_waited_for(void **state)
{
	static const int errors[] = { -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS };

	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_int_equal(listing_after(errors[i], 1), LISTING_AGAIN);
		for (unsigned n = LISTING_TRIES; n < 100; n++)
			assert_int_equal(listing_after(errors[i], n), LISTING_WAIT);
	}
}

/* Bucket 0 is of a backend that serves, bucket 1 of one that leaves. */
static void
only_what_others_have_keeps_a_bucket(void **state)
{
	uint16_t buckets[] = { 0, 1 };
	struct frontend f = { .bucket_mask = 1, .buckets = buckets, .n_backends = 1 };
	const struct nat_flow tcp = { .proto = PROTO_TCP }, udp = { .proto = PROTO_UDP };

	for (uint32_t hash = 0; hash < 4; hash++) {
		assert_false(listing_keeps_bucket(&f, hash, &tcp, true));
		assert_false(listing_keeps_bucket(&f, hash, &udp, true));
		assert_true(listing_keeps_bucket(&f, hash, &tcp, false));
		assert_int_equal(listing_keeps_bucket(&f, hash, &udp, false), hash % 2 == 0);
	}
}

struct refused {
	unsigned n, n_own_fault;
};

static void
count_refused(const struct nat_flow *flow, bool is_own_fault, void *arg)
{
	struct refused *refused = arg;

	refused->n++;
	refused->n_own_fault += is_own_fault;
}

struct node {
	struct nat_flows *exceptions;
	struct crossing *crossing;
	struct snapshot *snapshot;
	struct worker *worker;
};

static struct node
node_new(uint32_t capacity, uint32_t quota)
{
	struct node n = { .exceptions = aligned_alloc(CACHE_LINE, nat_flows_size(capacity)),
		.crossing = crossing_new(1),
		.snapshot = snapshot_new(1) };
	struct worker_config config = { .cpu = -1,
		.snapshot = n.snapshot,
		.crossing = n.crossing,
		.flows = { .exceptions = n.exceptions } };

	assert_non_null(n.exceptions);
	memset(n.exceptions, 0, nat_flows_size(capacity));
	nat_flows_adopt(n.exceptions, &(struct nat_flows_config){ .capacity = capacity, .quota = quota }, 0);
	n.worker = worker_new(&config);
	assert_non_null(n.worker);
	return n;
}

static void
node_free(struct node *n)
{
	worker_free(n->worker);
	snapshot_free(n->snapshot);
	crossing_free(n->crossing);
	free(n->exceptions);
}

static struct nat_flow
flow_of(const char *client, uint16_t port)
{
	return (struct nat_flow){ .client = addr(client),
		.client_port = port,
		.frontend = addr("10.96.0.10"),
		.frontend_port = 53,
		.backend = addr("10.244.2.10"),
		.backend_port = 53,
		.wire = addr(client),
		.wire_port = port,
		.proto = PROTO_UDP };
}

/* As many flows of a client from a port on. */
static struct refused
pin_flows(struct worker *w, const char *client, unsigned n)
{
	struct refused refused = { 0 };
	struct pins pins = { .worker = w, .refused = count_refused, .arg = &refused };

	for (unsigned i = 0; i < n; i++) {
		struct nat_flow flow = flow_of(client, (uint16_t)(40000 + i));

		pins_add(&pins, &flow);
	}
	pins_flush(&pins);
	return refused;
}

static void
a_refusal_tells_whose_fault_it_is(void **state)
{
	struct node n = node_new(CAPACITY, QUOTA);
	struct refused refused = pin_flows(n.worker, "10.244.1.10", QUOTA + 3);

	assert_int_equal(refused.n, 3);
	assert_int_equal(refused.n_own_fault, 3);
	assert_int_equal(pin_flows(n.worker, "10.244.1.11", CAPACITY - QUOTA).n, 0);
	/* now nobody finds any, though the first client has none by its own fault */
	refused = pin_flows(n.worker, "10.244.1.12", 2);
	assert_int_equal(refused.n, 2);
	assert_int_equal(refused.n_own_fault, 0);
	refused = pin_flows(n.worker, "10.244.1.10", QUOTA + 1);
	assert_int_equal(refused.n, 1);
	assert_int_equal(refused.n_own_fault, 1);
	node_free(&n);
}

static uint32_t
chain_of(const struct node *node, const struct nat_flow *x)
{
	return flow_hash(&x->client, &x->frontend, x->client_port, x->frontend_port, x->proto) &
	       (NAT_FLOWS_HEADS * node->exceptions->capacity - 1);
}

/* A client's next flow, from a port on, that is in a chain. False: it has none. */
static bool
next_in_chain(const struct node *node, uint32_t chain, struct nat_flow *x)
{
	for (unsigned port = x->client_port + 1u; port < 65536; port++) {
		x->client_port = x->wire_port = (uint16_t)port;
		if (chain_of(node, x) == chain)
			return true;
	}
	return false;
}

/* Fills a chain with flows of pods that have at most n of them each. Returns the last pod's next one, which finds no room. */
static struct nat_flow
fill_chain(const struct node *node, uint32_t chain, unsigned n_each)
{
	for (unsigned pod = 1;; pod++) {
		struct nat_flow x = flow_of("10.244.100.0", 1024);

		assert_in_range(pod, 1, 250);
		x.client.b[15] = x.wire.b[15] = (uint8_t)pod;
		for (unsigned i = 0; i < n_each && next_in_chain(node, chain, &x); i++)
			if (nat_flows_add(node->exceptions, &x, NULL, 0) == NULL)
				return x;
	}
}

static struct refused
pin_one(const struct node *node, const struct nat_flow *flow)
{
	struct refused refused = { 0 };
	struct pins pins = { .worker = node->worker, .refused = count_refused, .arg = &refused };

	pins_add(&pins, flow);
	pins_flush(&pins);
	return refused;
}

/* What others' entries do to a client's flow, though there is room in the table and in its quota, is not its fault; what its
 * own do is. */
static void
a_long_chain_is_its_makers_fault(void **state)
{
	for (unsigned n_each = 1; n_each <= 64; n_each += 63) {
		struct node n = node_new(64, 60);
		struct nat_flow flow = flow_of("10.244.1.10", 40000), last;
		struct refused refused;

		last = fill_chain(&n, chain_of(&n, &flow), n_each);
		refused = pin_one(&n, &flow);
		assert_int_equal(refused.n, 1);
		assert_int_equal(refused.n_own_fault, 0);
		refused = pin_one(&n, &last);
		assert_int_equal(refused.n, 1);
		assert_int_equal(refused.n_own_fault, n_each != 1);
		node_free(&n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_namespace_is_mounted_on_is_of_a_pod_that_is_gone),
		cmocka_unit_test(a_client_that_cannot_be_listed_is_tried_again_and_then_skipped),
		cmocka_unit_test(what_the_daemon_lacks_is_waited_for),
		cmocka_unit_test(only_what_others_have_keeps_a_bucket),
		cmocka_unit_test(a_refusal_tells_whose_fault_it_is),
		cmocka_unit_test(a_long_chain_is_its_makers_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
