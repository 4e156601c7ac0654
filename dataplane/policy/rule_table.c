#include "dataplane/policy/rule_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/policy/identity_table.h"

#define SUMMARY_BITS 64u
#define COLUMNS 4096u /* identities whose vectors are made at a time */
#define VECTORS_MIN 64u

/* Vectors, each kept once. */
struct vectors {
	uint64_t *words;
	uint32_t n, room; /* vectors */
	uint32_t *places; /* open addressing: number of the vector + 1; 0 is free */
	uint32_t mask;    /* places - 1 */
	unsigned stride;
	unsigned group_shift;
};

/* Where a rule begins or ceases to fit, on the way through a class's ports. */
struct turn {
	uint32_t port; /* 65536: never */
	uint32_t rule;
	bool begins;
};

/* What is being made. */
struct making {
	struct rule_table *table;
	const struct rule *rules;
	unsigned n_rules;
	struct vectors vectors;
	uint64_t *columns; /* vectors under way */
	struct turn *turns;
	uint16_t *fits; /* per rule: how many of its ranges hold the port */
	uint16_t *firsts;
	uint32_t *port_vectors;
	uint32_t n_intervals, intervals_room;
};

static uint32_t
hash_of(const uint64_t *vector, unsigned stride)
{
	uint64_t crc = 0;

	for (unsigned i = 0; i < stride; i++)
		crc = _mm_crc32_u64(crc, vector[i]);
	return hash_mix(crc);
}

static bool
grow(struct vectors *v)
{
	uint32_t room = v->room == 0 ? VECTORS_MIN : v->room * 2;
	uint64_t *words = realloc(v->words, (size_t)room * v->stride * sizeof(*words));
	uint32_t *places = calloc((size_t)room * 2, sizeof(*places));

	if (words != NULL)
		v->words = words;
	if (words == NULL || places == NULL) {
		free(places);
		return false;
	}
	free(v->places);
	v->places = places;
	v->room = room;
	v->mask = room * 2 - 1;
	for (uint32_t n = 0; n < v->n; n++) {
		uint32_t i = hash_of(&words[(size_t)n * v->stride], v->stride) & v->mask;

		while (places[i] != 0)
			i = (i + 1) & v->mask;
		places[i] = n + 1;
	}
	return true;
}

static void
summarize(uint64_t *vector, unsigned stride, unsigned group_shift)
{
	vector[0] = 0;
	for (unsigned word = 0; word + 1 < stride; word++)
		if (vector[1 + word] != 0)
			vector[0] |= UINT64_C(1) << (word >> group_shift);
}

/* The number of the vector, whose summary this makes; false if out of memory. */
static bool
intern(struct vectors *v, uint64_t *vector, uint32_t *number)
{
	size_t size = v->stride * sizeof(*vector);
	uint32_t i;

	if (v->n == v->room && !grow(v))
		return false;
	summarize(vector, v->stride, v->group_shift);
	i = hash_of(vector, v->stride) & v->mask;
	while (v->places[i] != 0) {
		*number = v->places[i] - 1;
		if (memcmp(&v->words[(size_t)*number * v->stride], vector, size) == 0)
			return true;
		i = (i + 1) & v->mask;
	}
	*number = v->n++;
	v->places[i] = v->n;
	memcpy(&v->words[(size_t)*number * v->stride], vector, size);
	return true;
}

static void
set_bit(uint64_t *vector, unsigned rule)
{
	vector[1 + rule / 64] |= UINT64_C(1) << rule % 64;
}

static void
clear_bit(uint64_t *vector, unsigned rule)
{
	vector[1 + rule / 64] &= ~(UINT64_C(1) << rule % 64);
}

/* The identities first to first + n, whose vectors are m->columns. */
static void
fill_columns(struct making *m, unsigned first, unsigned n)
{
	unsigned stride = m->vectors.stride;

	memset(m->columns, 0, (size_t)n * stride * sizeof(*m->columns));
	for (unsigned rule = 0; rule < m->n_rules; rule++) {
		const uint64_t *peers = m->rules[rule].peers;

		if (peers == NULL) {
			for (unsigned i = 0; i < n; i++)
				set_bit(&m->columns[(size_t)i * stride], rule);
			continue;
		}
		for (unsigned word = first / 64; word * 64 < first + n; word++)
			for (uint64_t left = peers[word]; left != 0; left &= left - 1) {
				unsigned identity = word * 64 + (unsigned)__builtin_ctzll(left);

				if (identity < first + n && identity != IDENTITY_OTHER)
					set_bit(&m->columns[(size_t)(identity - first) * stride], rule);
			}
	}
}

static bool
make_peers(struct making *m, uint16_t *peers, unsigned n_identities)
{
	for (unsigned first = 0; first < n_identities; first += COLUMNS) {
		unsigned n = n_identities - first < COLUMNS ? n_identities - first : COLUMNS;

		fill_columns(m, first, n);
		for (unsigned i = 0; i < n; i++) {
			uint32_t number;

			if (!intern(&m->vectors, &m->columns[(size_t)i * m->vectors.stride], &number))
				return false;
			peers[first + i] = (uint16_t)number; /* not more than there are identities */
		}
	}
	return true;
}

static int
compare_turns(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	return (x->port > y->port) - (x->port < y->port);
}

/* Those of one protocol, sorted. Rules without ports fit from the first port on, and need none. */
static unsigned
gather_turns(struct making *m, uint8_t proto)
{
	unsigned n = 0;

	for (unsigned rule = 0; rule < m->n_rules; rule++)
		for (unsigned i = 0; i < m->rules[rule].n_ports; i++) {
			const struct rule_ports *ports = &m->rules[rule].ports[i];

			if (ports->proto != proto)
				continue;
			m->turns[n++] = (struct turn){ ports->first, rule, true };
			m->turns[n++] = (struct turn){ ports->last + 1u, rule, false };
		}
	qsort(m->turns, n, sizeof(m->turns[0]), compare_turns);
	return n;
}

static bool
add_interval(struct making *m, uint32_t class_begin, uint32_t first, uint64_t *vector)
{
	uint32_t number;

	if (!intern(&m->vectors, vector, &number))
		return false;
	if (m->n_intervals > class_begin && m->port_vectors[m->n_intervals - 1] == number)
		return true;
	m->firsts[m->n_intervals] = (uint16_t)first;
	m->port_vectors[m->n_intervals++] = number;
	return true;
}

/* The rules without ports, for a start. */
static void
begin_vector(const struct making *m, uint64_t *vector)
{
	memset(vector, 0, m->vectors.stride * sizeof(*vector));
	for (unsigned rule = 0; rule < m->n_rules; rule++)
		if (m->rules[rule].n_ports == 0)
			set_bit(vector, rule);
}

static bool
make_class(struct making *m, uint8_t proto)
{
	uint32_t begin = m->n_intervals;
	uint64_t *vector = m->columns;
	unsigned n = gather_turns(m, proto);

	begin_vector(m, vector);
	memset(m->fits, 0, m->n_rules * sizeof(*m->fits));
	if ((n == 0 || m->turns[0].port != 0) && !add_interval(m, begin, 0, vector))
		return false;
	for (unsigned i = 0; i < n;) {
		uint32_t port = m->turns[i].port;

		for (; i < n && m->turns[i].port == port; i++) {
			unsigned rule = m->turns[i].rule;

			m->fits[rule] = (uint16_t)(m->fits[rule] + (m->turns[i].begins ? 1 : -1));
			if (m->fits[rule] != 0)
				set_bit(vector, rule);
			else
				clear_bit(vector, rule);
		}
		if (port <= UINT16_MAX && !add_interval(m, begin, port, vector))
			return false;
	}
	return true;
}

static bool
make_ports(struct making *m)
{
	static const uint8_t protos[N_PORT_CLASSES] = {
		[PORT_CLASS_TCP] = PROTO_TCP,
		[PORT_CLASS_UDP] = PROTO_UDP,
		[PORT_CLASS_SCTP] = PROTO_SCTP,
	};

	for (unsigned class = 0; class < N_PORT_CLASSES; class ++) {
		m->table->class_begin[class] = m->n_intervals;
		if (!make_class(m, protos[class]))
			return false;
	}
	m->table->class_begin[N_PORT_CLASSES] = m->n_intervals;
	begin_vector(m, m->columns);
	return intern(&m->vectors, m->columns, &m->table->no_ports);
}

/* How many ranges there are; -EINVAL if one is none, or a rule has too many. */
static int
count_ranges(const struct rule *rules, unsigned n_rules, size_t *n)
{
	*n = 0;
	for (unsigned rule = 0; rule < n_rules; rule++) {
		for (unsigned i = 0; i < rules[rule].n_ports; i++) {
			const struct rule_ports *ports = &rules[rule].ports[i];

			if (ports->first > ports->last ||
				(ports->proto != PROTO_TCP && ports->proto != PROTO_UDP &&
					ports->proto != PROTO_SCTP))
				return -EINVAL;
		}
		if (rules[rule].n_ports > UINT16_MAX)
			return -EINVAL;
		*n += rules[rule].n_ports;
	}
	return 0;
}

static bool
allocate(struct making *m, size_t n_ranges, unsigned n_identities)
{
	size_t n_intervals = 2 * n_ranges + N_PORT_CLASSES;
	unsigned n_columns = n_identities < COLUMNS ? n_identities : COLUMNS;
	uint32_t *ids = malloc((m->n_rules + 1) * sizeof(*ids));

	m->columns = malloc((size_t)(n_columns + 1) * m->vectors.stride * sizeof(*m->columns));
	m->turns = malloc((2 * n_ranges + 1) * sizeof(*m->turns));
	m->fits = malloc((m->n_rules + 1) * sizeof(*m->fits));
	m->table->firsts = m->firsts = malloc(n_intervals * sizeof(*m->firsts));
	m->table->port_vectors = m->port_vectors = malloc(n_intervals * sizeof(*m->port_vectors));
	m->table->ids = ids;
	if (ids == NULL)
		return false;
	for (unsigned rule = 0; rule < m->n_rules; rule++)
		ids[rule] = m->rules[rule].id;
	return m->columns != NULL && m->turns != NULL && m->fits != NULL && m->firsts != NULL &&
	       m->port_vectors != NULL;
}

static bool
make(struct making *m, size_t n_ranges, unsigned n_identities)
{
	uint16_t *peers = malloc(n_identities * sizeof(*peers));

	m->table->peers = peers;
	if (peers == NULL || !allocate(m, n_ranges, n_identities))
		return false;
	return make_peers(m, peers, n_identities) && make_ports(m);
}

int
rule_table_new(struct rule_table **out, const struct rule *rules, unsigned n_rules, unsigned n_identities)
{
	unsigned n_words = n_rules == 0 ? 1 : (n_rules + 63) / 64;
	struct making m = { .rules = rules, .n_rules = n_rules, .vectors = { .stride = n_words + 1 } };
	size_t n_ranges;
	int err;

	if (n_rules > RULES_MAX || n_identities > IDENTITIES_MAX)
		return -E2BIG;
	err = count_ranges(rules, n_rules, &n_ranges);
	if (err < 0)
		return err;
	if (n_identities == 0)
		n_identities = 1;
	while (n_words > SUMMARY_BITS << m.vectors.group_shift)
		m.vectors.group_shift++;
	m.table = aligned_alloc(CACHE_LINE, 2 * CACHE_LINE);
	if (m.table == NULL)
		return -ENOMEM;
	static_assert(sizeof(*m.table) <= 2 * CACHE_LINE, "two lines");
	*m.table = (struct rule_table){
		.n_identities = n_identities,
		.n_rules = n_rules,
		.n_words = (uint16_t)n_words,
		.stride = (uint16_t)(n_words + 1),
		.group_shift = (uint8_t)m.vectors.group_shift,
	};
	err = make(&m, n_ranges, n_identities) ? 0 : -ENOMEM;
	m.table->vectors = m.vectors.words;
	m.table->n_vectors = m.vectors.n;
	free(m.vectors.places);
	free(m.columns);
	free(m.turns);
	free(m.fits);
	if (err == 0)
		*out = m.table;
	else
		rule_table_free(m.table);
	return err;
}

void
rule_table_free(struct rule_table *t)
{
	if (t == NULL)
		return;
	free((void *)t->peers);
	free((void *)t->vectors);
	free((void *)t->firsts);
	free((void *)t->port_vectors);
	free((void *)t->ids);
	free(t);
}
