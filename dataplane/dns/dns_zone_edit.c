#include "dataplane/dns/dns_zone_edit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/pkt.h"

#define SLOTS_MIN DNS_LINE_SLOTS
static_assert(
	DNS_LINE_SLOTS * sizeof(struct dns_slot) == CACHE_LINE, "lines of slots are lines of the cache");

struct piece {
	void *memory;
	size_t size;
};

struct pieces {
	size_t n, room;
	struct piece *items;
};

struct dns_zone_edit {
	struct piece_pool *pool;
	struct dns_zone *last; /* that it came from; until the commit */
	bool is_committed, is_replaced;
	struct pieces fresh;           /* made for this version; until the commit */
	struct pieces dropped;         /* no part of this version any more; until the commit */
	struct pieces retired;         /* no part of the next version */
	uint64_t own[DNS_SHARDS / 64]; /* by shard: made for this version, so it may be written */
};

/* A shard without names has no memory of its own. */
static _Alignas(CACHE_LINE) struct dns_slot no_slots[DNS_LINE_SLOTS];

/* --- pieces */

static bool
pieces_add(struct pieces *l, const void *memory, size_t size)
{
	if (l->n == l->room) {
		size_t room = l->room == 0 ? 32 : 2 * l->room;
		struct piece *items = reallocarray(l->items, room, sizeof(*items));

		if (items == NULL)
			return false;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct piece){ (void *)memory, size };
	return true;
}

static void
pieces_fini(struct pieces *l)
{
	free(l->items);
	*l = (struct pieces){ 0 };
}

static void
pieces_free_all(struct pieces *l, struct piece_pool *pool)
{
	for (size_t i = 0; i < l->n; i++)
		piece_free(pool, l->items[i].memory, l->items[i].size);
	pieces_fini(l);
}

static void *
make_piece(struct dns_zone *z, size_t size)
{
	struct dns_zone_edit *edit = z->edit;
	void *memory = piece_alloc(edit->pool, size);

	if (memory != NULL && !pieces_add(&edit->fresh, memory, size)) {
		piece_free(edit->pool, memory, size);
		return NULL;
	}
	return memory;
}

/* --- versions */

static struct dns_zone *
version_new(struct piece_pool *pool)
{
	struct dns_zone *z = calloc(1, sizeof(*z));
	struct dns_zone_edit *edit = calloc(1, sizeof(*edit));

	if (z == NULL || edit == NULL) {
		free(z);
		free(edit);
		return NULL;
	}
	edit->pool = pool;
	z->edit = edit;
	return z;
}

static void *
append(void *at, const void *bytes, size_t n)
{
	return (uint8_t *)memcpy(at, bytes, n) + n;
}

static void *
append_u32(void *at, uint32_t value)
{
	be32 wire = be32_from(value);

	return append(at, &wire, sizeof(wire));
}

/* Times for secondary servers, of which there are none; the last is how long negative answers live (RFC 2308 section 5). */
static void
make_soa(struct dns_zone *z)
{
	static const uint8_t primary[] = "\2ns\3dns", mailbox[] = "\12hostmaster";
	static const uint8_t type_class[] = { 0, DNS_TYPE_SOA, 0, DNS_CLASS_IN };
	uint8_t *at = append(z->soa.bytes, type_class, sizeof(type_class)), *len_at;
	uint16_t data_len;

	at = append_u32(at, z->ttl_s);
	len_at = at;
	at += 2;
	at = append(at, primary, sizeof(primary) - 1);
	at = append(at, z->name, z->len);
	at = append(at, mailbox, sizeof(mailbox) - 1);
	at = append(at, z->name, z->len);
	at = append_u32(at, z->serial);
	at = append_u32(at, 7200);
	at = append_u32(at, 1800);
	at = append_u32(at, 86400);
	at = append_u32(at, z->ttl_s);
	data_len = (uint16_t)(at - len_at - 2);
	len_at[0] = (uint8_t)(data_len >> 8);
	len_at[1] = (uint8_t)data_len;
	z->soa.len = (uint16_t)(at - z->soa.bytes);
}

struct dns_zone *
dns_zone_new(const struct dns_zone_config *config, struct piece_pool *pool)
{
	struct dns_zone *z = version_new(pool);
	unsigned at = 0;

	if (z == NULL)
		return NULL;
	for (; config->name[at] != 0; at += 1 + config->name[at])
		z->labels++;
	z->len = (uint8_t)(at + 1);
	assert(z->len <= DNS_ZONE_NAME_MAX);
	memcpy(z->name, config->name, z->len);
	z->ttl_s = config->ttl_s;
	z->serial = config->serial;
	z->seed = config->seed;
	for (unsigned i = 0; i < DNS_SHARDS; i++)
		z->shards[i].slots = no_slots;
	make_soa(z);
	return z;
}

struct dns_zone *
dns_zone_next(struct dns_zone *last)
{
	struct dns_zone *z = version_new(last->edit->pool);
	struct dns_zone_edit *edit;

	assert(last->edit->is_committed && !last->edit->is_replaced);
	if (z == NULL)
		return NULL;
	edit = z->edit;
	*z = *last;
	z->edit = edit;
	edit->last = last;
	z->serial++;
	make_soa(z);
	return z;
}

bool
dns_zone_is_changed(const struct dns_zone *z)
{
	return z->edit->fresh.n != 0 || z->edit->dropped.n != 0;
}

void
dns_zone_commit(struct dns_zone *z)
{
	struct dns_zone_edit *edit = z->edit;

	pieces_fini(&edit->fresh);
	if (edit->last == NULL) {
		pieces_free_all(&edit->dropped, edit->pool);
	} else {
		edit->last->edit->retired = edit->dropped;
		edit->last->edit->is_replaced = true;
		edit->dropped = (struct pieces){ 0 };
	}
	edit->last = NULL;
	edit->is_committed = true;
}

static size_t
slots_size(const struct dns_shard *shard)
{
	return ((size_t)shard->mask + 1) * sizeof(*shard->slots);
}

static void
free_everything(struct dns_zone *z)
{
	struct piece_pool *pool = z->edit->pool;

	for (unsigned s = 0; s < DNS_SHARDS; s++) {
		struct dns_shard *shard = &z->shards[s];

		if (shard->slots == no_slots)
			continue;
		for (uint32_t i = 0; i <= shard->mask; i++)
			if (shard->slots[i].node != NULL)
				piece_free(pool, (void *)shard->slots[i].node, shard->slots[i].node->size);
		piece_free(pool, shard->slots, slots_size(shard));
	}
}

void
dns_zone_free(struct dns_zone *z)
{
	struct dns_zone_edit *edit;

	if (z == NULL)
		return;
	edit = z->edit;
	if (!edit->is_committed)
		pieces_free_all(&edit->fresh, edit->pool);
	else if (edit->is_replaced)
		pieces_free_all(&edit->retired, edit->pool);
	else
		free_everything(z);
	pieces_fini(&edit->dropped);
	free(edit);
	free(z);
}

/* --- names */

static void
place(struct dns_shard *shard, const struct dns_node *node, uint64_t hash)
{
	uint32_t i = dns_shard_home(shard, hash);

	while (shard->slots[i].node != NULL)
		i = (i + 1) & shard->mask;
	shard->slots[i] = (struct dns_slot){ node, hash };
}

/* Makes the shard one that can be written, with room for n names. */
static int
shard_own(struct dns_zone *z, unsigned number, uint32_t n)
{
	struct dns_shard *shard = &z->shards[number], next = *shard;
	bool is_own = z->edit->own[number / 64] & UINT64_C(1) << number % 64;
	uint32_t places = shard->slots == no_slots ? SLOTS_MIN : shard->mask + 1;

	while (places < 2 * n)
		places *= 2;
	if (is_own && places == shard->mask + 1)
		return 0;
	next.mask = places - 1;
	next.slots = make_piece(z, slots_size(&next));
	if (next.slots == NULL)
		return -ENOMEM;
	if (places == shard->mask + 1) {
		memcpy(next.slots, shard->slots, slots_size(&next));
	} else {
		memset(next.slots, 0, slots_size(&next));
		for (uint32_t i = 0; i <= shard->mask; i++)
			if (shard->slots[i].node != NULL)
				place(&next, shard->slots[i].node, shard->slots[i].hash);
	}
	if (shard->slots != no_slots && !pieces_add(&z->edit->dropped, shard->slots, slots_size(shard)))
		return -ENOMEM;
	*shard = next;
	z->edit->own[number / 64] |= UINT64_C(1) << number % 64;
	return 0;
}

/* The last name has gone. */
static int
shard_empty(struct dns_zone *z, unsigned number)
{
	struct dns_shard *shard = &z->shards[number];

	if (!pieces_add(&z->edit->dropped, shard->slots, slots_size(shard)))
		return -ENOMEM;
	*shard = (struct dns_shard){ .slots = no_slots };
	z->edit->own[number / 64] &= ~(UINT64_C(1) << number % 64);
	return 0;
}

struct dns_node *
dns_zone_node_new(struct dns_zone *z, size_t size)
{
	return make_piece(z, size);
}

static uint32_t
find_place(const struct dns_shard *shard, const struct dns_node *node, uint64_t hash)
{
	uint32_t i = dns_shard_home(shard, hash);

	while (shard->slots[i].node != node)
		i = (i + 1) & shard->mask;
	return i;
}

int
dns_zone_put(struct dns_zone *z, const struct dns_node *node)
{
	uint64_t hash = dns_zone_hash(z, node->name, node->len);
	const struct dns_node *old = dns_zone_find(z, node->name, node->len, hash);
	unsigned number = (unsigned)(hash >> DNS_SHARD_SHIFT);
	struct dns_shard *shard = &z->shards[number];

	if (shard_own(z, number, shard->n + (old == NULL)) < 0)
		return -ENOMEM;
	if (old == NULL) {
		place(shard, node, hash);
		shard->n++;
		return 0;
	}
	if (!pieces_add(&z->edit->dropped, old, old->size))
		return -ENOMEM;
	shard->slots[find_place(shard, old, hash)].node = node;
	return 0;
}

/* Those behind the gap move up, unless they would then be before where their look-up begins. */
static void
close_gap(struct dns_shard *shard, uint32_t gap)
{
	for (uint32_t i = (gap + 1) & shard->mask; shard->slots[i].node != NULL; i = (i + 1) & shard->mask) {
		uint32_t home = dns_shard_home(shard, shard->slots[i].hash);

		if (((i - home) & shard->mask) < ((i - gap) & shard->mask))
			continue;
		shard->slots[gap] = shard->slots[i];
		gap = i;
	}
	shard->slots[gap] = (struct dns_slot){ 0 };
}

int
dns_zone_remove(struct dns_zone *z, const struct dns_node *node)
{
	uint64_t hash = dns_zone_hash(z, node->name, node->len);
	unsigned number = (unsigned)(hash >> DNS_SHARD_SHIFT);
	struct dns_shard *shard = &z->shards[number];

	if (shard_own(z, number, shard->n) < 0 || !pieces_add(&z->edit->dropped, node, node->size))
		return -ENOMEM;
	close_gap(shard, find_place(shard, node, hash));
	return --shard->n == 0 ? shard_empty(z, number) : 0;
}

size_t
dns_zone_count(const struct dns_zone *z)
{
	size_t n = 0;

	for (unsigned i = 0; i < DNS_SHARDS; i++)
		n += z->shards[i].n;
	return n;
}
