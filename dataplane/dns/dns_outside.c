/* Names that are not the cluster's: from the cache, and else by the resolver, who is told of the query and answers it later
 * (dns_ring.h). Where too many wait for it, SERVFAIL says so at once: a stub resolver that hears nothing would wait for seconds, and
 * ask again. */
#include "dataplane/dns/dns_outside.h"

#include "dataplane/dns/dns_cache.h"
#include "dataplane/dns/dns_complete.h"
#include "dataplane/dns/dns_cut.h"
#include "dataplane/dns/dns_reply.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

#define TYPE_AND_CLASS 4 /* bytes behind the question's name */

/* Tells the resolver, of a question for this name, which is in full. False: there is no room for more. */
static bool
put_miss(const struct asking *a, enum dns_miss_kind kind, const uint8_t *name, unsigned len)
{
	const struct pkt *p = a->pkt;
	const struct dns_query *q = &a->query;
	size_t limit = dns_reply_limit(q, a->room);
	struct dns_miss miss;

	miss.client = (struct dns_client){ .port = p->in_port,
		.client_port = p->sport,
		.server_port = p->dport,
		.is_host = p->origin == ORIGIN_HOST,
		.client = p->src,
		.server = p->dst,
		.received_ns = a->worker->now_ns };
	miss.udp_size = (uint16_t)limit;
	miss.has_opt = q->has_opt;
	miss.wants_dnssec = q->wants_dnssec;
	miss.kind = (uint8_t)kind;
	miss.worker = (uint8_t)a->worker->id;
	miss.n_steps = 0;
	miss.size = (uint16_t)(DNS_HEADER_SIZE + len + TYPE_AND_CLASS);
	memcpy(miss.message, a->header, DNS_HEADER_SIZE);
	memcpy(miss.message + DNS_HEADER_SIZE, name, len);
	memcpy(miss.message + DNS_HEADER_SIZE + len, a->payload + q->end - TYPE_AND_CLASS, TYPE_AND_CLASS);
	return dns_miss_put(a->worker->dns_rings, a->worker->id, &miss);
}

static const uint8_t *
question_name(const struct asking *a)
{
	return a->payload + DNS_HEADER_SIZE;
}

bool
asking_tell_resolver(const struct asking *a, enum dns_miss_kind kind)
{
	return put_miss(a, kind, question_name(a), a->query.len);
}

static void
refuse(struct asking *a, enum dns_source source, uint8_t rcode, uint16_t ede, const char *text)
{
	struct dns_reply reply;

	if (dns_reply_error(&a->query, a->payload, a->room, rcode, ede, text, &reply))
		asking_settle(a, source, &reply);
	else
		asking_pass(a, "there is no room for an answer");
}

/* Says that the name which was asked for does not exist, and leaves the rest of the search to who asked. */
static bool
answer_uncompleted(struct asking *a)
{
	struct dns_reply reply;

	if (!a->is_completed || dns_answer(a->tables->dns->zone, &a->query, a->payload, a->room,
					asking_rotation(a), &reply) != DNS_ANSWERED)
		return false;
	a->is_completed = false;
	asking_settle(a, DNS_AUTHORITY, &reply);
	return true;
}

/* Hands it to the resolver; the payload is not looked at any more. */
static void
ask(struct asking *a)
{
	struct pkt *p = a->pkt;
	enum dns_miss_kind kind = a->is_completed ? DNS_MISS_COMPLETION : DNS_MISS_QUERY;

	if (!asking_tell_resolver(a, kind)) {
		if (answer_uncompleted(a))
			return;
		refuse(a, DNS_LIMITED, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
			"too many queries wait for upstream");
		return;
	}
	p->verdict = VERDICT_ASKED;
	policy_note_sent(a->worker, a->burst, &a->opinion);
	TRACE(a->burst, "dns", "an upstream server is asked");
}

static uint16_t
ede_of(const struct dns_entry *e, enum dns_life life)
{
	if (life == DNS_LIFE_FRESH)
		return DNS_EDE_NONE;
	return e->rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN : DNS_EDE_STALE;
}

/* False: it is not to be answered from this entry. */
static bool
answer_from(struct asking *a, const struct dns_entry *e)
{
	uint64_t now_ns = a->worker->now_ns;
	enum dns_life life = dns_entry_life(e, now_ns);
	struct dns_reply reply;

	if (life == DNS_LIFE_EXPIRED ||
		!dns_entry_answer(e, &a->query, a->payload, a->room, dns_entry_ttl(e, now_ns),
			asking_rotation(a), ede_of(e, life), &reply))
		return false;
	asking_settle(a, life == DNS_LIFE_FRESH ? DNS_HIT : DNS_STALE, &reply);
	return true;
}

/* The name of a node's search list below which, as we know, there is nothing. */
static bool
answer_from_cut(struct asking *a)
{
	const struct dns_table *t = a->tables->dns;
	const struct dns_query *q = &a->query;
	const struct dns_entry *e;
	struct dns_cut cut;

	if (t->n_suffixes == 0 || !dns_cut_above(t, q->name, q->len, dns_cache_seed(t->cache), &cut))
		return false;
	e = dns_cache_find(t->cache, &cut.key);
	if (e == NULL || !dns_cut_is_nothing(e) || !answer_from(a, e))
		return false;
	dns_entry_use(e, a->worker->now_ns); /* so that it stays */
	return true;
}

void
asking_outside(struct asking *a)
{
	struct dns_cache *cache = a->tables->dns->cache;
	struct dns_cache_key key = dns_cache_key_of(&a->query, a->payload);
	const struct dns_entry *e;

	if (a->query.edns_version != 0) {
		refuse(a, DNS_AUTHORITY, DNS_RCODE_BADVERS, DNS_EDE_NONE, NULL);
		return;
	}
	e = dns_cache_find_guessed(cache, &key, a->guess);
	if (e != NULL && answer_from(a, e)) {
		if (dns_entry_use(e, a->worker->now_ns))
			asking_tell_resolver(a, DNS_MISS_PREFETCH);
	} else if (!answer_from_cut(a)) {
		ask(a);
	}
}

/* The name outside, in lower case and padded. */
static void
read_outside(const struct asking *a, const struct dns_reply *reply, uint8_t name[static DNS_NAME_ROOM],
	struct dns_cache_key *key)
{
	const uint8_t *from = a->payload + reply->outside;
	unsigned len = 1;

	while (from[len - 1] != 0)
		len += 1u + from[len - 1];
	memset(name, 0, DNS_NAME_ROOM);
	memcpy(name, from, len);
	for (unsigned at = 0; at < len; at += DNS_CHUNK) {
		__m128i chunk = dns_lower_chunk(_mm_load_si128((const __m128i *)(name + at)));

		_mm_store_si128((__m128i *)(name + at), chunk);
	}
	key->name = name;
	key->len = (uint8_t)len;
	key->hash = dns_name_hash(name, len, dns_cache_seed(a->tables->dns->cache));
}

void
asking_leave(struct asking *a, struct dns_reply *reply)
{
	uint64_t now_ns = a->worker->now_ns;
	_Alignas(DNS_CHUNK) uint8_t name[DNS_NAME_ROOM];
	struct dns_cache_key key = dns_cache_key_of(&a->query, a->payload);
	const struct dns_entry *e;
	enum dns_life life;

	read_outside(a, reply, name, &key);
	e = dns_cache_find(a->tables->dns->cache, &key);
	life = e == NULL ? DNS_LIFE_EXPIRED : dns_entry_life(e, now_ns);
	if (life != DNS_LIFE_EXPIRED &&
		dns_entry_continue(e, &a->query, a->payload, a->room, dns_entry_ttl(e, now_ns),
			asking_rotation(a), ede_of(e, life), reply)) {
		if (a->is_completed)
			dns_complete_limit(&a->query, a->payload, dns_entry_ttl(e, now_ns));
		asking_settle(a, life == DNS_LIFE_FRESH ? DNS_HIT : DNS_STALE, reply);
		if (dns_entry_use(e, now_ns))
			put_miss(a, DNS_MISS_PREFETCH, name, key.len);
		return;
	}
	memcpy(a->payload, a->header, DNS_HEADER_SIZE);
	ask(a);
}
