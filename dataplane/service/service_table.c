#include "dataplane/service/service_table.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Places for n at a load of at most one half, and one that is always free, so that look-ups end. */
static uint32_t
places(uint32_t n)
{
	uint32_t size = 2;

	while (size < 2 * n)
		size *= 2;
	return size;
}

/* The arrays of a table, one after the other: with base NULL, only how large they are. */
static size_t
lay_out(struct service_table *t, uint8_t *base)
{
	const size_t sizes[] = {
		((size_t)t->frontend_mask + 1) * sizeof(struct frontend),
		((size_t)t->reverse_mask + 1) * sizeof(struct reverse),
		(size_t)t->n_backends * sizeof(struct backend),
		(size_t)t->n_buckets * sizeof(uint16_t),
		((size_t)t->addr_mask + 1) * sizeof(struct ip_addr),
	};
	void **const arrays[] = {
		(void **)&t->frontends,
		(void **)&t->reverses,
		(void **)&t->backends,
		(void **)&t->buckets,
		(void **)&t->addrs,
	};
	size_t size = round_up(sizeof(*t), CACHE_LINE);

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (base != NULL)
			*arrays[i] = base + size;
		size += round_up(sizes[i], CACHE_LINE);
	}
	return size;
}

struct service_table *
service_table_new(uint32_t n_frontends, uint32_t n_backends, uint32_t n_buckets, uint32_t n_reverses)
{
	struct service_table shape = {
		.frontend_mask =
			places(2 * n_frontends) - 1, /* the hottest: fewer collisions, fewer wrong guesses */
		.reverse_mask = places(n_reverses) - 1,
		.addr_mask = places(n_frontends) - 1,
		.n_backends = n_backends,
		.n_buckets = n_buckets,
	};
	size_t size = lay_out(&shape, NULL);
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
	struct service_table *t = aligned_alloc(align, round_up(size, align));

	if (t == NULL)
		return NULL;
	/* a hint: without huge pages a look-up costs a TLB miss more */
	if (align == HUGE_PAGE)
		madvise(t, round_up(size, align), MADV_HUGEPAGE);
	memset(t, 0, size);
	*t = shape;
	lay_out(t, (uint8_t *)t);
	return t;
}

void
service_table_free(struct service_table *t)
{
	free(t);
}

static void
add_addr(struct service_table *t, const struct ip_addr *addr)
{
	uint32_t i = addr_hash(addr, 0, 0) & t->addr_mask;

	while (!ip_addr_is_none(&t->addrs[i]) && !ip_addr_eq(&t->addrs[i], addr))
		i = (i + 1) & t->addr_mask;
	t->addrs[i] = *addr;
}

bool
service_table_has_addr(const struct service_table *t, const struct ip_addr *addr)
{
	uint32_t i = addr_hash(addr, 0, 0) & t->addr_mask;

	while (!ip_addr_is_none(&t->addrs[i]) && !ip_addr_eq(&t->addrs[i], addr))
		i = (i + 1) & t->addr_mask;
	return !ip_addr_is_none(&t->addrs[i]);
}

uint32_t
service_table_add_frontend(struct service_table *t, const struct frontend *f)
{
	uint32_t i = addr_hash(&f->addr, f->port, f->proto) & t->frontend_mask;

	for (; t->frontends[i].proto != 0; i = (i + 1) & t->frontend_mask) {
		const struct frontend *other = &t->frontends[i];

		if (other->port == f->port && other->proto == f->proto && ip_addr_eq(&other->addr, &f->addr))
			return FRONTEND_NONE;
	}
	t->frontends[i] = *f;
	t->n_frontends++;
	add_addr(t, &f->addr);
	return i;
}

void
service_table_add_reverse(struct service_table *t, const struct backend *b, uint8_t proto, uint32_t frontend)
{
	uint32_t i = addr_hash(&b->addr, b->port, proto) & t->reverse_mask;

	for (; t->reverses[i].proto != 0; i = (i + 1) & t->reverse_mask) {
		const struct reverse *r = &t->reverses[i];

		if (r->port == b->port && r->proto == proto && ip_addr_eq(&r->addr, &b->addr))
			break;
	}
	if (t->reverses[i].proto == 0) {
		t->reverses[i] = (struct reverse){ b->addr, b->port, proto, 0,
			{ FRONTEND_NONE, FRONTEND_NONE, FRONTEND_NONE } };
		t->n_reverses++;
	}
	if (b->slot != 0)
		t->reverses[i].frontend[b->slot - 1] = frontend;
}
