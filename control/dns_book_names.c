#include "control/dns_book_names.h"

#include <stdlib.h>
#include <sys/random.h>

#define CHAINS 1024 /* a power of two */
#define NONE UINT16_MAX

struct entry {
	struct dns_name_hitter hitter;
	uint16_t next; /* of its chain */
	uint16_t at;   /* in the heap */
	uint16_t chain;
};

struct dns_names {
	uint64_t seed; /* who asks cannot choose names that collide */
	size_t n;
	uint16_t chains[CHAINS];
	uint16_t heap[DNS_NAMES_ROOM]; /* the least asked one first */
	struct entry entries[DNS_NAMES_ROOM];
};

struct dns_names *
dns_names_new(void)
{
	struct dns_names *n = malloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	if (getrandom(&n->seed, sizeof(n->seed), 0) != sizeof(n->seed)) {
		free(n);
		return NULL;
	}
	dns_names_clear(n);
	return n;
}

void
dns_names_free(struct dns_names *n)
{
	free(n);
}

void
dns_names_clear(struct dns_names *n)
{
	n->n = 0;
	memset(n->chains, 0xff, sizeof(n->chains));
}

static uint16_t
chain_of(const struct dns_names *n, const uint8_t *name, uint8_t len)
{
	_Alignas(DNS_CHUNK) uint8_t padded[DNS_NAME_ROOM] = { 0 };

	memcpy(padded, name, len);
	return (uint16_t)(dns_name_hash(padded, len, n->seed) & (CHAINS - 1));
}

static struct entry *
find(struct dns_names *n, uint16_t chain, const uint8_t *name, uint8_t len)
{
	uint16_t i = n->chains[chain];

	while (i != NONE &&
		(n->entries[i].hitter.len != len || memcmp(n->entries[i].hitter.name, name, len) != 0))
		i = n->entries[i].next;
	return i == NONE ? NULL : &n->entries[i];
}

/* --- the heap */

static uint64_t
count_at(const struct dns_names *n, size_t at)
{
	return n->entries[n->heap[at]].hitter.counts.queries;
}

static void
swap(struct dns_names *n, size_t a, size_t b)
{
	uint16_t entry = n->heap[a];

	n->heap[a] = n->heap[b];
	n->heap[b] = entry;
	n->entries[n->heap[a]].at = (uint16_t)a;
	n->entries[n->heap[b]].at = (uint16_t)b;
}

/* Counts only grow, so entries only sink. */
static void
sink(struct dns_names *n, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n->n; child++)
			if (count_at(n, child) < count_at(n, least))
				least = child;
		if (least == at)
			return;
		swap(n, at, least);
		at = least;
	}
}

static void
rise(struct dns_names *n, size_t at)
{
	for (; at > 0 && count_at(n, at) < count_at(n, (at - 1) / 2); at = (at - 1) / 2)
		swap(n, at, (at - 1) / 2);
}

/* --- entries */

static void
unlink_entry(struct dns_names *n, uint16_t which)
{
	uint16_t *link = &n->chains[n->entries[which].chain];

	while (*link != which)
		link = &n->entries[*link].next;
	*link = n->entries[which].next;
}

/* A free one, or that of the least asked name with its count. */
static struct entry *
make_entry(struct dns_names *n, uint16_t chain, const uint8_t *name, uint8_t len)
{
	bool is_free = n->n < DNS_NAMES_ROOM;
	uint16_t which = is_free ? (uint16_t)n->n : n->heap[0];
	struct entry *e = &n->entries[which];
	uint64_t queries = is_free ? 0 : e->hitter.counts.queries;
	uint16_t at = is_free ? which : 0;

	if (!is_free)
		unlink_entry(n, which);
	*e = (struct entry){ .hitter = { .counts.queries = queries, .error = queries, .len = len },
		.next = n->chains[chain],
		.at = at,
		.chain = chain };
	memcpy(e->hitter.name, name, len);
	n->chains[chain] = which;
	n->heap[at] = which;
	if (is_free) {
		n->n++;
		rise(n, at);
	}
	return e;
}

/* Of more pods than there is room for, one takes the place of the one that asked least: as with names. */
static void
add_pod(struct dns_name_hitter *h, uint32_t pod, uint64_t queries)
{
	struct dns_name_pod *least = &h->pods[0];

	for (unsigned i = 0; i < DNS_NAME_PODS; i++) {
		struct dns_name_pod *p = &h->pods[i];

		if (p->queries == 0 || p->pod == pod) {
			p->pod = pod;
			p->queries += queries;
			return;
		}
		if (p->queries < least->queries)
			least = p;
	}
	h->has_more_pods = true;
	least->pod = pod;
	least->queries += queries;
}

void
dns_names_add(struct dns_names *n, const uint8_t *name, uint8_t len, const struct dns_name_counts *counts,
	uint32_t pod)
{
	uint16_t chain = chain_of(n, name, len);
	struct entry *e = find(n, chain, name, len);

	if (e == NULL)
		e = make_entry(n, chain, name, len);
	e->hitter.counts.queries += counts->queries;
	e->hitter.counts.wasted += counts->wasted;
	e->hitter.counts.nxdomain += counts->nxdomain;
	e->hitter.counts.upstream += counts->upstream;
	e->hitter.counts.limited += counts->limited;
	add_pod(&e->hitter, pod, counts->queries);
	sink(n, e->at);
}

size_t
dns_names_count(const struct dns_names *n)
{
	return n->n;
}

const struct dns_name_hitter *
dns_names_at(const struct dns_names *n, size_t i)
{
	return &n->entries[i].hitter;
}

const struct dns_name_hitter *
dns_names_find(const struct dns_names *n, const uint8_t *name, uint8_t len)
{
	const struct entry *e = find((struct dns_names *)n, chain_of(n, name, len), name, len);

	return e == NULL ? NULL : &e->hitter;
}

void
dns_name_join(struct dns_name_hitter *to, const struct dns_name_hitter *from)
{
	to->counts.queries += from->counts.queries;
	to->counts.wasted += from->counts.wasted;
	to->counts.nxdomain += from->counts.nxdomain;
	to->counts.upstream += from->counts.upstream;
	to->counts.limited += from->counts.limited;
	to->error += from->error;
	to->has_more_pods |= from->has_more_pods;
	for (unsigned i = 0; i < DNS_NAME_PODS && from->pods[i].queries != 0; i++)
		add_pod(to, from->pods[i].pod, from->pods[i].queries);
}
