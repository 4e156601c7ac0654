#include "control/build/identities.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/identities_internal.h"
#include "control/model/reserved_addrs.h"

#define HEADS 4096u                 /* chains */
#define NODE_ADDRS (HOST_ADDRS + 1) /* of a pod range, that are the node's own */

/* --- numbers */

static uint32_t
hash_bits(const uint64_t *bits, unsigned n_words)
{
	uint64_t hash = 0;

	/* words without bits count for nothing, so that a wider set is the same */
	for (unsigned i = 0; i < n_words; i++)
		if (bits[i] != 0)
			hash = (hash ^ (bits[i] + i)) * 0x9e3779b97f4a7c15 + (hash >> 29);
	return (uint32_t)(hash >> 40) % HEADS;
}

static bool
numbers_grow(struct numbers *numbers, unsigned n_words)
{
	unsigned room = numbers->room == 0 ? 256 : 2 * numbers->room;
	uint64_t *bits = reallocarray(numbers->bits, (size_t)room * n_words, sizeof(*bits)), *used;
	uint32_t *next;

	if (bits != NULL)
		numbers->bits = bits;
	used = reallocarray(numbers->used, room, sizeof(*used));
	if (used != NULL)
		numbers->used = used;
	next = reallocarray(numbers->next, room, sizeof(*next));
	if (next != NULL)
		numbers->next = next;
	if (bits == NULL || used == NULL || next == NULL)
		return false;
	memset(&numbers->used[numbers->room], 0, (room - numbers->room) * sizeof(*used));
	numbers->room = room;
	return true;
}

bool
numbers_widen(struct numbers *numbers, unsigned n_words, unsigned wider)
{
	uint64_t *bits = calloc((size_t)numbers->room * wider + 1, sizeof(*bits));

	if (bits == NULL)
		return false;
	for (unsigned i = 1; i < numbers->n; i++)
		memcpy(&bits[(size_t)i * wider], &numbers->bits[(size_t)i * n_words],
			n_words * sizeof(*bits));
	free(numbers->bits);
	numbers->bits = bits;
	return true;
}

static int
numbers_take(struct identities *ids, const uint64_t *bits, uint32_t head)
{
	struct numbers *numbers = &ids->numbers;
	unsigned i = numbers->lowest == 0 ? 1 : numbers->lowest;

	while (i < numbers->n && numbers->used[i] != 0)
		i++;
	numbers->lowest = i + 1;
	if (i == IDENTITIES_MAX)
		return -E2BIG;
	if (i >= numbers->room && !numbers_grow(numbers, ids->n_words))
		return -ENOMEM;
	if (i >= numbers->n)
		numbers->n = i + 1;
	memcpy(&numbers->bits[(size_t)i * ids->n_words], bits, ids->n_words * sizeof(*bits));
	numbers->next[i] = numbers->heads[head];
	numbers->heads[head] = i;
	return (int)i;
}

/* The number of a set of traits; a new one if it has none. Negative: -errno. */
static int
number_of(struct identities *ids, const uint64_t *bits)
{
	struct numbers *numbers = &ids->numbers;
	uint32_t head = hash_bits(bits, ids->n_words), i;
	size_t size = ids->n_words * sizeof(*bits);
	bool is_none = true;
	int taken;

	for (unsigned word = 0; word < ids->n_words; word++)
		is_none &= bits[word] == 0;
	if (is_none)
		return IDENTITY_OTHER;
	for (i = numbers->heads[head]; i != 0; i = numbers->next[i])
		if (memcmp(&numbers->bits[(size_t)i * ids->n_words], bits, size) == 0) {
			numbers->used[i] = ids->settled;
			return (int)i;
		}
	taken = numbers_take(ids, bits, head);
	if (taken > 0)
		numbers->used[taken] = ids->settled;
	return taken;
}

/* Those that this settling has not used are free. */
static void
numbers_sweep(struct identities *ids)
{
	struct numbers *numbers = &ids->numbers;
	unsigned n = 1;

	for (uint32_t head = 0; head < HEADS; head++) {
		uint32_t *place = &numbers->heads[head];

		while (*place != 0) {
			uint32_t i = *place;

			if (numbers->used[i] == ids->settled) {
				place = &numbers->next[i];
				n = i + 1 > n ? i + 1 : n;
				continue;
			}
			*place = numbers->next[i];
			numbers->used[i] = 0;
		}
	}
	numbers->n = n;
	numbers->lowest = 1;
}

/* --- settling */

struct settling {
	struct identities *ids;
	struct identity_table *table;
	int result;
};

/* Traits of a group (NULL: of no pod) together with those of the address's networks. */
static int
identify(struct identities *ids, const struct pod_group *g, size_t network)
{
	const uint64_t *bits;

	if (network == 0)
		return g == NULL ? IDENTITY_OTHER : number_of(ids, g->bits);
	bits = &ids->networks.bits[network * ids->n_words];
	if (g == NULL)
		return number_of(ids, bits);
	for (unsigned word = 0; word < ids->n_words; word++)
		ids->scratch[word] = g->bits[word] | bits[word];
	return number_of(ids, ids->scratch);
}

static void
add(struct settling *s, const struct ip_prefix *prefix, int number)
{
	if (number < 0)
		s->result = number;
	else
		identity_table_add(s->table, prefix, (uint16_t)number);
}

static void
add_addr(struct settling *s, const struct ip_addr *addr, const struct pod_group *g)
{
	struct ip_prefix prefix = { .addr = *addr, .len = 128 };

	if (!ip_addr_is_none(addr))
		add(s, &prefix, identify(s->ids, g, networks_find(s->ids, addr)));
}

static const struct ip_addr *
node_addr(const struct node_object *node, bool is_v4)
{
	for (size_t i = 0; i < node->n_addrs; i++)
		if (ip_addr_is_v4(&node->addrs[i]) == is_v4)
			return &node->addrs[i];
	return NULL;
}

/* What processes of a node send to pods has an address of its pod range for its source, and so has what its node ports bring
 * in for pods of other nodes: both count as the node's own. */
static void
add_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct settling *s = arg;

	for (size_t i = 0; i < node->n_pod_cidrs; i++) {
		const struct ip_prefix *range = &node->pod_cidrs[i];
		const struct ip_addr *addr = node_addr(node, ip_addr_is_v4(&range->addr));

		for (unsigned k = 0; addr != NULL && k < NODE_ADDRS; k++) {
			struct ip_prefix own = { .addr = k < HOST_ADDRS ? reserved_host_addr(range, k)
									: reserved_inbound_addr(range),
				.len = 128 };

			add(s, &own, identify(s->ids, NULL, networks_find(s->ids, addr)));
		}
	}
}

static void
add_known_pod(const struct known_pod *pod, void *arg)
{
	struct settling *s = arg;

	for (size_t i = 0; i < pod->n_addrs; i++)
		add_addr(s, &pod->addrs[i], pod->group);
}

static void
count_node(const struct object *object, void *arg)
{
	*(size_t *)arg += ((const struct node_object *)object)->n_pod_cidrs * NODE_ADDRS;
}

static void
count_known_pod(const struct known_pod *pod, void *arg)
{
	*(size_t *)arg += pod->n_addrs;
}

static bool
asks_for_pods(const struct identities *ids)
{
	for (unsigned id = 0; id < ids->n_traits; id++)
		if (ids->traits[id] != NULL && ids->traits[id]->kind != TRAIT_BLOCK)
			return true;
	return false;
}

/* The later entry for an address wins: what is attached here is known for sure. */
static int
fill_table(struct identities *ids, const struct local_pod *pods, size_t n_pods, struct identity_table **out)
{
	bool has_pods = asks_for_pods(ids);
	size_t n = ids->networks.n;
	struct settling s = { .ids = ids };

	if (ids->networks.table != NULL)
		store_each(ids->store, OBJECT_NODE, count_node, &n);
	if (has_pods) {
		known_pods_each(ids, count_known_pod, &n);
		n += n_pods * N_FAMILIES;
	}
	s.table = identity_table_new((uint32_t)n);
	if (s.table == NULL)
		return -ENOMEM;
	for (size_t i = 1; i < ids->networks.n; i++)
		add(&s, &ids->networks.prefixes[i], identify(ids, NULL, i));
	if (ids->networks.table != NULL)
		store_each(ids->store, OBJECT_NODE, add_node, &s);
	if (has_pods)
		known_pods_each(ids, add_known_pod, &s);
	for (size_t i = 0; has_pods && i < n_pods; i++) {
		const struct pod_group *group = identities_group(ids, &pods[i]);

		for (unsigned family = 0; family < N_FAMILIES; family++)
			add_addr(&s, &pods[i].addrs[family], group);
	}
	if (s.result == 0) {
		*out = s.table;
		return 0;
	}
	identity_table_free(s.table);
	return s.result;
}

int
identities_settle(struct identities *ids, const struct local_pod *pods, size_t n_pods, bool are_new,
	struct identity_table **out)
{
	int result;

	*out = NULL;
	if (!ids->is_dirty && !are_new)
		return 0;
	ids->settled++;
	result = traits_evaluate(ids);
	if (result == 0 && ids->are_blocks_new)
		result = networks_build(ids);
	if (result < 0)
		return result;
	free(ids->scratch);
	ids->scratch = calloc(ids->n_words, sizeof(*ids->scratch));
	if (ids->scratch == NULL)
		return -ENOMEM;
	result = fill_table(ids, pods, n_pods, out);
	if (result < 0)
		return result;
	numbers_sweep(ids);
	result = traits_count_members(ids);
	if (result < 0) {
		identity_table_free(*out);
		*out = NULL;
		return result;
	}
	ids->is_dirty = false;
	return 0;
}

uint64_t
identities_settled(const struct identities *ids)
{
	return ids->settled;
}

unsigned
identities_n(const struct identities *ids)
{
	return ids->numbers.n;
}

void
identities_nodes_changed(struct identities *ids)
{
	ids->is_dirty |= ids->networks.table != NULL;
}

/* --- life */

static void
add_pod_object(const struct object *object, void *arg)
{
	struct settling *s = arg;

	if (s->result == 0)
		s->result = identities_pod_changed(s->ids, object->ns, object->name);
}

struct identities *
identities_new(const struct store *store)
{
	struct identities *ids = calloc(1, sizeof(*ids));
	struct settling s = { .ids = ids };

	if (ids == NULL)
		return NULL;
	ids->store = store;
	ids->is_dirty = true;
	ids->numbers.n = 1;
	ids->n_words = 1;
	ids->traits = calloc(64, sizeof(struct trait_record *));
	ids->numbers.heads = calloc(HEADS, sizeof(*ids->numbers.heads));
	if (ids->traits == NULL || ids->numbers.heads == NULL || !numbers_grow(&ids->numbers, ids->n_words))
		s.result = -ENOMEM;
	if (s.result == 0)
		store_each(store, OBJECT_POD, add_pod_object, &s);
	if (s.result == 0)
		return ids;
	identities_free(ids);
	return NULL;
}

void
identities_free(struct identities *ids)
{
	if (ids == NULL)
		return;
	traits_free(ids);
	groups_free(ids);
	networks_free(&ids->networks);
	free(ids->numbers.bits);
	free(ids->numbers.used);
	free(ids->numbers.next);
	free(ids->numbers.heads);
	free(ids->scratch);
	free(ids);
}
