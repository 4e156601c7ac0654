#include "dataplane/dns/dns_tally.h"

#include <stdlib.h>

#include "dataplane/counters.h"
#include "dataplane/dns/dns_answer.h"
#include "dataplane/pkt.h"

static const struct {
	const char *label, *help;
} sources[N_DNS_SOURCES] = {
#define DNS_SOURCE(symbol, label, help) [DNS_##symbol] = { label, help },
#include "dataplane/dns/dns_sources.def"
#undef DNS_SOURCE
};

struct dns_tally {
	struct dns_counts ports[PORTS_MAX];

	/* the worker's own */
	uint32_t at;               /* samples written, which wrap around as 'written' does */
	uint16_t run_port;         /* whose answers the last ones were, ... */
	uint32_t n_run;            /* ... how many since the last flush, ... */
	uint32_t n_kept;           /* ... and samples of them */
	uint32_t n_put[PORTS_MAX]; /* samples of a port, which wrap around, too */

	uint32_t written __attribute__((aligned(CACHE_LINE))); /* the worker stores, control loads */
	uint32_t taken __attribute__((aligned(CACHE_LINE)));   /* control stores, the worker loads */
	uint32_t n_taken[PORTS_MAX] __attribute__((aligned(CACHE_LINE))); /* of 'n_put', likewise */
	struct dns_sample samples[DNS_SAMPLES];
};

const char *
dns_source_label(enum dns_source source)
{
	return sources[source].label;
}

const char *
dns_source_help(enum dns_source source)
{
	return sources[source].help;
}

struct dns_tally *
dns_tally_new(void)
{
	struct dns_tally *t = aligned_alloc(CACHE_LINE, sizeof(*t));

	if (t != NULL)
		memset(t, 0, sizeof(*t));
	return t;
}

void
dns_tally_free(struct dns_tally *t)
{
	free(t);
}

static struct dns_sample *
sample_at(struct dns_tally *t, uint32_t i)
{
	return &t->samples[i % DNS_SAMPLES];
}

/* A run's samples stand for all of its answers; what is left over goes to the first. */
static void
end_run(struct dns_tally *t)
{
	uint32_t each, first = t->at - t->n_kept;

	if (t->n_kept != 0) {
		each = t->n_run / t->n_kept;
		for (uint32_t i = first; i != t->at; i++)
			sample_at(t, i)->weight = each;
		sample_at(t, first)->weight += t->n_run % t->n_kept;
	}
	t->n_run = t->n_kept = 0;
}

static bool
has_room(const struct dns_tally *t, uint16_t port)
{
	uint32_t waiting = t->at - __atomic_load_n(&t->taken, __ATOMIC_ACQUIRE);

	if (waiting < DNS_SAMPLES / 2)
		return true;
	return waiting < DNS_SAMPLES &&
	       t->n_put[port] - __atomic_load_n(&t->n_taken[port], __ATOMIC_RELAXED) < DNS_PORT_SAMPLES;
}

static void
keep(struct dns_tally *t, const struct dns_sample *answer, const uint8_t *name)
{
	struct dns_sample *s = sample_at(t, t->at++);

	memcpy(s, answer, offsetof(struct dns_sample, name));
	memcpy(s->name, name, answer->name_len);
	t->n_put[answer->port]++;
	t->n_kept++;
}

void
dns_tally_note(struct dns_tally *t, const struct dns_sample *answer, const uint8_t *name)
{
	struct dns_counts *c = &t->ports[answer->port];

	counter_add(&c->by_source[answer->source], 1);
	if (answer->rcode == DNS_RCODE_NXDOMAIN)
		counter_add(&c->nxdomain, 1);
	if (answer->is_completed)
		counter_add(&c->completed, 1);
	if (answer->port != t->run_port)
		end_run(t);
	t->run_port = answer->port;
	t->n_run++;
	if (t->n_kept < DNS_RUN_SAMPLES && has_room(t, answer->port))
		keep(t, answer, name);
}

void
dns_tally_flush(struct dns_tally *t)
{
	if (t->n_run == 0)
		return;
	end_run(t);
	__atomic_store_n(&t->written, t->at, __ATOMIC_RELEASE);
}

bool
dns_tally_take(struct dns_tally *t, struct dns_sample *out)
{
	uint32_t taken = t->taken, *of_port;

	if (taken == __atomic_load_n(&t->written, __ATOMIC_ACQUIRE))
		return false;
	*out = *sample_at(t, taken);
	of_port = &t->n_taken[out->port];
	__atomic_store_n(of_port, *of_port + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&t->taken, taken + 1, __ATOMIC_RELEASE);
	return true;
}

void
dns_tally_read(const struct dns_tally *t, uint16_t port, struct dns_counts *sum)
{
	const struct dns_counts *c = &t->ports[port];

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		sum->by_source[i] += __atomic_load_n(&c->by_source[i], __ATOMIC_RELAXED);
	sum->nxdomain += __atomic_load_n(&c->nxdomain, __ATOMIC_RELAXED);
	sum->completed += __atomic_load_n(&c->completed, __ATOMIC_RELAXED);
}
