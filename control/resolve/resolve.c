#include "control/resolve/resolve.h"

#include <stdlib.h>

#include "control/loop.h"
#include "control/resolve/resolve_life.h"
#include "control/resolve/resolve_reply.h"
#include "control/resolve/resolve_tell.h"
#include "control/resolve/resolve_try.h"
#include "control/resolve/shadow.h"

/* Of a bucket's tokens, what a second brings: with what comes in meanwhile, no second has more than its eighth above the rate, as
 * clouds that limit DNS by packets per second count. */
#define BURST_SHARE 8

/* RFC 8767 section 5: the client response timer. */
#define PATIENCE_NS (1800 * NS_PER_MS)
/* Stub resolvers ask again, or give up, after 5 s (resolve.h). */
#define WAIT_NS (4500 * NS_PER_MS)
/* Of a look-up for which nobody waits any more. */
#define LONELY_TRIES_MAX 4

struct resolve *
resolve_new(const struct resolve_config *config)
{
	struct resolve *r = calloc(1, sizeof(*r));
	uint32_t burst = config->queries_per_s / BURST_SHARE;

	if (r == NULL)
		return NULL;
	r->config = *config;
	tokens_init(&r->tokens, config->queries_per_s, burst == 0 ? 1 : burst);
	r->lookups = lookups_new();
	if (r->lookups == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	tries_close_all(r);
	lookups_free(r->lookups);
	free(r);
}

void
resolve_use(struct resolve *r, const struct dns_table *table)
{
	r->table = table;
}

/* --- the life of a look-up */

/* Who has to get a token so that the look-up goes on. */
static struct lookup *
who_needs_token(struct lookup *k)
{
	if (k->state == LOOKUP_CUT)
		k = k->cut;
	return k->state == LOOKUP_WAITS ? k : NULL;
}

/* Has the shorter name asked for first. */
static void
begin_with_cut(struct resolve *r, struct lookup *k, const struct dns_cache_key *cut, uint64_t now_ns)
{
	struct lookup *on = lookups_find(r->lookups, cut);

	if (on == NULL) {
		on = lookups_add(r->lookups, cut);
		if (on == NULL) /* then without */
			return;
		resolve_count(r, RESOLVER_LOOKUPS);
		resolve_count(r, RESOLVER_CUTS);
	}
	on->until_ns = now_ns + WAIT_NS;
	lookup_depend(k, on);
	k->state = LOOKUP_CUT;
}

static bool
find_cut(const struct resolve *r, const struct dns_cache_key *key, struct dns_cut *out)
{
	return r->table != NULL &&
	       dns_cut_above(r->table, key->name, key->len, dns_cache_seed(r->config.cache), out);
}

/* NULL: there is no room. */
static struct lookup *
begin_lookup(struct resolve *r, const struct dns_cache_key *key, uint64_t now_ns)
{
	struct lookup *k = lookups_add(r->lookups, key);
	struct dns_cut cut;
	const struct dns_entry *e;

	if (k == NULL)
		return NULL;
	resolve_count(r, RESOLVER_LOOKUPS);
	if (!find_cut(r, key, &cut))
		return k;
	e = dns_cache_find(r->config.cache, &cut.key);
	if (e == NULL || dns_entry_life(e, now_ns) != DNS_LIFE_FRESH)
		begin_with_cut(r, k, &cut.key, now_ns);
	return k;
}

/* --- queries */

/* The cache may have learned it since the worker looked. */
static bool
answer_at_once(struct resolve *r, const struct dns_miss *miss, const struct dns_cache_key *key,
	bool is_chained, uint64_t now_ns)
{
	const struct dns_entry *e = dns_cache_find(r->config.cache, key);
	enum dns_life life = e == NULL ? DNS_LIFE_EXPIRED : dns_entry_life(e, now_ns);
	struct dns_cut cut;

	if (life != DNS_LIFE_EXPIRED) {
		tell_miss(r, miss, e, is_chained, life == DNS_LIFE_FRESH ? DNS_HIT : DNS_STALE, now_ns);
		return true;
	}
	if (is_chained || !find_cut(r, key, &cut))
		return false;
	e = dns_cache_find(r->config.cache, &cut.key);
	if (e == NULL || dns_entry_life(e, now_ns) != DNS_LIFE_FRESH || !dns_cut_is_nothing(e))
		return false;
	resolve_count(r, RESOLVER_CUT_ANSWERS);
	tell_miss(r, miss, e, false, DNS_HIT, now_ns);
	return true;
}

static void
limit(struct resolve *r, const struct dns_miss *miss, const struct dns_cache_key *key, bool is_chained,
	enum resolver_counter why, const char *text, uint64_t now_ns)
{
	resolve_count(r, why);
	tell_miss_failure(r, miss, key, is_chained, DNS_LIMITED, DNS_EDE_OTHER, text, now_ns);
}

static void
join(struct resolve *r, struct lookup *k, const struct dns_miss *miss, bool is_chained, uint64_t now_ns)
{
	struct waiter *w = waiters_add(r->lookups, k, miss, now_ns);

	if (w == NULL) {
		limit(r, miss, &k->key, is_chained, RESOLVER_LIMITED_MEMORY,
			"too many queries are under way on this node", now_ns);
		resolve_settle(r, k);
		return;
	}
	w->is_chained = is_chained;
	k->until_ns = now_ns + WAIT_NS;
	if (who_needs_token(k) != NULL)
		turns_wait(r->lookups, w);
}

static void
take_query(struct resolve *r, const struct dns_miss *miss, const struct dns_cache_key *key, bool is_chained,
	uint64_t now_ns)
{
	struct lookup *k;

	if (answer_at_once(r, miss, key, is_chained, now_ns))
		return;
	k = lookups_find(r->lookups, key);
	if (k != NULL && waiters_find(r->lookups, k, miss) != NULL) {
		resolve_count(r, RESOLVER_REPEATED);
		return;
	}
	if (failures_has(&r->failures, key, now_ns)) { /* also when somebody still waits who came before */
		resolve_count(r, RESOLVER_FAILED_AGAIN);
		tell_miss_failure(r, miss, key, is_chained, DNS_FAILED, DNS_EDE_CACHED_ERROR,
			"upstream servers failed to answer this within the last second", now_ns);
		return;
	}
	if (waiters_of_pod(r->lookups, miss->client.port) >= r->config.in_flight_per_pod) {
		limit(r, miss, key, is_chained, RESOLVER_LIMITED_IN_FLIGHT,
			"as many queries as a pod may have are under way (dns.inFlightPerPod)", now_ns);
		return;
	}
	if (k != NULL)
		resolve_count(r, RESOLVER_COALESCED);
	else
		k = begin_lookup(r, key, now_ns);
	if (k == NULL)
		limit(r, miss, key, is_chained, RESOLVER_LIMITED_MEMORY,
			"too many look-ups are under way on this node", now_ns);
	else
		join(r, k, miss, is_chained, now_ns);
}

static void
take_prefetch(struct resolve *r, const struct dns_cache_key *key, uint64_t now_ns)
{
	struct lookup *k;

	if (lookups_find(r->lookups, key) != NULL)
		return;
	k = tokens_has_spare(&r->tokens, now_ns) && tries_has_room(&r->tries) ? lookups_add(r->lookups, key)
									      : NULL;
	if (k == NULL) {
		resolve_count(r, RESOLVER_PREFETCH_SKIPPED);
		return;
	}
	resolve_count(r, RESOLVER_LOOKUPS);
	resolve_count(r, RESOLVER_PREFETCHED);
	k->until_ns = now_ns + WAIT_NS;
	tokens_take(&r->tokens, now_ns);
	try_next(r, k, now_ns);
}

/* The query was scanned. */
static void
begin_query(struct resolve *r, const struct dns_miss *miss, struct dns_query *q, uint64_t now_ns)
{
	enum dns_verdict verdict = resolve_chain(r, miss, q, now_ns);
	struct dns_cache_key key;

	if (verdict == DNS_ANSWERED)
		return;
	if (verdict == DNS_LEAVES && miss->kind != DNS_MISS_COMPLETION)
		resolve_count(r, RESOLVER_CHAINED);
	key = dns_cache_key_of(q, miss->message);
	take_query(r, miss, &key, verdict == DNS_LEAVES, now_ns);
}

/* Completions whose last name does not exist, which the cache knows by now. It may have had no room for that. */
static void
take_resumed(struct resolve *r, uint64_t now_ns)
{
	struct dns_miss miss;
	struct dns_query q;

	while (waiters_take_resumed(r->lookups, &miss)) {
		if (!resolve_scan(r, &miss, &q))
			continue;
		if (++miss.n_steps < DNS_STEPS_MAX && now_ns < miss.client.received_ns + PATIENCE_NS) {
			begin_query(r, &miss, &q, now_ns);
		} else {
			struct dns_cache_key key = dns_cache_key_of(&q, miss.message);

			tell_miss_failure(r, &miss, &key, true, DNS_FAILED, DNS_EDE_OTHER, NULL, now_ns);
		}
	}
}

void
resolve_miss(struct resolve *r, const struct dns_miss *from, uint64_t now_ns)
{
	struct dns_miss miss = *from;
	struct dns_query q;
	struct dns_cache_key key;

	if (miss.client.port >= PORTS_MAX || !resolve_scan(r, &miss, &q))
		return;
	if (miss.kind == DNS_MISS_PREFETCH) {
		key = dns_cache_key_of(&q, miss.message);
		take_prefetch(r, &key, now_ns);
		return;
	}
	if (miss.kind == DNS_MISS_SHADOW) {
		shadow_compare_with_service(r, &miss, &q, now_ns);
		return;
	}
	resolve_count(r, RESOLVER_QUERIES);
	if (miss.kind == DNS_MISS_COMPLETION)
		resolve_count(r, RESOLVER_COMPLETIONS);
	begin_query(r, &miss, &q, now_ns);
}

/* --- servers */

void
resolve_received(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns)
{
	if (x->compared != NULL)
		shadow_received(r, x, message, size, now_ns);
	else
		reply_take(r, x, message, size, now_ns);
}

void
resolve_broken(struct resolve *r, struct try *x, uint64_t now_ns)
{
	if (x->compared != NULL)
		shadow_broken(r, x, now_ns);
	else
		try_broken(r, x, now_ns);
}

/* --- time */

static void
take_turns(struct resolve *r, uint64_t now_ns)
{
	while (tokens_has(&r->tokens, now_ns) && tries_has_room(&r->tries)) {
		struct waiter *w = turns_next(r->lookups);
		struct lookup *k;

		if (w == NULL)
			return;
		k = who_needs_token(w->lookup);
		if (k == NULL) { /* somebody else's turn has brought it on */
			turns_again(r->lookups, w);
			continue;
		}
		tokens_take(&r->tokens, now_ns);
		try_next(r, k, now_ns);
	}
}

/* Nobody waits for them, but for the cache's sake they may have what can be spared: somebody wanted them, or will. */
static void
take_lonely(struct resolve *r, uint64_t now_ns)
{
	struct lookup *k;

	while ((k = lookups_take_lonely(r->lookups)) != NULL) {
		if (lookup_has_waiters(k) || k->state != LOOKUP_WAITS) /* somebody has come since */
			continue;
		if (k->failure == FAILURE_SILENCE && now_ns < k->until_ns && k->n_tries < LONELY_TRIES_MAX &&
			tokens_has_spare(&r->tokens, now_ns)) {
			tokens_take(&r->tokens, now_ns);
			try_next(r, k, now_ns);
		} else {
			resolve_end(r, k);
		}
	}
}

/* Stale data, if there are any, for those who have waited that long. */
static void
ease_impatient(struct resolve *r, uint64_t now_ns)
{
	struct waiter *w;

	while ((w = waiters_oldest(r->lookups, false)) != NULL && w->came_ns + PATIENCE_NS <= now_ns) {
		struct lookup *k = w->lookup;
		bool is_completion = w->miss.kind == DNS_MISS_COMPLETION; /* the client can go on by itself */
		const struct dns_entry *e = is_completion ? NULL : resolve_stale(r, &k->key, true, now_ns);

		waiters_lose_patience(r->lookups, w);
		if (is_completion)
			tell_failure(r, w, DNS_FAILED, DNS_EDE_OTHER, NULL, now_ns);
		else if (e != NULL)
			tell_entry(r, w, e, DNS_STALE, now_ns);
		else
			continue;
		resolve_settle(r, k);
	}
}

static void
give_up_on_oldest(struct resolve *r, uint64_t now_ns)
{
	struct waiter *w;

	while ((w = waiters_oldest(r->lookups, true)) != NULL && w->came_ns + WAIT_NS <= now_ns) {
		struct lookup *k = w->lookup, *needs = who_needs_token(k);

		if (needs != NULL && needs->n_tries == 0) {
			resolve_count(r, RESOLVER_LIMITED_BUDGET);
			tell_failure(r, w, DNS_LIMITED, DNS_EDE_OTHER,
				"what this node may ask upstream is used up (dns.queriesPerSecond)", now_ns);
		} else {
			/* what had to wait for a token may have had too little time */
			if (w->n_failed > 0 && w->came_ns > r->starved_ns)
				resolve_note_failure(r, k, now_ns);
			tell_failure(r, w, DNS_FAILED, DNS_EDE_NO_REACHABLE,
				"no upstream server answered in time", now_ns);
		}
		resolve_settle(r, k);
	}
}

void
resolve_run(struct resolve *r, uint64_t now_ns)
{
	struct try *x;

	while ((x = tries_first(&r->tries)) != NULL && x->due_ns <= now_ns) {
		if (x->compared != NULL)
			shadow_timed_out(r, x, now_ns);
		else
			try_timed_out(r, x, now_ns);
	}
	take_resumed(r, now_ns);
	ease_impatient(r, now_ns);
	give_up_on_oldest(r, now_ns);
	do {
		take_lonely(r, now_ns);
		take_turns(r, now_ns); /* which may leave others alone */
	} while (lookups_has_lonely(r->lookups));
	if (turns_is_anybody(r->lookups))
		r->starved_ns = now_ns;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
resolve_due_ns(const struct resolve *r, uint64_t now_ns)
{
	const struct try *x = tries_first(&r->tries);
	const struct waiter *patient = waiters_oldest(r->lookups, false),
			    *other = waiters_oldest(r->lookups, true);
	uint64_t due = UINT64_MAX;

	if (x != NULL)
		due = earlier(due, x->due_ns);
	if (patient != NULL)
		due = earlier(due, patient->came_ns + PATIENCE_NS);
	if (other != NULL)
		due = earlier(due, other->came_ns + WAIT_NS);
	if (turns_is_anybody(r->lookups) &&
		tries_has_room(&r->tries)) /* else it is a try's end that brings them on */
		due = earlier(due, tokens_next_ns(&r->tokens, now_ns));
	return due;
}

/* --- what there is to see */

const uint64_t *
resolve_counters(const struct resolve *r)
{
	return r->counters;
}

const struct upstreams *
resolve_upstreams(const struct resolve *r)
{
	return &r->upstreams;
}

struct shadow_book *
resolve_shadow_book(struct resolve *r)
{
	return &r->shadow_book;
}

struct resolve_books
resolve_books(const struct resolve *r)
{
	return (struct resolve_books){
		.n_lookups = lookups_count(r->lookups),
		.n_waiters = waiters_count(r->lookups),
		.n_tries = tries_count(&r->tries),
	};
}
