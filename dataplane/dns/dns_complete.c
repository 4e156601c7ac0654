#include "dataplane/dns/dns_complete.h"

#include "dataplane/dns/dns_cut.h"

/* "svc" on the wire. */
#define SVC "\3svc"
#define SVC_SIZE 4u

/* What is known of a name. */
enum step {
	STEP_NOTHING, /* it does not exist */
	STEP_EXISTS,
	STEP_UNKNOWN,   /* somebody has to be asked */
	STEP_UNCERTAIN, /* nor will that help */
};

struct search {
	const struct dns_table *table;
	const struct dns_query *q;
	bool checking_disabled; /* CD */
	unsigned base;          /* bytes of B, without the root label */
	size_t room;            /* in the answer, for all but the question and OPT */
	uint64_t now_ns;
	uint32_t ttl_s; /* the least of what has been found out */
};

/* --- which names */

/* Whether the name is B.X.svc.ZONE, X being the port's namespace, and is not there, nor what it would be below. */
static bool
is_first_step(const struct dns_table *t, uint16_t port, const struct dns_query *q, unsigned *base)
{
	const struct dns_zone *z = t->zone;
	const struct dns_namespace *ns = &t->namespaces[port];
	unsigned n_above = z->labels + 2u, at;

	if (ns->len == 0 || (q->type != DNS_TYPE_A && q->type != DNS_TYPE_AAAA) || q->edns_version != 0 ||
		q->labels <= n_above + 1u || !dns_zone_holds(z, q))
		return false;
	at = q->label_at[q->labels - n_above];
	if (q->len - at != ns->len + SVC_SIZE + z->len || memcmp(q->name + at, ns->label, ns->len) != 0 ||
		memcmp(q->name + at + ns->len, SVC, SVC_SIZE) != 0)
		return false;
	*base = at;
	return dns_zone_find(z, q->name, q->len, q->hash) == NULL &&
	       dns_zone_get(z, q->name + q->label_at[1], q->len - q->label_at[1]) == NULL;
}

static bool
append(struct dns_query *to, const uint8_t *from, unsigned len)
{
	if (to->len + len > DNS_NAME_MAX)
		return false;
	memcpy(to->name + to->len, from, len);
	to->len = (uint8_t)(to->len + len);
	return true;
}

/* Where the labels are, the padding, the hash. */
static void
finish_name(struct dns_query *q, uint64_t seed)
{
	unsigned at = 0;

	memset(q->name + q->len, 0, (DNS_CHUNK - q->len % DNS_CHUNK) % DNS_CHUNK);
	for (q->labels = 0; q->name[at] != 0; at += 1u + q->name[at])
		q->label_at[q->labels++] = (uint8_t)at;
	q->hash = dns_name_hash(q->name, q->len, seed);
}

/* The i-th name behind the first one. False: it would be too long. */
static bool
step_name(const struct search *s, unsigned i, struct dns_query *out)
{
	const struct dns_table *t = s->table;
	bool done;

	out->type = s->q->type;
	out->wants_dnssec = s->q->wants_dnssec;
	out->len = 0;
	append(out, s->q->name, s->base);
	if (i == 0)
		done = append(out, (const uint8_t *)SVC, SVC_SIZE) &&
		       append(out, t->zone->name, t->zone->len);
	else if (i == 1)
		done = append(out, t->zone->name, t->zone->len);
	else if (i < 2u + t->n_suffixes)
		done = append(out, t->suffixes[i - 2].name, t->suffixes[i - 2].len);
	else
		done = append(out, (const uint8_t[]){ 0 }, 1);
	if (done)
		finish_name(out, t->zone->seed);
	return done;
}

/* --- what is known of them */

static void
note_ttl(struct search *s, uint32_t ttl_s)
{
	if (ttl_s < s->ttl_s)
		s->ttl_s = ttl_s;
}

/* What the zone has of names in reverse and of ports is written for a question of that name. */
static enum step
judge_node(const struct dns_node *node)
{
	return node->flags & (DNS_NODE_REVERSE | DNS_NODE_PORT) ? STEP_UNCERTAIN : STEP_EXISTS;
}

static enum step
judge_entry(struct search *s, const struct dns_entry *e)
{
	enum dns_life life = e == NULL ? DNS_LIFE_EXPIRED : dns_entry_life(e, s->now_ns);

	if (life == DNS_LIFE_EXPIRED)
		return STEP_UNKNOWN;
	if (life == DNS_LIFE_STALE || (e->flags & DNS_ENTRY_TRUNCATED))
		return STEP_UNCERTAIN;
	note_ttl(s, dns_entry_ttl(e, s->now_ns));
	if (e->rcode != DNS_RCODE_NXDOMAIN) /* whoever answers from it notes that it is used */
		return STEP_EXISTS;
	dns_entry_use(e, s->now_ns); /* so that it stays */
	return STEP_NOTHING;
}

/* By the name right below a suffix. */
static enum step
judge_cut(struct search *s, const struct dns_query *name)
{
	const struct dns_cache *cache = s->table->cache;
	const struct dns_entry *e;
	struct dns_cut cut;

	if (!dns_cut_above(s->table, name->name, name->len, dns_cache_seed(cache), &cut))
		return STEP_UNKNOWN;
	e = dns_cache_find(cache, &cut.key);
	return e != NULL && dns_cut_is_nothing(e) ? judge_entry(s, e) : STEP_UNKNOWN;
}

/* What the cache knows of the name for the other kind of address, which the pod wants, too: both searches are to end at the same name,
 * and both with what it has. Servers that know one address may deny the name when they are asked for the other kind (RFC 4074 section
 * 4.2), and a name below the cut may have been asked for before. */
static enum step
reconcile(const struct search *s, struct dns_cache_key key, enum step step)
{
	const struct dns_entry *other;
	enum dns_life life;

	key.type = key.type == DNS_TYPE_A ? DNS_TYPE_AAAA : DNS_TYPE_A;
	other = dns_cache_find(s->table->cache, &key);
	life = other == NULL ? DNS_LIFE_EXPIRED : dns_entry_life(other, s->now_ns);
	if (life == DNS_LIFE_EXPIRED)
		return step;
	if (step == STEP_NOTHING)
		return other->rcode == DNS_RCODE_NXDOMAIN ? step : STEP_UNCERTAIN;
	if (life == DNS_LIFE_STALE || (other->flags & DNS_ENTRY_TRUNCATED) ||
		(size_t)DNS_RR_HEADER + key.len + other->body_len > s->room)
		return STEP_UNCERTAIN;
	return step;
}

static enum step
judge_outside(struct search *s, const struct dns_query *name)
{
	const struct dns_cache_key key = {
		.name = name->name,
		.hash = name->hash,
		.type = name->type,
		.len = name->len,
		.dnssec = name->wants_dnssec,
		.checking_disabled = s->checking_disabled,
	};
	enum step step = judge_entry(s, dns_cache_find(s->table->cache, &key));

	if (step == STEP_UNKNOWN)
		step = judge_cut(s, name);
	return step == STEP_NOTHING || step == STEP_EXISTS ? reconcile(s, key, step) : step;
}

static enum step
judge(struct search *s, const struct dns_query *name)
{
	const struct dns_zone *z = s->table->zone;
	const struct dns_node *node = dns_zone_find(z, name->name, name->len, name->hash);

	if (node != NULL)
		return judge_node(node);
	if (!dns_zone_holds(z, name))
		return judge_outside(s, name);
	return dns_answer_has_pod(z, name) ? STEP_EXISTS : STEP_NOTHING;
}

/* The first name that exists or is not known to. False: there is none, or it is not certain. */
static bool
find_target(struct search *s, struct dns_query *target)
{
	unsigned n = 3u + s->table->n_suffixes;

	for (unsigned i = 0; i < n; i++) {
		enum step step = step_name(s, i, target) ? judge(s, target) : STEP_UNCERTAIN;

		if (step != STEP_NOTHING)
			return step != STEP_UNCERTAIN;
	}
	return false;
}

enum dns_verdict
dns_complete(const struct dns_table *t, uint16_t port, const struct dns_query *q, uint8_t *payload,
	size_t room, uint32_t rotation, uint64_t now_ns, struct dns_reply *out)
{
	struct search s = { .table = t,
		.q = q,
		.checking_disabled = (payload[DNS_FLAGS_AT + 1] & DNS_FLAG_CD) != 0,
		.now_ns = now_ns };
	struct dns_query target;
	size_t limit = dns_reply_limit(q, room), used = q->end + (q->has_opt ? DNS_OPT_SIZE : 0u);

	if (t->namespaces == NULL || t->zone == NULL || t->cache == NULL || port >= PORTS_MAX ||
		!is_first_step(t, port, q, &s.base))
		return DNS_PASS;
	s.room = limit < used ? 0 : limit - used;
	s.ttl_s = t->zone->ttl_s;
	if (!find_target(&s, &target))
		return DNS_PASS;
	return dns_answer_alias(t->zone, q, &target, payload, room, s.ttl_s, rotation, out);
}

void
dns_complete_limit(const struct dns_query *q, uint8_t *payload, uint32_t ttl_s)
{
	uint8_t *at = payload + q->end + DNS_RR_TTL;
	be32 ttl;

	memcpy(&ttl, at, sizeof(ttl));
	if (ttl_s < be32_host(ttl)) {
		ttl = be32_from(ttl_s);
		memcpy(at, &ttl, sizeof(ttl));
	}
}
