/* Networks: which ipBlocks an address is in. */
#include <errno.h>
#include <stdlib.h>

#include "control/build/identities_internal.h"

static bool
covers(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	return outer->len <= inner->len && ip_prefix_contains(outer, &inner->addr);
}

/* Whether addresses of which this is the longest network are in the block. */
static bool
is_in_block(const struct ip_prefix *network, const struct ip_block *block)
{
	if (!covers(&block->cidr, network))
		return false;
	for (size_t i = 0; i < block->n_excepts; i++)
		if (covers(&block->excepts[i], network))
			return false;
	return true;
}

static const struct ip_block *
block_of(const struct identities *ids, unsigned id)
{
	const struct trait_record *t = ids->traits[id];

	return t == NULL || t->kind != TRAIT_BLOCK ? NULL : t->block;
}

static size_t
count(const struct identities *ids)
{
	size_t n = 0;

	for (unsigned id = 0; id < ids->n_traits; id++)
		if (block_of(ids, id) != NULL)
			n += 1 + block_of(ids, id)->n_excepts;
	return n;
}

static int
compare_prefixes(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;
	int order = ip_addr_cmp(&x->addr, &y->addr);

	return order != 0 ? order : (int)x->len - y->len;
}

/* All of them, each once, from [1] on. */
static void
collect(const struct identities *ids, struct networks *networks)
{
	size_t n = 1, kept = 1;

	for (unsigned id = 0; id < ids->n_traits; id++) {
		const struct ip_block *block = block_of(ids, id);

		if (block == NULL)
			continue;
		networks->prefixes[n++] = block->cidr;
		memcpy(&networks->prefixes[n], block->excepts, block->n_excepts * sizeof(block->excepts[0]));
		n += block->n_excepts;
	}
	qsort(&networks->prefixes[1], n - 1, sizeof(networks->prefixes[0]), compare_prefixes);
	for (size_t i = 1; i < n; i++)
		if (kept == 1 || compare_prefixes(&networks->prefixes[i], &networks->prefixes[kept - 1]) != 0)
			networks->prefixes[kept++] = networks->prefixes[i];
	networks->n = kept;
}

void
networks_free(struct networks *networks)
{
	identity_table_free(networks->table);
	free(networks->prefixes);
	free(networks->bits);
	*networks = (struct networks){ 0 };
}

int
networks_build(struct identities *ids)
{
	struct networks *networks = &ids->networks;
	size_t n = count(ids);

	networks_free(networks);
	ids->are_blocks_new = false;
	if (n == 0)
		return 0;
	networks->prefixes = calloc(n + 1, sizeof(networks->prefixes[0]));
	networks->bits = calloc((n + 1) * ids->n_words, sizeof(networks->bits[0]));
	if (networks->prefixes == NULL || networks->bits == NULL)
		return -ENOMEM;
	collect(ids, networks);
	if (networks->n > IDENTITIES_MAX)
		return -E2BIG;
	networks->table = identity_table_new((uint32_t)networks->n);
	if (networks->table == NULL)
		return -ENOMEM;
	for (size_t i = 1; i < networks->n; i++) {
		identity_table_add(networks->table, &networks->prefixes[i], (uint16_t)i);
		for (unsigned id = 0; id < ids->n_traits; id++)
			if (block_of(ids, id) != NULL &&
				is_in_block(&networks->prefixes[i], block_of(ids, id)))
				bit_set(&networks->bits[i * ids->n_words], id);
	}
	return 0;
}

size_t
networks_find(const struct identities *ids, const struct ip_addr *addr)
{
	return ids->networks.table == NULL ? 0 : identity_of(ids->networks.table, addr);
}
