#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/dns/dns_zone_edit.h"

#define N_NAMES 12
#define N_SLOTS 32 /* for so many names */

/* Names that all begin in the same line of the same shard, and one more that is not put. */
struct crowd {
	struct piece_pool *pool;
	struct dns_zone *zone;
	uint8_t names[N_NAMES + 1][DNS_NAME_MAX];
	bool is_there[N_NAMES];
};

static unsigned
name_len(const uint8_t *name)
{
	return (unsigned)strlen((const char *)name) + 1;
}

static bool
same_home(uint64_t a, uint64_t b)
{
	return a >> DNS_SHARD_SHIFT == b >> DNS_SHARD_SHIFT &&
	       (a & (N_SLOTS - 1)) / DNS_LINE_SLOTS == (b & (N_SLOTS - 1)) / DNS_LINE_SLOTS;
}

static void
find_names(struct crowd *c)
{
	uint64_t wanted = 0;
	unsigned n = 0;

	for (unsigned i = 0; n <= N_NAMES; i++) {
		uint8_t *name = c->names[n];
		uint64_t hash;

		snprintf((char *)name, DNS_NAME_MAX, "%cn%07u\7cluster\5local", 8, i);
		hash = dns_zone_hash(c->zone, name, name_len(name));
		if (n == 0)
			wanted = hash;
		n += same_home(hash, wanted);
	}
}

static void
put(struct crowd *c, unsigned i)
{
	unsigned len = name_len(c->names[i]);
	size_t size = sizeof(struct dns_node) + len;
	struct dns_node *node = dns_zone_node_new(c->zone, size);

	assert_non_null(node);
	memset(node, 0, size);
	node->size = (uint32_t)size;
	node->len = (uint8_t)len;
	memcpy(node->name, c->names[i], len);
	assert_int_equal(dns_zone_put(c->zone, node), 0);
	c->is_there[i] = true;
}

static const struct dns_node *
get(const struct crowd *c, unsigned i)
{
	return dns_zone_get(c->zone, c->names[i], name_len(c->names[i]));
}

/* Free slots are the last ones of their lines. */
static void
assert_lines(const struct dns_shard *shard)
{
	for (uint32_t i = 0; i <= shard->mask; i++)
		if (i % DNS_LINE_SLOTS != 0 && shard->slots[i].node != NULL)
			assert_non_null(shard->slots[i - 1].node);
}

/* Whatever is guessed. */
static void
assert_guesses(const struct crowd *c, unsigned i)
{
	struct dns_query q = { .len = (uint8_t)name_len(c->names[i]) };
	const struct dns_node *node = get(c, i);

	memcpy(q.name, c->names[i], q.len);
	q.hash = dns_name_hash(q.name, q.len, c->zone->seed);
	assert_ptr_equal(dns_zone_find_guessed(c->zone, &q, dns_zone_fetch_node(c->zone, q.hash)), node);
	assert_ptr_equal(dns_zone_find_guessed(c->zone, &q, NULL), node);
	assert_ptr_equal(dns_zone_find_guessed(c->zone, &q, get(c, 0)), node);
}

static void
assert_crowd(const struct crowd *c)
{
	uint64_t hash = dns_zone_hash(c->zone, c->names[0], name_len(c->names[0]));
	size_t n = 0;

	for (unsigned i = 0; i < N_NAMES; i++) {
		const struct dns_node *node = get(c, i);

		assert_int_equal(node != NULL, c->is_there[i]);
		if (node != NULL)
			assert_memory_equal(node->name, c->names[i], node->len);
		assert_guesses(c, i);
		n += c->is_there[i];
	}
	assert_null(get(c, N_NAMES));
	assert_int_equal(dns_zone_count(c->zone), n);
	assert_lines(&c->zone->shards[hash >> DNS_SHARD_SHIFT]);
}

static int
setup(void **state)
{
	const struct dns_zone_config config = { .name = (const uint8_t *)"\7cluster\5local", .seed = 1 };
	struct crowd *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->pool = piece_pool_new();
	c->zone = dns_zone_new(&config, c->pool);
	assert_non_null(c->zone);
	find_names(c);
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct crowd *c = *state;

	dns_zone_commit(c->zone);
	dns_zone_free(c->zone);
	piece_pool_free(c->pool);
	free(c);
	return 0;
}

/* Names that find their line full are in the next ones; whichever goes, the others are found. */
static void
crowded_lines(void **state)
{
	struct crowd *c = *state;

	assert_crowd(c);
	for (unsigned first = 0; first < N_NAMES; first++) {
		for (unsigned i = 0; i < N_NAMES; i++) {
			put(c, i);
			assert_crowd(c);
		}
		for (unsigned i = 0; i < N_NAMES; i++) {
			unsigned gone = (first + i * 5) % N_NAMES; /* 5 and 12 have no common factor */

			assert_int_equal(dns_zone_remove(c->zone, get(c, gone)), 0);
			c->is_there[gone] = false;
			assert_crowd(c);
		}
	}
}

/* A name with the hash of another one, which nobody can make, is still another one. */
static void
another_name_of_that_hash(void **state)
{
	struct crowd *c = *state;
	_Alignas(DNS_CHUNK) uint8_t padded[DNS_NAME_ROOM] = { 0 };
	unsigned len = name_len(c->names[1]);
	uint64_t hash = dns_zone_hash(c->zone, c->names[0], name_len(c->names[0]));

	put(c, 0);
	assert_ptr_equal(dns_zone_fetch_node(c->zone, hash), get(c, 0));
	memcpy(padded, c->names[1], len);
	assert_null(dns_zone_find(c->zone, padded, len, hash));
}

static void
bytes_are_equal(void **state)
{
	uint8_t a[64], b[64];

	for (unsigned len = 0; len <= sizeof(a); len++) {
		memset(a, 'x', sizeof(a));
		memset(b, 'y', sizeof(b));
		memcpy(b, a, len);
		assert_true(dns_bytes_equal(a, b, len));
		for (unsigned i = 0; i < len; i++) {
			b[i] ^= 0x80;
			assert_false(dns_bytes_equal(a, b, len));
			b[i] ^= 0x80;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(crowded_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(another_name_of_that_hash, setup, teardown),
		cmocka_unit_test(bytes_are_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
