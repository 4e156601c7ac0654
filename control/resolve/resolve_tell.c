#include "control/resolve/resolve_tell.h"

#include "control/loop.h"

/* RFC 8767 section 5: the failure recheck timer. */
#define RECHECK_NS (30 * NS_PER_S)

/* The fractional part of the golden ratio: consecutive numbers become far apart. */
#define ROTATION_STEP UINT32_C(0x9e3779b9)

bool
resolve_scan(const struct resolve *r, struct dns_miss *miss, struct dns_query *q)
{
	if (miss->size < DNS_HEADER_SIZE || miss->size > sizeof(miss->message))
		return false;
	/* OPT was taken off, and is told beside it */
	memset(miss->message + DNS_ANSWERS_AT, 0, DNS_HEADER_SIZE - DNS_ANSWERS_AT);
	if (dns_query_scan(miss->message, miss->size, dns_cache_seed(r->config.cache), q) != DNS_SCAN_QUERY)
		return false;
	q->has_opt = miss->has_opt;
	q->wants_dnssec = miss->wants_dnssec;
	q->udp_size = miss->udp_size;
	return true;
}

/* --- one answer */

struct telling {
	struct dns_told told;
	struct dns_query q;
	struct dns_reply reply;
	uint64_t now_ns;
	uint8_t worker;
	bool is_completion;
	bool has_waited; /* for servers, whatever it is answered from in the end */
};

static bool
begin(struct resolve *r, const struct dns_miss *from, uint64_t now_ns, struct telling *t)
{
	struct dns_miss miss = *from;

	if (!resolve_scan(r, &miss, &t->q))
		return false;
	t->told.client = miss.client;
	t->told.is_completed = false;
	t->worker = miss.worker;
	t->now_ns = now_ns;
	t->is_completion = miss.kind == DNS_MISS_COMPLETION;
	t->has_waited = miss.n_steps != 0;
	memcpy(t->told.message, miss.message, miss.size);
	return true;
}

static void
finish(struct resolve *r, struct telling *t, enum dns_source source)
{
	if (t->has_waited && (source == DNS_AUTHORITY || source == DNS_HIT))
		source = DNS_UPSTREAM; /* those are known for their latency */
	t->told.source = (uint8_t)source;
	t->told.rcode = t->reply.rcode;
	t->told.size = t->reply.size;
	if (!r->config.tell(r->config.tell_arg, t->worker, &t->told))
		resolve_count(r, RESOLVER_ANSWERS_LOST);
}

static void
finish_with_error(
	struct resolve *r, struct telling *t, enum dns_source source, uint16_t ede, const char *text)
{
	if (dns_reply_error(&t->q, t->told.message, sizeof(t->told.message), DNS_RCODE_SERVFAIL, ede, text,
		    &t->reply))
		finish(r, t, source);
}

/* --- chains */

/* The query for the name that the zone's answer leads to. */
static bool
scan_outside(const struct resolve *r, const struct telling *t, struct dns_query *q)
{
	uint8_t payload[DNS_MISS_MESSAGE_MAX];
	const uint8_t *name = t->told.message + t->reply.outside;
	unsigned len = 0;

	while (name[len] != 0)
		len += 1u + name[len];
	len++;
	memcpy(payload, t->told.message, DNS_HEADER_SIZE);
	memset(payload + DNS_FLAGS_AT, 0, 2);
	memset(payload + DNS_ANSWERS_AT, 0, DNS_HEADER_SIZE - DNS_ANSWERS_AT);
	memcpy(payload + DNS_HEADER_SIZE, name, len);
	memcpy(payload + DNS_HEADER_SIZE + len, t->told.message + t->q.end - 4, 4);
	return dns_query_scan(payload, DNS_HEADER_SIZE + len + 4u, dns_cache_seed(r->config.cache), q) ==
	       DNS_SCAN_QUERY;
}

/* The zone's part of the answer, in place. */
static enum dns_verdict
answer_from_zone(struct resolve *r, struct telling *t)
{
	const struct dns_zone *zone = r->table == NULL ? NULL : r->table->zone;
	uint32_t rotation = r->rotation += ROTATION_STEP;
	enum dns_verdict verdict = DNS_PASS;

	if (zone == NULL)
		return DNS_PASS;
	if (t->is_completion)
		verdict = dns_complete(r->table, t->told.client.port, &t->q, t->told.message,
			sizeof(t->told.message), rotation, t->now_ns, &t->reply);
	t->told.is_completed = verdict != DNS_PASS;
	if (verdict != DNS_PASS)
		return verdict;
	return dns_answer(zone, &t->q, t->told.message, sizeof(t->told.message), rotation, &t->reply);
}

/* What the zone says of the name that was asked for: the rest of the search is the client's. */
static void
tell_uncompleted(struct resolve *r, const struct dns_miss *miss, bool has_waited, uint64_t now_ns)
{
	struct telling t = { 0 };

	resolve_count(r, RESOLVER_UNCOMPLETED);
	if (!begin(r, miss, now_ns, &t))
		return;
	t.is_completion = false;
	t.has_waited |= has_waited;
	if (answer_from_zone(r, &t) == DNS_ANSWERED)
		finish(r, &t, DNS_AUTHORITY);
	else if (begin(r, miss, now_ns, &t))
		finish_with_error(r, &t, DNS_FAILED, DNS_EDE_OTHER,
			"the cluster's names changed while they were looked up");
}

enum dns_verdict
resolve_chain(struct resolve *r, const struct dns_miss *miss, struct dns_query *q, uint64_t now_ns)
{
	struct telling t = { 0 };
	enum dns_verdict verdict;

	if (!begin(r, miss, now_ns, &t))
		return DNS_PASS;
	verdict = answer_from_zone(r, &t);
	if (verdict == DNS_ANSWERED) { /* it was not when the worker looked, or before servers were asked */
		finish(r, &t, DNS_AUTHORITY);
	} else if (verdict == DNS_LEAVES) {
		if (!scan_outside(r, &t, q))
			return DNS_PASS;
		q->wants_dnssec = miss->wants_dnssec;
	}
	return verdict;
}

/* Whether the zone's answer still leads to where the entry is. */
static bool
continue_chain(struct resolve *r, struct telling *t, const struct dns_entry *e, uint32_t ttl_s, uint16_t ede)
{
	struct dns_query outside;

	if (answer_from_zone(r, t) != DNS_LEAVES || !scan_outside(r, t, &outside) || outside.len != e->len ||
		memcmp(outside.name, e->name, e->len) != 0)
		return false;
	return dns_entry_continue(e, &t->q, t->told.message, sizeof(t->told.message), ttl_s,
		r->rotation += ROTATION_STEP, ede, &t->reply);
}

/* --- answers */

const struct dns_entry *
resolve_stale(struct resolve *r, const struct dns_cache_key *key, bool has_failed, uint64_t now_ns)
{
	const struct dns_entry *e;

	/* one who is limited alone has no say in what others get */
	dns_cache_mark_stale(r->config.cache, key, now_ns + (has_failed ? RECHECK_NS : 1));
	e = dns_cache_find(r->config.cache, key);
	return e == NULL || dns_entry_life(e, now_ns) == DNS_LIFE_EXPIRED ? NULL : e;
}

void
tell_miss(struct resolve *r, const struct dns_miss *miss, const struct dns_entry *e, bool is_chained,
	enum dns_source source, uint64_t now_ns)
{
	struct telling t = { 0 };
	uint32_t ttl_s = dns_entry_ttl(e, now_ns);
	uint16_t ede = DNS_EDE_NONE;
	bool is_done;

	if (!begin(r, miss, now_ns, &t))
		return;
	if (e->life_s != 0 && now_ns >= e->expires_ns) { /* one without a life is told while it is new */
		resolve_count(r, RESOLVER_STALE);
		ede = e->rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN : DNS_EDE_STALE;
	}
	if (is_chained)
		is_done = continue_chain(r, &t, e, ttl_s, ede);
	else
		is_done = dns_entry_answer(e, &t.q, t.told.message, sizeof(t.told.message), ttl_s,
			r->rotation += ROTATION_STEP, ede, &t.reply);
	if (is_done && t.told.is_completed)
		dns_complete_limit(&t.q, t.told.message, ttl_s);
	if (is_done)
		finish(r, &t, source);
	else if (t.is_completion)
		tell_uncompleted(r, miss, source == DNS_UPSTREAM, now_ns);
	else if (begin(r, miss, now_ns, &t)) /* what was written is not what the client is to have */
		finish_with_error(
			r, &t, DNS_FAILED, DNS_EDE_OTHER, "the alias changed while it was followed");
}

void
tell_miss_failure(struct resolve *r, const struct dns_miss *miss, const struct dns_cache_key *key,
	bool is_chained, enum dns_source source, uint16_t ede, const char *text, uint64_t now_ns)
{
	const struct dns_entry *e;
	struct telling t = { 0 };

	e = resolve_stale(r, key, source == DNS_FAILED, now_ns);
	if (miss->kind == DNS_MISS_COMPLETION) { /* which no stale data complete */
		tell_uncompleted(r, miss, false, now_ns);
		return;
	}
	if (e != NULL) {
		tell_miss(r, miss, e, is_chained, source == DNS_FAILED ? DNS_STALE : source, now_ns);
		return;
	}
	if (source == DNS_FAILED)
		resolve_count(r, RESOLVER_FAILED);
	if (begin(r, miss, now_ns, &t))
		finish_with_error(r, &t, source, ede, text);
}

void
tell_entry(struct resolve *r, struct waiter *w, const struct dns_entry *e, enum dns_source source,
	uint64_t now_ns)
{
	bool is_completion = w->miss.kind == DNS_MISS_COMPLETION;

	if (is_completion && e->rcode == DNS_RCODE_NXDOMAIN && e->life_s != 0) {
		waiters_resume(r->lookups, w);
		return;
	}
	if (is_completion && (e->rcode == DNS_RCODE_NXDOMAIN || (e->flags & DNS_ENTRY_TRUNCATED)))
		tell_uncompleted(r, &w->miss, true, now_ns);
	else
		tell_miss(r, &w->miss, e, w->is_chained, source, now_ns);
	waiters_remove(r->lookups, w);
}

void
tell_failure(struct resolve *r, struct waiter *w, enum dns_source source, uint16_t ede, const char *text,
	uint64_t now_ns)
{
	if (w->miss.kind == DNS_MISS_COMPLETION) {
		resolve_stale(r, &w->lookup->key, source == DNS_FAILED, now_ns);
		tell_uncompleted(r, &w->miss, true, now_ns);
	} else {
		tell_miss_failure(r, &w->miss, &w->lookup->key, w->is_chained, source, ede, text, now_ns);
	}
	waiters_remove(r->lookups, w);
}
