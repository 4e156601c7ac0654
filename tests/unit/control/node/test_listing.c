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

/* Bucket 0 is of a backend that serves, bucket 1 of one that leaves. */
static void
only_a_full_table_keeps_a_bucket(void **state)
{
	uint16_t buckets[] = { 0, 1 };
	struct frontend f = { .bucket_mask = 1, .buckets = buckets, .n_backends = 1 };
	const struct nat_flow tcp = { .proto = PROTO_TCP }, udp = { .proto = PROTO_UDP };

	for (uint32_t hash = 0; hash < 4; hash++) {
		assert_false(listing_keeps_bucket(&f, hash, &tcp, false));
		assert_false(listing_keeps_bucket(&f, hash, &udp, false));
		assert_true(listing_keeps_bucket(&f, hash, &tcp, true));
		assert_int_equal(listing_keeps_bucket(&f, hash, &udp, true), hash % 2 == 0);
	}
}

struct refused {
	unsigned n, n_full;
};

static void
count_refused(const struct nat_flow *flow, bool is_full, void *arg)
{
	struct refused *refused = arg;

	refused->n++;
	refused->n_full += is_full;
}

/* As many flows of a client from a port on. */
static struct refused
pin_flows(struct worker *w, const char *client, unsigned n)
{
	struct refused refused = { 0 };
	struct pins pins = { .worker = w, .refused = count_refused, .arg = &refused };

	for (unsigned i = 0; i < n; i++)
		pins_add(&pins, &(struct nat_flow){ .client = addr(client),
					.client_port = (uint16_t)(40000 + i),
					.frontend = addr("10.96.0.10"),
					.frontend_port = 53,
					.backend = addr("10.244.2.10"),
					.backend_port = 53,
					.wire = addr(client),
					.wire_port = (uint16_t)(40000 + i),
					.proto = PROTO_UDP });
	pins_flush(&pins);
	return refused;
}

static void
a_refusal_tells_whether_others_would_find_room(void **state)
{
	struct nat_flows *e = aligned_alloc(CACHE_LINE, nat_flows_size(CAPACITY));
	struct crossing *crossing = crossing_new(1);
	struct snapshot *snapshot = snapshot_new(1);
	struct worker_config config = {
		.cpu = -1, .snapshot = snapshot, .crossing = crossing, .flows = { .exceptions = e }
	};
	struct worker *w = worker_new(&config);
	struct refused refused;

	assert_non_null(e);
	assert_non_null(w);
	memset(e, 0, nat_flows_size(CAPACITY));
	nat_flows_adopt(e, &(struct nat_flows_config){ .capacity = CAPACITY, .quota = QUOTA }, 0);
	refused = pin_flows(w, "10.244.1.10", QUOTA + 3);
	assert_int_equal(refused.n, 3);
	assert_int_equal(refused.n_full, 0);
	assert_int_equal(pin_flows(w, "10.244.1.11", CAPACITY - QUOTA).n, 0);
	/* now nobody finds any, though the first client has none by its own fault */
	refused = pin_flows(w, "10.244.1.12", 2);
	assert_int_equal(refused.n, 2);
	assert_int_equal(refused.n_full, 2);
	refused = pin_flows(w, "10.244.1.10", QUOTA + 1);
	assert_int_equal(refused.n, 1);
	assert_int_equal(refused.n_full, 0);
	worker_free(w);
	snapshot_free(snapshot);
	crossing_free(crossing);
	free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_namespace_is_mounted_on_is_of_a_pod_that_is_gone),
		cmocka_unit_test(a_client_that_cannot_be_listed_is_tried_again_and_then_skipped),
		cmocka_unit_test(only_a_full_table_keeps_a_bucket),
		cmocka_unit_test(a_refusal_tells_whether_others_would_find_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
