#include "control/resolve/resolve_try.h"

#include <errno.h>

#include "control/loop.h"
#include "control/resolve/resolve_life.h"
#include "control/resolve/resolve_tell.h"

/* Each try waits twice as long as the one before, up to this. */
#define TRY_MAX_NS (2 * NS_PER_S)
#define TRY_DOUBLED_MAX 3
/* A connection and two messages. */
#define TCP_NS (2 * NS_PER_S)

/* So many tries that fail are enough for any waiter. */
#define FAILED_MAX 8

/* Of one look-up, with those that are late; a probe is beside them. */
#define TRIES_OPEN_MAX 4

/* With more tries than this under way, those that are late are not waited for. */
#define TRIES_MANY (TRIES_MAX / 2)

static const struct {
	uint16_t ede;
	const char *text;
} failures[] = {
	[FAILURE_NONE] = { DNS_EDE_OTHER, NULL },
	[FAILURE_SILENCE] = { DNS_EDE_NO_REACHABLE, "no upstream server answered in time" },
	[FAILURE_NETWORK] = { DNS_EDE_NETWORK, "no upstream server can be reached" },
	[FAILURE_REFUSAL] = { DNS_EDE_OTHER, "upstream servers answered with errors" },
	[FAILURE_NO_SERVER] = { DNS_EDE_NO_REACHABLE, "there is no upstream server to ask" },
	[FAILURE_LOCAL] = { DNS_EDE_OTHER, "this node has no room for more queries to upstream servers" },
};

/* --- whom to ask */

static bool
is_within(const struct dns_name_entry *zone, const struct dns_cache_key *key)
{
	unsigned at = 0;

	while (key->len - at > zone->len)
		at += 1u + key->name[at];
	return key->len - at == zone->len && memcmp(key->name + at, zone->name, zone->len) == 0;
}

/* NULL: nobody is asked for such names. */
static const struct dns_forward *
find_forward(const struct resolve *r, const struct lookup *k)
{
	const struct dns_forward *longest = NULL;

	for (unsigned i = 0; r->table != NULL && i < r->table->n_forwards; i++) {
		const struct dns_forward *f = &r->table->forwards[i];

		if (is_within(&f->zone, &k->key) && (longest == NULL || f->zone.len > longest->zone.len))
			longest = f;
	}
	return longest;
}

static void
refuse(struct lookup *k, struct upstream *up)
{
	for (unsigned i = 0; i < k->n_refused; i++)
		if (k->refused[i] == up)
			return;
	if (k->n_refused == LOOKUP_REFUSED_MAX) /* some of them are asked no more */
		memmove(k->refused, k->refused + 1, --k->n_refused * sizeof(k->refused[0]));
	k->refused[k->n_refused++] = up;
}

/* Another one than last time, if there is one that is no worse. */
static struct upstream *
choose(struct resolve *r, struct lookup *k, const struct dns_forward *forward, uint64_t now_ns)
{
	struct upstream *avoided[LOOKUP_REFUSED_MAX + 1], *up = NULL;
	unsigned n = k->n_refused;

	memcpy(avoided, k->refused, n * sizeof(avoided[0]));
	if (k->last != NULL) {
		avoided[n] = k->last;
		up = upstreams_choose(&r->upstreams, forward, avoided, n + 1, &r->entropy, now_ns);
	}
	if (up != NULL && (up->failing_since_ns == 0 || k->last->failing_since_ns != 0))
		return up;
	return upstreams_choose(&r->upstreams, forward, avoided, n, &r->entropy, now_ns);
}

/* --- a try */

/* RFC 1035 section 4.1, RFC 6891 section 6.1. */
uint16_t
try_message(const struct dns_cache_key *key, uint16_t id, bool is_plain, uint8_t out[static TRY_MESSAGE_MAX])
{
	static const uint8_t opt[DNS_OPT_SIZE] = { 0, 0, DNS_TYPE_OPT, DNS_UDP_SIZE_MAX >> 8,
		DNS_UDP_SIZE_MAX & 255 };
	uint8_t *at = out;

	memset(at, 0, DNS_HEADER_SIZE);
	at[0] = (uint8_t)(id >> 8);
	at[1] = (uint8_t)id;
	at[DNS_FLAGS_AT] = DNS_FLAG_RD;
	at[DNS_FLAGS_AT + 1] = key->checking_disabled ? DNS_FLAG_CD : 0;
	at[5] = 1; /* question */
	at[DNS_ADDITIONALS_AT + 1] = is_plain ? 0 : 1;
	at += DNS_HEADER_SIZE;
	memcpy(at, key->name, key->len);
	at += key->len;
	*at++ = (uint8_t)(key->type >> 8);
	*at++ = (uint8_t)key->type;
	*at++ = 0;
	*at++ = DNS_CLASS_IN;
	if (!is_plain) {
		memcpy(at, opt, sizeof(opt));
		at[7] = key->dnssec ? 0x80 : 0; /* DO */
		at += sizeof(opt);
	}
	return (uint16_t)(at - out);
}

static uint64_t
patience_ns(const struct lookup *k, const struct upstream *up, bool is_tcp)
{
	unsigned doubled = k->n_tries < TRY_DOUBLED_MAX ? k->n_tries : TRY_DOUBLED_MAX;
	uint64_t patience = upstream_patience_ns(up) << doubled;

	if (is_tcp)
		return TCP_NS;
	return patience < TRY_MAX_NS ? patience : TRY_MAX_NS;
}

/* What is special about a try. */
enum {
	TRY_TCP = 1 << 0,
	TRY_PLAIN = 1 << 1, /* without EDNS, whatever the server knows */
	TRY_PROBE = 1 << 2,
};

/* A token was taken. 0 or -errno. */
static int
send_try(struct resolve *r, struct lookup *k, struct upstream *up, unsigned flags, uint64_t now_ns)
{
	bool is_tcp = (flags & TRY_TCP) != 0;
	uint8_t message[TRY_MESSAGE_MAX];
	struct try *x = tries_add(&r->tries);
	const struct resolve_transport *transport = &r->config.transport;
	int result;

	if (x == NULL)
		return -ENOBUFS;
	x->id = entropy_u16(&r->entropy);
	x->is_tcp = is_tcp;
	x->is_probe = (flags & TRY_PROBE) != 0;
	x->is_plain = (flags & TRY_PLAIN) || now_ns < up->plain_until_ns;
	result = transport->send(transport->arg, &up->server, is_tcp, message,
		try_message(&k->key, x->id, x->is_plain, message), x, &x->socket);
	if (result < 0) {
		tries_remove(&r->tries, x);
		return result;
	}
	x->lookup = k;
	x->upstream = up;
	x->next = k->tries;
	k->tries = x;
	x->sent_ns = up->asked_ns = now_ns;
	up->n_open++;
	up->n_tries++;
	resolve_count(r, RESOLVER_TRIES);
	tries_time(&r->tries, x, now_ns + patience_ns(k, up, is_tcp));
	if (x->is_probe)
		return 0;
	if (k->last != NULL && k->last != up)
		resolve_count(r, RESOLVER_FAILOVERS);
	x->number = ++k->n_tries;
	k->last = up;
	k->state = LOOKUP_ASKED;
	return 0;
}

/* A server that fails is given the query, too: nobody waits for it, but if it answers, it is back. */
static void
probe(struct resolve *r, struct lookup *k, const struct dns_forward *forward, uint64_t now_ns)
{
	struct upstream *up;

	if (!tokens_has_spare(&r->tokens, now_ns) || !tries_has_room(&r->tries))
		return;
	up = upstreams_due(&r->upstreams, forward, now_ns);
	if (up == NULL || up == k->last)
		return;
	tokens_take(&r->tokens, now_ns);
	resolve_count(r, RESOLVER_PROBES);
	if (send_try(r, k, up, TRY_PROBE, now_ns) < 0)
		upstream_unreachable(up, now_ns);
}

/* --- what becomes of it */

/* Those for whom all that could be done was done. n_servers: that there are. */
static void
tell_hopeless(struct resolve *r, struct lookup *k, uint32_t number, bool is_refusal, unsigned n_servers,
	uint64_t now_ns)
{
	struct waiter *next;

	for (struct waiter *w = lookup_first_waiter(k); w != NULL; w = next) {
		next = lookup_next_waiter(k, w);
		if (number <= w->since) /* he came later: somebody else's bad luck */
			continue;
		w->n_failed++;
		w->n_refused = (uint8_t)(w->n_refused + is_refusal);
		if (w->n_failed < FAILED_MAX && w->n_refused < n_servers)
			continue;
		if (n_servers != 0)
			resolve_note_failure(r, k, now_ns);
		tell_failure(r, w, DNS_FAILED, failures[k->failure].ede, failures[k->failure].text, now_ns);
	}
}

/* All that wait. */
static void
give_up(struct resolve *r, struct lookup *k, enum try_failure failure, uint64_t now_ns)
{
	enum dns_source source = failure == FAILURE_LOCAL ? DNS_LIMITED : DNS_FAILED;
	struct waiter *w;

	if (failure == FAILURE_NETWORK)
		resolve_note_failure(r, k, now_ns);
	while ((w = lookup_first_waiter(k)) != NULL) {
		if (source == DNS_LIMITED)
			resolve_count(r, RESOLVER_LIMITED_MEMORY);
		tell_failure(r, w, source, failures[failure].ede, failures[failure].text, now_ns);
	}
	resolve_end(r, k);
}

bool
try_is_local(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM ||
	       error == -EAGAIN;
}

/* Each socket that is open is one more at which to guess an answer (RFC 5452 section 5), so those that are late are not waited for
 * for ever. */
static void
close_oldest(struct resolve *r, struct lookup *k)
{
	struct try *next;

	for (struct try *x = k->tries; x != NULL; x = next) {
		next = x->next;
		if (x->place == 0 && x->number + TRIES_OPEN_MAX <= k->n_tries + 1)
			try_close(r, x);
	}
}

void
try_next(struct resolve *r, struct lookup *k, uint64_t now_ns)
{
	const struct dns_forward *forward = find_forward(r, k);
	struct upstream *up;

	if (forward == NULL || forward->n == 0) {
		give_up(r, k, FAILURE_NO_SERVER, now_ns);
		return;
	}
	up = choose(r, k, forward, now_ns);
	if (up == NULL && k->n_refused > 0) { /* those who came later have a round of their own */
		k->n_refused = 0;
		up = choose(r, k, forward, now_ns);
	}
	close_oldest(r, k);
	for (; up != NULL; up = choose(r, k, forward, now_ns)) {
		int result = send_try(r, k, up, 0, now_ns);

		if (result == 0) {
			probe(r, k, forward, now_ns);
			return;
		}
		if (try_is_local(result)) {
			give_up(r, k, FAILURE_LOCAL, now_ns);
			return;
		}
		resolve_count(r, RESOLVER_UNREACHABLE);
		upstream_unreachable(up, now_ns);
		refuse(k, up);
	}
	give_up(r, k, FAILURE_NETWORK, now_ns);
}

bool
try_again(struct resolve *r, const struct try *x, bool is_tcp, bool is_plain, uint64_t now_ns)
{
	unsigned flags = (is_tcp ? TRY_TCP : 0) | (is_plain ? TRY_PLAIN : 0);
	int result;

	tokens_take(&r->tokens, now_ns);
	result = send_try(r, x->lookup, x->upstream, flags, now_ns);
	x->lookup->is_limited |= try_is_local(result);
	if (result < 0)
		return false;
	if (is_tcp)
		resolve_count(r, RESOLVER_TCP);
	return true;
}

void
try_failed(struct resolve *r, struct try *x, enum try_failure failure, uint64_t now_ns)
{
	struct lookup *k = x->lookup;
	const struct dns_forward *forward;
	bool is_latest, is_silence = failure == FAILURE_SILENCE;
	struct upstream *up = x->upstream;
	uint32_t number = x->number;

	if (k == NULL || x->is_probe) {
		try_close(r, x);
		return;
	}
	is_latest = number == k->n_tries;
	k->failure = (uint8_t)failure;
	if (!is_silence)
		refuse(k, up);
	if (!is_silence || x->is_tcp || tries_count(&r->tries) > TRIES_MANY)
		try_close(r, x);
	forward = find_forward(r, k);
	tell_hopeless(r, k, number, !is_silence, forward == NULL ? 0 : forward->n, now_ns);
	if (!is_latest) /* another one is under way */
		return;
	resolve_release(r, k);
	resolve_wait(r, k);
}

void
try_timed_out(struct resolve *r, struct try *x, uint64_t now_ns)
{
	tries_untime(&r->tries, x);
	resolve_count(r, RESOLVER_TIMEOUTS);
	upstream_silent(x->upstream, x->sent_ns, now_ns);
	try_failed(r, x, FAILURE_SILENCE, now_ns);
}

void
try_broken(struct resolve *r, struct try *x, uint64_t now_ns)
{
	resolve_count(r, RESOLVER_UNREACHABLE);
	upstream_unreachable(x->upstream, now_ns);
	try_failed(r, x, FAILURE_NETWORK, now_ns);
}
