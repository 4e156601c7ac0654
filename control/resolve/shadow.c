#include "control/resolve/shadow.h"

#include <errno.h>

#include "control/loop.h"
#include "control/resolve/resolve_life.h"
#include "control/resolve/resolve_tell.h"
#include "control/resolve/resolve_try.h"

#define COMPARE_TRIES_MAX 3
/* A connection and two messages. */
#define TCP_NS (2 * NS_PER_S)
#define MISMATCHED_MAX 8

static const enum resolver_counter counters[N_SHADOW_KINDS] = {
	[SHADOW_SAME] = RESOLVER_SHADOW_SAME,
	[SHADOW_NO_ANSWER] = RESOLVER_SHADOW_NO_ANSWER,
	[SHADOW_RCODE] = RESOLVER_SHADOW_RCODE,
	[SHADOW_MISSING] = RESOLVER_SHADOW_MISSING,
	[SHADOW_EXTRA] = RESOLVER_SHADOW_EXTRA,
	[SHADOW_AUTHORITY] = RESOLVER_SHADOW_AUTHORITY,
};

/* --- what we say */

struct own_answer {
	uint16_t size;
	enum shadow_extent extent;
	uint8_t bytes[DNS_UDP_SIZE_MAX];
};

/* As large as UDP lets it be, whatever the client takes: the service is asked for that, too. False: the name is not ours. */
static bool
answer(struct resolve *r, const struct dns_miss *from, struct own_answer *out)
{
	const struct dns_zone *zone = r->table == NULL ? NULL : r->table->zone;
	struct dns_miss miss = *from;
	enum dns_verdict verdict;
	struct dns_reply reply;
	struct dns_query q;

	miss.has_opt = true;
	miss.wants_dnssec = false;
	miss.udp_size = DNS_UDP_SIZE_MAX;
	if (zone == NULL || !resolve_scan(r, &miss, &q))
		return false;
	memcpy(out->bytes, miss.message, miss.size);
	verdict = dns_answer(zone, &q, out->bytes, sizeof(out->bytes), 0, &reply);
	if (verdict == DNS_PASS)
		return false;
	out->size = reply.size;
	out->extent = verdict == DNS_LEAVES ? SHADOW_LEAVES : reply.is_truncated ? SHADOW_CUT : SHADOW_WHOLE;
	return true;
}

/* --- the end */

static void
end(struct comparison *c)
{
	c->x = NULL;
}

/* theirs: NULL when there was nothing. */
static void
settle(struct resolve *r, struct comparison *c, enum shadow_kind kind, const uint8_t *theirs, size_t size,
	uint64_t now_ns)
{
	struct shadow_divergence d = {
		.last_ns = now_ns,
		.kind = (uint8_t)kind,
		.name_len = c->key.len,
		.type = c->key.type,
		.client = c->miss.client,
	};

	resolve_count(r, counters[kind]);
	if (kind != SHADOW_SAME) {
		memcpy(d.name, c->name, c->key.len);
		shadow_texts(c->ours, c->size, theirs, size, d.ours, d.theirs);
		shadow_book_note(&r->shadow_book, &d);
	}
	end(c);
}

/* What we said when the service was asked, or else what we say now. */
static enum shadow_kind
compare(struct resolve *r, struct comparison *c, const uint8_t *theirs, size_t size)
{
	enum shadow_kind kind = shadow_compare(c->ours, c->size, c->ours_is, theirs, size);
	struct own_answer now;

	if (kind == SHADOW_SAME || kind == SHADOW_NO_ANSWER || !answer(r, &c->miss, &now))
		return kind;
	memcpy(c->ours, now.bytes, now.size);
	c->size = now.size;
	c->ours_is = (uint8_t)now.extent;
	return shadow_compare(c->ours, c->size, c->ours_is, theirs, size);
}

/* --- tries */

/* The service's endpoints, of both families in turn, since there may not be room for all; what is asked of us is none: it would come
 * back. */
static void
find_servers(const struct dns_table *t, struct dns_forward *out)
{
	unsigned n_v4 = t->backends[V4].n, n = n_v4 > t->backends[V6].n ? n_v4 : t->backends[V6].n;

	out->n = 0;
	for (unsigned i = 0; i < n; i++)
		for (unsigned f = 0; f < N_FAMILIES && out->n < DNS_UPSTREAMS_MAX; f++) {
			const struct dns_server *s = &t->backends[f].servers[i];

			if (i < t->backends[f].n && !dns_table_asks(t, &s->addr, s->port))
				out->servers[out->n++] = *s;
		}
}

/* 0 or -errno. */
static int
send_to(struct resolve *r, struct comparison *c, struct upstream *up, bool is_tcp, uint64_t now_ns)
{
	const struct resolve_transport *transport = &r->config.transport;
	uint64_t patience = is_tcp ? TCP_NS : upstream_patience_ns(up) << c->n_tries;
	uint8_t message[TRY_MESSAGE_MAX];
	struct try *x = tries_add(&r->tries);
	int result;

	if (x == NULL)
		return -ENOBUFS;
	x->id = entropy_u16(&r->entropy);
	x->is_tcp = is_tcp;
	x->is_plain = now_ns < up->plain_until_ns;
	result = transport->send(transport->arg, &up->server, is_tcp, message,
		try_message(&c->key, x->id, x->is_plain, message), x, &x->socket);
	if (result < 0) {
		tries_remove(&r->tries, x);
		return result;
	}
	x->compared = c;
	x->upstream = up;
	x->sent_ns = up->asked_ns = now_ns;
	up->n_open++;
	up->n_tries++;
	c->x = x;
	c->n_tries++;
	resolve_count(r, RESOLVER_TRIES);
	if (is_tcp)
		resolve_count(r, RESOLVER_TCP);
	tokens_take(&r->tokens, now_ns);
	tries_time(&r->tries, x, now_ns + (patience < TCP_NS ? patience : TCP_NS));
	return 0;
}

static void
refuse(struct comparison *c, struct upstream *up)
{
	if (c->n_refused == DNS_UPSTREAMS_MAX) /* some of them are no endpoints any more */
		memmove(c->refused, c->refused + 1, --c->n_refused * sizeof(c->refused[0]));
	c->refused[c->n_refused++] = up;
}

/* One that has not failed it; when all but the silent one have, that one again: a datagram may be lost. */
static struct upstream *
choose(struct resolve *r, const struct comparison *c, const struct dns_forward *servers, uint64_t now_ns)
{
	struct upstream *avoided[DNS_UPSTREAMS_MAX + 1], *up = NULL;
	unsigned n = c->n_refused;

	memcpy(avoided, c->refused, n * sizeof(avoided[0]));
	if (c->silent != NULL) {
		avoided[n] = c->silent;
		up = upstreams_choose(&r->upstreams, servers, avoided, n + 1, &r->entropy, now_ns);
	}
	return up != NULL ? up : upstreams_choose(&r->upstreams, servers, avoided, n, &r->entropy, now_ns);
}

/* Asks an endpoint, or, when none is left, ends it. */
static void
try_one(struct resolve *r, struct comparison *c, uint64_t now_ns)
{
	struct dns_forward servers;
	struct upstream *up;

	if (r->table == NULL || c->n_tries >= COMPARE_TRIES_MAX) {
		settle(r, c, SHADOW_NO_ANSWER, NULL, 0, now_ns);
		return;
	}
	find_servers(r->table, &servers);
	while ((up = choose(r, c, &servers, now_ns)) != NULL) {
		int result = send_to(r, c, up, false, now_ns);

		if (result == 0)
			return;
		if (try_is_local(result)) { /* which says nothing about the service */
			resolve_count(r, RESOLVER_SHADOW_SKIPPED);
			end(c);
			return;
		}
		resolve_count(r, RESOLVER_UNREACHABLE);
		upstream_unreachable(up, now_ns);
		refuse(c, up);
	}
	settle(r, c, SHADOW_NO_ANSWER, NULL, 0, now_ns);
}

/* The try came to nothing. */
static void
fail(struct resolve *r, struct try *x, bool is_silence, uint64_t now_ns)
{
	struct comparison *c = x->compared;

	if (is_silence)
		c->silent = x->upstream;
	else
		refuse(c, x->upstream);
	try_close(r, x);
	try_one(r, c, now_ns);
}

void
shadow_timed_out(struct resolve *r, struct try *x, uint64_t now_ns)
{
	resolve_count(r, RESOLVER_TIMEOUTS);
	upstream_silent(x->upstream, x->sent_ns, now_ns);
	fail(r, x, true, now_ns);
}

void
shadow_broken(struct resolve *r, struct try *x, uint64_t now_ns)
{
	resolve_count(r, RESOLVER_UNREACHABLE);
	upstream_unreachable(x->upstream, now_ns);
	fail(r, x, false, now_ns);
}

/* The whole of it, if there is a connection to spare. */
static bool
ask_over_tcp(struct resolve *r, struct try *x, uint64_t now_ns)
{
	struct comparison *c = x->compared;
	struct upstream *up = x->upstream;

	if (x->is_tcp || !tries_has_room(&r->tries) || send_to(r, c, up, true, now_ns) < 0)
		return false;
	try_close(r, x);
	return true;
}

static void
take_mismatch(struct resolve *r, struct try *x, uint64_t now_ns)
{
	resolve_count(r, RESOLVER_MISMATCHED);
	if (x->is_tcp || ++x->n_mismatched == MISMATCHED_MAX)
		fail(r, x, false, now_ns);
}

void
shadow_received(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns)
{
	struct comparison *c = x->compared;
	uint8_t sent[TRY_MESSAGE_MAX];

	if (!dns_parse_is_reply(message, size, sent, try_message(&c->key, x->id, x->is_plain, sent))) {
		take_mismatch(r, x, now_ns);
		return;
	}
	upstream_answered(x->upstream, now_ns - x->sent_ns, now_ns);
	if ((message[DNS_FLAGS_AT] & DNS_FLAG_TC) && ask_over_tcp(r, x, now_ns))
		return;
	settle(r, c, compare(r, c, message, size), message, size, now_ns);
	try_close(r, x); /* with which goes what came over a connection */
}

/* --- the beginning */

/* NULL: there is no room, for all or for the pod; or the same is under way (*is_known). */
static struct comparison *
find_room(struct resolve *r, uint16_t port, const struct dns_cache_key *key, bool *is_known)
{
	struct comparison *room = NULL;
	unsigned n = 0;

	*is_known = false;
	for (unsigned i = 0; i < COMPARISONS_MAX; i++) {
		struct comparison *c = &r->compared[i];

		if (c->x == NULL) {
			room = c;
			continue;
		}
		n += c->miss.client.port == port;
		*is_known |= c->key.len == key->len && c->key.type == key->type &&
			     memcmp(c->name, key->name, key->len) == 0;
	}
	return n < COMPARISONS_SHARE && !*is_known ? room : NULL;
}

void
shadow_compare_with_service(
	struct resolve *r, const struct dns_miss *miss, const struct dns_query *q, uint64_t now_ns)
{
	struct dns_cache_key key = dns_cache_key_of(q, miss->message);
	struct own_answer own;
	struct comparison *c;
	bool is_known;

	if (!answer(r, miss, &own))
		return;
	c = find_room(r, miss->client.port, &key, &is_known);
	if (is_known)
		return;
	if (c == NULL || !tokens_has(&r->tokens, now_ns) || !tries_has_room(&r->tries)) {
		resolve_count(r, RESOLVER_SHADOW_SKIPPED);
		return;
	}
	*c = (struct comparison){
		.miss = *miss, .key = key, .ours_is = (uint8_t)own.extent, .size = own.size
	};
	c->key.dnssec = c->key.checking_disabled = false;
	memcpy(c->name, key.name, key.len);
	c->key.name = c->name;
	memcpy(c->ours, own.bytes, own.size);
	try_one(r, c, now_ns);
}
