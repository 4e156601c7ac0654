/* Two readers look names up while the writer replaces, moves and forgets them all the time: each answer is one of those that were put,
 * whole, and of the name that was asked for. Made for the thread sanitizer, too (.ci/run tsan). */
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_cache_make.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/dns_messages.h"

#define SEED UINT64_C(0x1234567890abcdef)
#define NOW UINT64_C(1000000000000)

#define N_READERS 2
#define N_NAMES 4000 /* a few times what there is room for */
#define N_PUTS 12000

struct world {
	struct snapshot *snapshot;
	struct dns_cache *cache;
	bool has_ended;
};

struct reader {
	struct world *world;
	unsigned id;
	uint64_t n_hits, n_asked, n_wrong;
};

/* What the records of a version of a name must be: its number and version, in each address and as the TTL. */
static uint32_t
content(unsigned number, unsigned version)
{
	return number << 16 | (version & 0xffff);
}

static void
ask_number(struct message *m, unsigned number)
{
	char name[64];

	/* names of many lengths, so entries have many sizes */
	snprintf(name, sizeof(name), "n%u.%.*s.example.com", number, (int)(1 + number % 30),
		"abcdefghijklmnopqrstuvwxyzabcd");
	message_begin(m, MESSAGE_RD, name, DNS_TYPE_A);
}

static struct dns_cache_key
scan(const struct message *m, struct dns_query *q)
{
	if (dns_query_scan(m->bytes, m->size, SEED, q) != DNS_SCAN_QUERY)
		abort();
	return dns_cache_key_of(q, m->bytes);
}

/* --- the writer */

static void
add_address(struct message *m, uint32_t bytes)
{
	be32 wire = be32_from(bytes);

	message_count(m, SECTION_ANSWER);
	message_bytes(m, "\xc0\x0c\0\1\0\1\0\0\2\x58\0\4", 12);
	message_bytes(m, &wire, sizeof(wire));
}

static int
put(struct world *w, unsigned number, unsigned version)
{
	static struct message query, m;
	static struct dns_parsed parsed;
	static struct dns_entry_room room;
	const struct dns_entry_limits limits = { .negative_max_s = 900, .stale_max_s = 60 };
	struct dns_query q;
	struct dns_cache_key key;

	ask_number(&query, number);
	key = scan(&query, &q);
	m.size = 0;
	message_bytes(&m, query.bytes, query.size);
	m.bytes[2] = 0x81;
	m.bytes[3] = 0x80;
	for (unsigned i = 0; i < 1 + version % 7; i++)
		add_address(&m, content(number, version));
	if (dns_parse(m.bytes, m.size, &parsed) != DNS_KIND_ANSWER)
		abort();
	return dns_cache_put(w->cache, dns_entry_make(&room, &key, &parsed, &limits, NOW));
}

/* --- a reader */

static bool
is_whole(const uint8_t *payload, const struct dns_query *q, const struct dns_reply *reply, unsigned number)
{
	unsigned n = (unsigned)payload[6] << 8 | payload[7];
	const uint8_t *at = payload + q->end;
	uint32_t first = 0;

	if (reply->size != q->end + 16 * n)
		return false;
	for (unsigned i = 0; i < n; i++, at += 16) {
		be32 wire;
		uint32_t found;

		memcpy(&wire, at + 12, sizeof(wire));
		found = be32_host(wire);
		first = i == 0 ? found : first;
		if (found != first || found >> 16 != number ||
			memcmp(at, "\xc0\x0c\0\1\0\1\0\0\2\x58\0\4", 12) != 0)
			return false;
	}
	return n == 1 + (first & 0xffff) % 7;
}

static void
ask(struct reader *r, unsigned number)
{
	struct message m;
	uint8_t payload[DNS_UDP_SIZE_MAX];
	const struct dns_entry *e;
	struct dns_cache_key key;
	struct dns_reply reply;
	struct dns_query q;

	ask_number(&m, number);
	key = scan(&m, &q);
	dns_cache_prefetch(r->world->cache, &key);
	e = dns_cache_prefetch_entry(r->world->cache, &key);
	e = dns_cache_find_guessed(r->world->cache, &key, e);
	r->n_asked++;
	if (e == NULL)
		return;
	r->n_hits++;
	dns_entry_use(e, NOW);
	memcpy(payload, m.bytes, m.size);
	if (dns_entry_life(e, NOW) != DNS_LIFE_FRESH ||
		!dns_entry_answer(e, &q, payload, sizeof(payload), dns_entry_ttl(e, NOW), number,
			DNS_EDE_NONE, &reply) ||
		!is_whole(payload, &q, &reply, number))
		r->n_wrong++;
}

static void *
reader_main(void *arg)
{
	struct reader *r = arg;
	unsigned number = r->id;

	snapshot_online(r->world->snapshot, r->id);
	while (!__atomic_load_n(&r->world->has_ended, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 8; i++) {
			number = number * 1103515245 + 12345;
			/* every second query is for a few popular names */
			ask(r, number >> 16 & 1 ? (number >> 17) % 20 : (number >> 17) % N_NAMES);
		}
		snapshot_quiesce(r->world->snapshot, r->id);
	}
	snapshot_offline(r->world->snapshot, r->id);
	return NULL;
}

/* --- */

static void
churn(struct world *w)
{
	unsigned number = 1;

	for (unsigned version = 0; version < N_PUTS; version++) {
		struct message m;
		struct dns_query q;
		struct dns_cache_key key;

		number = number * 1103515245 + 12345;
		while (put(w, (number >> 16) % N_NAMES, version) == -ENOBUFS)
			sched_yield(); /* until the readers have quiesced */
		ask_number(&m, version % 20);
		key = scan(&m, &q);
		dns_cache_mark_stale(w->cache, &key, NOW + 1);
	}
}

static void
readers_see_whole_answers(void **state)
{
	struct world w = { .snapshot = snapshot_new(N_READERS) };
	const struct dns_cache_config config = { .memory_bytes = DNS_CACHE_MEMORY_MIN,
		.negative_percent = 25,
		.seed = SEED,
		.snapshot = w.snapshot };
	struct reader readers[N_READERS];
	pthread_t threads[N_READERS];

	(void)state;
	w.cache = dns_cache_new(&config);
	assert_non_null(w.cache);
	for (unsigned i = 0; i < N_READERS; i++) {
		readers[i] = (struct reader){ .world = &w, .id = i };
		assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &readers[i]), 0);
	}
	churn(&w);
	__atomic_store_n(&w.has_ended, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < N_READERS; i++) {
		pthread_join(threads[i], NULL);
		print_message("%llu of %llu were found\n", (unsigned long long)readers[i].n_hits,
			(unsigned long long)readers[i].n_asked);
		assert_int_equal(readers[i].n_wrong, 0);
	}
	assert_true(dns_cache_books(w.cache).n_kept > 0);
	assert_true(dns_cache_books(w.cache).n_forgotten > 0);
	dns_cache_free(w.cache);
	snapshot_free(w.snapshot);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_whole_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
