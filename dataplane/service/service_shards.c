#include "dataplane/service/service_table_internal.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
	size_t item_size;
	/* of the places of a shard, how many eighths may be taken */
	uint32_t eighths;
} kinds[N_SHARD_KINDS] = {
	[SHARD_FRONTENDS] = { sizeof(struct frontend), 4 },
	[SHARD_REVERSES] = { sizeof(struct reverse), 5 },
	[SHARD_ADDRS] = { sizeof(struct service_addr), 5 },
};

void *
service_shard_get(const struct service_table *t, enum shard_kind kind, unsigned shard)
{
	return kind == SHARD_FRONTENDS  ? (void *)t->frontends[shard]
	       : kind == SHARD_REVERSES ? (void *)t->reverses[shard]
					: (void *)t->addrs[shard];
}

static void
shard_set(struct service_table *t, enum shard_kind kind, unsigned shard, void *memory)
{
	if (kind == SHARD_FRONTENDS)
		t->frontends[shard] = memory;
	else if (kind == SHARD_REVERSES)
		t->reverses[shard] = memory;
	else
		t->addrs[shard] = memory;
}

static uint32_t *
mask_of(struct service_table *t, enum shard_kind kind)
{
	return kind == SHARD_FRONTENDS  ? &t->frontend_mask
	       : kind == SHARD_REVERSES ? &t->reverse_mask
					: &t->addr_mask;
}

size_t
service_shard_size(struct service_table *t, enum shard_kind kind)
{
	return ((size_t)*mask_of(t, kind) + 1) * kinds[kind].item_size;
}

int
service_shards_make(struct service_table *t, enum shard_kind kind, uint32_t places)
{
	*mask_of(t, kind) = places - 1;
	for (unsigned i = 0; i < SERVICE_SHARDS; i++) {
		void *memory = service_piece_make(t, service_shard_size(t, kind));

		if (memory == NULL)
			return -ENOMEM;
		memset(memory, 0, service_shard_size(t, kind));
		shard_set(t, kind, i, memory);
		t->edit->taken[kind][i] = 0;
	}
	t->edit->own[kind] = UINT64_MAX;
	return 0;
}

int
service_shard_own(struct service_table *t, enum shard_kind kind, unsigned shard)
{
	void *old = service_shard_get(t, kind, shard), *copy;
	size_t size = service_shard_size(t, kind);

	if (t->edit->own[kind] & UINT64_C(1) << shard)
		return 0;
	copy = service_piece_make(t, size);
	if (copy == NULL || service_piece_drop(t, old, size) < 0)
		return -ENOMEM;
	memcpy(copy, old, size);
	shard_set(t, kind, shard, copy);
	t->edit->own[kind] |= UINT64_C(1) << shard;
	return 0;
}

struct frontend *
service_place_frontend(struct service_table *t, const struct frontend *f)
{
	uint32_t hash = addr_hash(&f->addr, f->port, f->proto), i = hash & t->frontend_mask;
	struct frontend *shard = t->frontends[hash >> SERVICE_SHARD_SHIFT];

	while (shard[i].proto != 0 && shard[i].proto != FRONTEND_GONE)
		i = (i + 1) & t->frontend_mask;
	return &shard[i];
}

struct reverse *
service_place_reverse(struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint32_t hash = addr_hash(addr, port, proto), i = hash & t->reverse_mask;
	struct reverse *shard = t->reverses[hash >> SERVICE_SHARD_SHIFT];

	while (shard[i].proto != 0 &&
		!(shard[i].port == port && shard[i].proto == proto && ip_addr_eq(&shard[i].addr, addr)))
		i = (i + 1) & t->reverse_mask;
	return &shard[i];
}

struct service_addr *
service_place_addr(struct service_table *t, const struct ip_addr *addr)
{
	uint32_t hash = addr_hash(addr, 0, 0), i = hash & t->addr_mask;
	struct service_addr *shard = t->addrs[hash >> SERVICE_SHARD_SHIFT];

	while (!ip_addr_is_none(&shard[i].addr) && !ip_addr_eq(&shard[i].addr, addr))
		i = (i + 1) & t->addr_mask;
	return &shard[i];
}

/* Puts an item of an old shard, if it is one, into the new ones. */
static void
reinsert(struct service_table *t, enum shard_kind kind, const void *item)
{
	const struct frontend *f = item;
	const struct reverse *r = item;
	const struct service_addr *a = item;
	uint32_t hash;

	if (kind == SHARD_FRONTENDS) {
		if (f->proto == 0 || f->proto == FRONTEND_GONE)
			return;
		*service_place_frontend(t, f) = *f;
		hash = addr_hash(&f->addr, f->port, f->proto);
	} else if (kind == SHARD_REVERSES) {
		if (r->proto == 0)
			return;
		*service_place_reverse(t, &r->addr, r->port, r->proto) = *r;
		hash = addr_hash(&r->addr, r->port, r->proto);
	} else {
		if (ip_addr_is_none(&a->addr))
			return;
		*service_place_addr(t, &a->addr) = *a;
		hash = addr_hash(&a->addr, 0, 0);
	}
	t->edit->taken[kind][hash >> SERVICE_SHARD_SHIFT]++;
}

/* Has all references name the places of now instead of those in the old shards. */
static int
renew_references(struct service_table *t, void *const old[SERVICE_SHARDS])
{
	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++) {
		if (service_shard_own(t, SHARD_REVERSES, shard) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i <= t->reverse_mask; i++) {
			struct reverse *r = &t->reverses[shard][i];

			for (unsigned slot = 0; r->proto != 0 && slot < SLOTS - 1; slot++) {
				uint32_t ref = r->frontend[slot];
				const struct frontend *f;

				if (ref == FRONTEND_NONE)
					continue;
				f = (const struct frontend *)old[ref >> SERVICE_SHARD_SHIFT] +
				    service_ref_place(ref);
				r->frontend[slot] = service_table_ref(t, &f->addr, f->port, f->proto);
			}
		}
	}
	return 0;
}

/* The places that are in use, in the fullest shard: of frontends, some that count as taken are not. */
static uint32_t
fullest(const struct service_table *t, enum shard_kind kind)
{
	uint32_t most = 0;

	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++) {
		uint32_t n = t->edit->taken[kind][shard];

		for (uint32_t i = 0; kind == SHARD_FRONTENDS && i <= t->frontend_mask; i++)
			n -= t->frontends[shard][i].proto == FRONTEND_GONE;
		most = n > most ? n : most;
	}
	return most;
}

/* Makes all shards of a kind anew, larger if they are full of more than what is gone. */
static int
grow(struct service_table *t, enum shard_kind kind)
{
	uint32_t places = *mask_of(t, kind) + 1;
	size_t size = service_shard_size(t, kind);
	void *old[SERVICE_SHARDS];
	uint32_t wanted = fullest(t, kind) >= places * kinds[kind].eighths / 16 ? 2 * places : places;

	for (unsigned i = 0; i < SERVICE_SHARDS; i++) {
		old[i] = service_shard_get(t, kind, i);
		if (service_piece_drop(t, old[i], size) < 0)
			return -ENOMEM;
	}
	if (service_shards_make(t, kind, wanted) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < SERVICE_SHARDS; i++)
		for (size_t at = 0; at < size; at += kinds[kind].item_size)
			reinsert(t, kind, (const uint8_t *)old[i] + at);
	return kind == SHARD_FRONTENDS ? renew_references(t, old) : 0;
}

int
service_shard_prepare(struct service_table *t, enum shard_kind kind, uint32_t hash)
{
	unsigned shard = hash >> SERVICE_SHARD_SHIFT;
	uint32_t places = *mask_of(t, kind) + 1;

	if (t->edit->taken[kind][shard] + 1 > places * kinds[kind].eighths / 8)
		return grow(t, kind);
	return service_shard_own(t, kind, shard);
}
