#include "control/resolve/resolve_reply.h"

#include "control/loop.h"
#include "control/resolve/resolve_life.h"
#include "control/resolve/resolve_tell.h"
#include "control/resolve/resolve_try.h"

/* For how long a server that does not know EDNS is asked without. */
#define PLAIN_NS (900 * NS_PER_S)

/* So many datagrams that are no answer come from nobody who was asked: over TCP, who guesses cannot answer. */
#define MISMATCHED_MAX 8

/* Codes that nobody looks at but here (RFC 1035 section 4.1.1). */
#define RCODE_FORMERR 1
#define RCODE_NOTIMP 4

static bool
has_id(const struct try *x, const uint8_t *message, size_t size)
{
	return size >= DNS_HEADER_SIZE && message[0] == x->id >> 8 && message[1] == (x->id & 255) &&
	       (message[DNS_FLAGS_AT] & DNS_FLAG_QR);
}

/* A server that does not know EDNS may say so without repeating the question (RFC 6891 section 7). */
static bool
is_bare_formerr(const struct try *x, const uint8_t *message, size_t size)
{
	return !x->is_plain && size == DNS_HEADER_SIZE && has_id(x, message, size) &&
	       (message[DNS_FLAGS_AT + 1] & 15) == RCODE_FORMERR && message[4] == 0 && message[5] == 0;
}

/* --- answers */

/* A chain goes on with the name itself; but not a completion, for which the cut tells in the cache that there is no such name. */
static bool
is_settled_by_cut(const struct waiter *w, const struct dns_entry *e)
{
	return !w->is_chained || (w->miss.kind == DNS_MISS_COMPLETION && e->life_s != 0);
}

/* Those who wait for a longer name below this one. */
static void
answer_dependents(struct resolve *r, struct lookup *k, const struct dns_entry *e, uint64_t now_ns)
{
	struct lookup *dependent;

	while (dns_cut_is_nothing(e) && (dependent = lookup_first_dependent(k)) != NULL) {
		struct waiter *w, *next;

		for (w = lookup_first_waiter(dependent); w != NULL; w = next) {
			next = lookup_next_waiter(dependent, w);
			if (!is_settled_by_cut(w, e)) /* it goes on below */
				continue;
			resolve_count(r, RESOLVER_CUT_ANSWERS);
			tell_entry(r, w, e, DNS_UPSTREAM, now_ns);
		}
		lookup_undepend(dependent);
		resolve_wait(r, dependent);
	}
}

static void
take_answer(struct resolve *r, struct try *x, uint64_t now_ns)
{
	struct lookup *k = x->lookup;
	const struct dns_entry *e = dns_entry_make(&r->made, &k->key, &r->parsed, &r->config.limits, now_ns);
	struct waiter *w;

	if (x->is_plain && x->sent_ns >= x->upstream->plain_until_ns) /* that was what it did not take */
		x->upstream->plain_until_ns = now_ns + PLAIN_NS;
	dns_cache_put(r->config.cache, e); /* or not: those who wait have it */
	failures_forget(&r->failures, &k->key);
	while ((w = lookup_first_waiter(k)) != NULL)
		tell_entry(r, w, e, DNS_UPSTREAM, now_ns);
	answer_dependents(r, k, e, now_ns);
	tries_untime(&r->tries, x); /* a probe has told about its server now */
	resolve_end(r, k);
}

/* --- what else they say */

static void
ask_again(struct resolve *r, struct try *x, bool is_tcp, bool is_plain, uint64_t now_ns)
{
	if (!try_again(r, x, is_tcp, is_plain, now_ns)) {
		try_failed(r, x, FAILURE_NETWORK, now_ns);
		return;
	}
	try_close(r, x);
}

/* The answer fits no datagram. Without a connection to spare it is the client's own that has to fetch it, which goes on to the DNS
 * service: others have these, and what the server has to say is not in doubt. */
static void
take_truncated(struct resolve *r, struct try *x, uint64_t now_ns)
{
	if (try_again(r, x, true, x->is_plain, now_ns)) {
		try_close(r, x);
		return;
	}
	r->parsed.kind = DNS_KIND_ANSWER;
	r->parsed.rcode = DNS_RCODE_NOERROR;
	r->parsed.is_oversized = true;
	take_answer(r, x, now_ns);
}

static void
take_refusal(struct resolve *r, struct try *x, enum resolver_counter why, uint64_t now_ns)
{
	resolve_count(r, why);
	x->upstream->n_refusals++;
	try_failed(r, x, FAILURE_REFUSAL, now_ns);
}

static void
take_error(struct resolve *r, struct try *x, uint64_t now_ns)
{
	uint16_t rcode = r->parsed.rcode;
	bool is_about_edns = rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP || rcode == DNS_RCODE_BADVERS;

	if (is_about_edns && !x->is_plain)
		ask_again(r, x, x->is_tcp, true, now_ns);
	else
		take_refusal(r, x, RESOLVER_REFUSALS, now_ns);
}

static void
take_mismatch(struct resolve *r, struct try *x, uint64_t now_ns)
{
	resolve_count(r, RESOLVER_MISMATCHED);
	if (x->is_tcp)
		take_refusal(r, x, RESOLVER_MALFORMED, now_ns);
	else if (++x->n_mismatched < MISMATCHED_MAX)
		return;
	else if (x->lookup == NULL || x->place == 0) /* its time is up, and others are asked */
		try_close(r, x);
	else
		ask_again(r, x, true, x->is_plain, now_ns);
}

static void
take_reply(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns)
{
	upstream_answered(x->upstream, now_ns - x->sent_ns, now_ns);
	if (x->lookup == NULL) { /* all that was to be known */
		try_close(r, x);
		return;
	}
	switch (dns_parse(message, size, &r->parsed)) {
	case DNS_KIND_ANSWER:
	case DNS_KIND_NODATA:
	case DNS_KIND_NXDOMAIN:
		take_answer(r, x, now_ns);
		break;
	case DNS_KIND_TRUNCATED:
		if (x->is_tcp)
			take_refusal(r, x, RESOLVER_MALFORMED, now_ns);
		else
			take_truncated(r, x, now_ns);
		break;
	case DNS_KIND_ERROR:
		take_error(r, x, now_ns);
		break;
	case DNS_KIND_LAME:
		take_refusal(r, x, RESOLVER_REFUSALS, now_ns);
		break;
	default:
		take_refusal(r, x, RESOLVER_MALFORMED, now_ns);
	}
}

void
reply_take(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns)
{
	uint8_t sent[TRY_MESSAGE_MAX];
	bool is_reply;

	if (x->lookup == NULL)
		is_reply = has_id(x, message, size);
	else
		is_reply = dns_parse_is_reply(
			message, size, sent, try_message(&x->lookup->key, x->id, x->is_plain, sent));
	if (is_reply) {
		take_reply(r, x, message, size, now_ns);
	} else if (x->lookup != NULL && is_bare_formerr(x, message, size)) {
		upstream_answered(x->upstream, now_ns - x->sent_ns, now_ns);
		ask_again(r, x, x->is_tcp, true, now_ns);
	} else {
		take_mismatch(r, x, now_ns);
	}
}
