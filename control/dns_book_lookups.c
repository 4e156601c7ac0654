#include "control/dns_book_lookups.h"

#include <stdlib.h>
#include <sys/random.h>

#include "dataplane/dns/dns_answer.h"

#define CHAINS 4096 /* a power of two */
#define NONE UINT16_MAX
#define UNKNOWN 0xff /* step: the first query's, until the next one tells */

/* One that waits for what follows. Links go by number: those of a chain have the same pod, type and first label by their hash, and
 * all of them are in the order of their last answers. */
struct open {
	struct dns_lookup lookup; /* its name is the last one that was asked for */
	uint64_t step_queries;    /* for that name, of lookup.counts.queries */
	uint16_t type;
	uint8_t rcode;    /* of the last answer */
	uint8_t step;     /* of the last name: as enum says below; UNKNOWN */
	uint8_t base_len; /* bytes of its labels before the suffix; when the step is known */
	uint16_t chain, next;
	uint16_t older, newer;
};

/* Steps: 0 is the name as it is, asked first; then the suffixes, from 1; and behind them the name as it is, asked last. */
static unsigned
last_step(const struct dns_search *search)
{
	return search->n + 1;
}

struct dns_lookups {
	void (*ended)(const struct dns_lookup *lookup, void *arg);
	void *arg;
	uint64_t seed;
	uint16_t free, oldest, newest;
	uint16_t chains[CHAINS];
	uint16_t n_of_port[PORTS_MAX];
	struct open open[DNS_LOOKUPS_ROOM];
};

/* A query's name, and where its labels begin. */
struct name {
	uint8_t len, labels;
	uint8_t at[DNS_LABELS_MAX + 1];
	uint8_t bytes[DNS_NAME_ROOM];
};

struct dns_lookups *
dns_lookups_new(void (*ended)(const struct dns_lookup *lookup, void *arg), void *arg)
{
	struct dns_lookups *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (getrandom(&l->seed, sizeof(l->seed), 0) != sizeof(l->seed)) {
		free(l);
		return NULL;
	}
	l->ended = ended;
	l->arg = arg;
	l->oldest = l->newest = NONE;
	memset(l->chains, 0xff, sizeof(l->chains));
	for (unsigned i = 0; i < DNS_LOOKUPS_ROOM; i++)
		l->open[i].next = i + 1 < DNS_LOOKUPS_ROOM ? (uint16_t)(i + 1) : NONE;
	return l;
}

void
dns_lookups_free(struct dns_lookups *l)
{
	free(l);
}

/* --- names */

static bool
name_read(struct name *n, const uint8_t *bytes, uint8_t len)
{
	unsigned at = 0;

	*n = (struct name){ .len = len };
	memcpy(n->bytes, bytes, len);
	for (unsigned i = 0; i < len; i += DNS_CHUNK) {
		__m128i *chunk = (__m128i *)(n->bytes + i);

		_mm_storeu_si128(chunk, dns_lower_chunk(_mm_loadu_si128(chunk)));
	}
	for (; at < n->len && n->bytes[at] != 0; at += 1u + n->bytes[at])
		if (n->bytes[at] > DNS_LABEL_MAX || n->labels == DNS_LABELS_MAX)
			return false;
		else
			n->at[n->labels++] = (uint8_t)at;
	return at + 1 == n->len && n->labels != 0;
}

/* The bytes before the suffix; 0: it has not got it, or nothing before. */
static unsigned
base_of(const struct name *n, const struct dns_wire *suffix)
{
	unsigned base = n->len > suffix->len ? n->len - suffix->len : 0;

	if (base == 0 || memcmp(n->bytes + base, suffix->bytes, suffix->len) != 0)
		return 0;
	for (unsigned i = 0; i < n->labels && n->at[i] <= base; i++)
		if (n->at[i] == base)
			return base;
	return 0;
}

/* The first suffix that the name has, with *base; 0: none. */
static unsigned
first_suffix(const struct dns_search *search, const struct name *n, unsigned *base)
{
	for (unsigned i = 0; i < search->n; i++)
		if ((*base = base_of(n, &search->suffixes[i])) != 0)
			return i + 1;
	return 0;
}

static uint16_t
chain_of(const struct dns_lookups *l, uint32_t pod, uint16_t type, const struct name *n)
{
	_Alignas(DNS_CHUNK) uint8_t label[DNS_LABEL_MAX + 1] = { 0 };

	memcpy(label, n->bytes + 1, n->bytes[0]);
	return (uint16_t)(dns_fold(dns_name_hash(label, n->bytes[0], l->seed),
				  l->seed ^ pod ^ (uint64_t)type << 32) &
			  (CHAINS - 1));
}

/* --- the books of open ones */

static void
unlink_age(struct dns_lookups *l, struct open *o)
{
	*(o->older == NONE ? &l->oldest : &l->open[o->older].newer) = o->newer;
	*(o->newer == NONE ? &l->newest : &l->open[o->newer].older) = o->older;
}

static void
link_newest(struct dns_lookups *l, struct open *o)
{
	uint16_t which = (uint16_t)(o - l->open);

	o->older = l->newest;
	o->newer = NONE;
	*(l->newest == NONE ? &l->oldest : &l->open[l->newest].newer) = which;
	l->newest = which;
}

static void
end(struct dns_lookups *l, struct open *o)
{
	uint16_t which = (uint16_t)(o - l->open), *link = &l->chains[o->chain];

	l->ended(&o->lookup, l->arg);
	while (*link != which)
		link = &l->open[*link].next;
	*link = o->next;
	unlink_age(l, o);
	l->n_of_port[o->lookup.pod % PORTS_MAX]--;
	o->next = l->free;
	l->free = which;
}

static struct open *
make_room(struct dns_lookups *l, uint32_t pod)
{
	if (l->n_of_port[pod % PORTS_MAX] >= DNS_LOOKUPS_OF_POD) {
		uint16_t i = l->oldest;

		while (l->open[i].lookup.pod % PORTS_MAX != pod % PORTS_MAX)
			i = l->open[i].newer;
		end(l, &l->open[i]);
	} else if (l->free == NONE) {
		end(l, &l->open[l->oldest]);
	}
	return &l->open[l->free];
}

/* --- what follows what */

/* Whether a name is the step's of a look-up for its first base_len bytes. */
static bool
is_step(const struct dns_search *search, const struct name *n, unsigned base_len, unsigned step)
{
	if (step == last_step(search))
		return n->len == base_len + 1; /* both have the root behind them */
	return base_of(n, &search->suffixes[step - 1]) == base_len;
}

/* The step at which the query goes on with a look-up that had that step with that base; 0: it does not. */
static unsigned
find_step(const struct dns_search *search, const struct open *o, const struct name *n, unsigned step,
	unsigned base_len)
{
	unsigned last = step == 0 ? search->n : last_step(search);

	if (n->len <= base_len || memcmp(n->bytes, o->lookup.name, base_len) != 0)
		return 0;
	for (unsigned next = step + 1; next <= last; next++)
		if (is_step(search, n, base_len, next))
			return next;
	return 0;
}

static bool
goes_on(struct open *o, const struct dns_search *search, const struct name *n)
{
	struct name was;
	unsigned next = 0, base_len = o->base_len;

	if (o->step != UNKNOWN) {
		next = find_step(search, o, n, o->step, base_len);
	} else {
		(void)name_read(&was, o->lookup.name, o->lookup.len); /* as it could be read before */
		for (unsigned step = 0; step <= search->n && next == 0; step++) {
			base_len = step == 0 ? was.len - 1u : base_of(&was, &search->suffixes[step - 1]);
			if (base_len != 0)
				next = find_step(search, o, n, step, base_len);
		}
	}
	if (next == 0)
		return false;
	o->step = (uint8_t)next;
	o->base_len = (uint8_t)base_len;
	return true;
}

static bool
is_same(const struct dns_lookup *lookup, const struct name *n)
{
	return lookup->len == n->len && memcmp(lookup->name, n->bytes, n->len) == 0;
}

/* The look-up that the query belongs to. One that asks again for the same name does so since it got no answer. */
static struct open *
find_open(struct dns_lookups *l, uint16_t chain, uint32_t pod, const struct dns_search *search,
	const struct dns_sample *s, const struct name *n)
{
	for (uint16_t i = l->chains[chain]; i != NONE; i = l->open[i].next) {
		struct open *o = &l->open[i];

		if (o->lookup.pod != pod || o->type != s->type || s->received_ns < o->lookup.last_ns ||
			s->received_ns - o->lookup.last_ns > DNS_LOOKUP_GAP_NS)
			continue;
		if (o->rcode != DNS_RCODE_NXDOMAIN && is_same(&o->lookup, n))
			return o;
		if (goes_on(o, search, n)) {
			o->lookup.counts.wasted += o->step_queries;
			o->step_queries = 0;
			return o;
		}
	}
	return NULL;
}

static struct open *
begin(struct dns_lookups *l, uint16_t chain, uint32_t pod, const struct dns_sample *s)
{
	struct open *o = make_room(l, pod);

	l->free = o->next;
	*o = (struct open){ .lookup = { .pod = pod, .is_whole = true, .first_ns = s->received_ns },
		.type = s->type,
		.step = UNKNOWN,
		.chain = chain,
		.next = l->chains[chain] };
	l->chains[chain] = (uint16_t)(o - l->open);
	link_newest(l, o);
	l->n_of_port[pod % PORTS_MAX]++;
	return o;
}

/* What a query amounts to. */
static struct dns_name_counts
counts_of(const struct dns_sample *s)
{
	return (struct dns_name_counts){
		.queries = s->weight,
		.nxdomain = s->rcode == DNS_RCODE_NXDOMAIN ? s->weight : 0,
		.upstream = s->source == DNS_UPSTREAM || s->source == DNS_FAILED ? s->weight : 0,
		.limited = s->source == DNS_LIMITED ? s->weight : 0,
	};
}

static void
add(struct open *o, const struct dns_name_counts *counts)
{
	o->step_queries += counts->queries;
	o->lookup.counts.queries += counts->queries;
	o->lookup.counts.nxdomain += counts->nxdomain;
	o->lookup.counts.upstream += counts->upstream;
	o->lookup.counts.limited += counts->limited;
}

/* Tells of a query by itself. What was not found below a suffix is told of the name without. */
static void
tell_alone(struct dns_lookups *l, uint32_t pod, const struct dns_search *search, const struct dns_sample *s,
	const struct name *n)
{
	struct dns_lookup lookup = { .pod = pod, .counts = counts_of(s), .len = n->len };
	unsigned base = 0;

	memcpy(lookup.name, n->bytes, n->len);
	if (s->rcode == DNS_RCODE_NXDOMAIN && first_suffix(search, n, &base) != 0) {
		lookup.counts.wasted = s->weight;
		lookup.name[base] = 0;
		lookup.len = (uint8_t)(base + 1);
	}
	l->ended(&lookup, l->arg);
}

/* Nothing follows an answer, nor the last try. */
static bool
is_final(const struct dns_search *search, const struct open *o)
{
	return o->rcode == DNS_RCODE_NOERROR ||
	       (o->rcode == DNS_RCODE_NXDOMAIN && (search->n == 0 || o->step == last_step(search)));
}

void
dns_lookups_note(
	struct dns_lookups *l, uint32_t pod, const struct dns_search *search, const struct dns_sample *sample)
{
	bool is_all = sample->weight == 1; /* else others were not told */
	struct dns_name_counts counts = counts_of(sample);
	unsigned base;
	uint16_t chain;
	struct open *o;
	struct name n;

	if (!name_read(&n, sample->name, sample->name_len))
		return;
	if (!is_all)
		tell_alone(l, pod, search, sample, &n);
	chain = chain_of(l, pod, sample->type, &n);
	o = find_open(l, chain, pod, search, sample, &n);
	/* of what may have begun without our knowing only the first suffix is a beginning */
	if (o == NULL && (is_all || first_suffix(search, &n, &base) == 1))
		o = begin(l, chain, pod, sample);
	if (o == NULL)
		return;
	if (is_all)
		add(o, &counts);
	o->rcode = sample->rcode;
	o->lookup.last_ns = sample->answered_ns;
	o->lookup.len = n.len;
	memcpy(o->lookup.name, n.bytes, n.len);
	unlink_age(l, o);
	link_newest(l, o);
	if (is_final(search, o))
		end(l, o);
}

void
dns_lookups_expire(struct dns_lookups *l, uint64_t now_ns)
{
	while (l->oldest != NONE && now_ns > l->open[l->oldest].lookup.last_ns &&
		now_ns - l->open[l->oldest].lookup.last_ns >= DNS_LOOKUP_REST_NS)
		end(l, &l->open[l->oldest]);
}

void
dns_lookups_forget(struct dns_lookups *l, uint32_t pod)
{
	uint16_t next;

	for (uint16_t i = l->oldest; i != NONE; i = next) {
		next = l->open[i].newer;
		if (l->open[i].lookup.pod == pod)
			end(l, &l->open[i]);
	}
}
