#include "dataplane/policy/rule_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/identity_table.h"
#include "dataplane/policy/rule_vectors.h"

#define SUMMARY_BITS 64u
#define COLUMNS 4096u     /* identities whose vectors are made at a time */
#define UNIT_SHIFT_MIN 4u /* a summary and a word */

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
	struct rule_vectors vectors;
	uint64_t *columns; /* vectors under way */
	struct turn *turns;
	uint16_t *fits; /* per rule: how many of its ranges hold the port */

	/* of the class in hand: elementary intervals, in which all ports fit the same rules */
	uint32_t *class_firsts, *class_vectors;
	uint32_t n_class;

	uint16_t *peers; /* by identity */
	uint32_t *pages;
	uint8_t *divided;
	size_t divided_used; /* bytes */
};

static void
set_bit(uint64_t *vector, unsigned rule)
{
	vector[rule / 64] |= UINT64_C(1) << rule % 64;
}

static void
clear_bit(uint64_t *vector, unsigned rule)
{
	vector[rule / 64] &= ~(UINT64_C(1) << rule % 64);
}

/* The identities first to first + n, whose vectors are m->columns. */
static void
fill_columns(struct making *m, unsigned first, unsigned n)
{
	unsigned n_words = m->vectors.n_words;

	memset(m->columns, 0, (size_t)n * n_words * sizeof(*m->columns));
	for (unsigned rule = 0; rule < m->n_rules; rule++) {
		const uint64_t *peers = m->rules[rule].peers;

		if (peers == NULL) {
			for (unsigned i = 0; i < n; i++)
				set_bit(&m->columns[(size_t)i * n_words], rule);
			continue;
		}
		for (unsigned word = first / 64; word * 64 < first + n; word++)
			for (uint64_t left = peers[word]; left != 0; left &= left - 1) {
				unsigned identity = word * 64 + (unsigned)__builtin_ctzll(left);

				if (identity < first + n && identity != IDENTITY_OTHER)
					set_bit(&m->columns[(size_t)(identity - first) * n_words], rule);
			}
	}
}

/* -EOVERFLOW: units are too small for all vectors to have a number. */
static int
make_peers(struct making *m, unsigned n_identities)
{
	for (unsigned first = 0; first < n_identities; first += COLUMNS) {
		unsigned n = n_identities - first < COLUMNS ? n_identities - first : COLUMNS;

		fill_columns(m, first, n);
		for (unsigned i = 0; i < n; i++) {
			uint32_t number;

			if (rule_vectors_intern(
				    &m->vectors, &m->columns[(size_t)i * m->vectors.n_words], &number) < 0)
				return -ENOMEM;
			if (number > UINT16_MAX)
				return -EOVERFLOW;
			m->peers[first + i] = (uint16_t)number;
		}
	}
	return 0;
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

static int
add_interval(struct making *m, uint32_t first, const uint64_t *vector)
{
	uint32_t number;
	int err = rule_vectors_intern(&m->vectors, vector, &number);

	if (err < 0 || (m->n_class > 0 && m->class_vectors[m->n_class - 1] == number))
		return err;
	m->class_firsts[m->n_class] = first;
	m->class_vectors[m->n_class++] = number;
	return 0;
}

/* The rules without ports, for a start. */
static void
begin_vector(const struct making *m, uint64_t *vector)
{
	memset(vector, 0, m->vectors.n_words * sizeof(*vector));
	for (unsigned rule = 0; rule < m->n_rules; rule++)
		if (m->rules[rule].n_ports == 0)
			set_bit(vector, rule);
}

static void
take_turn(struct making *m, const struct turn *turn, uint64_t *vector)
{
	m->fits[turn->rule] = (uint16_t)(m->fits[turn->rule] + (turn->begins ? 1 : -1));
	if (m->fits[turn->rule] != 0)
		set_bit(vector, turn->rule);
	else
		clear_bit(vector, turn->rule);
}

static int
make_intervals(struct making *m, uint8_t proto)
{
	uint64_t *vector = m->columns;
	unsigned n = gather_turns(m, proto);
	int err = 0;

	m->n_class = 0;
	begin_vector(m, vector);
	memset(m->fits, 0, m->n_rules * sizeof(*m->fits));
	if (n == 0 || m->turns[0].port != 0)
		err = add_interval(m, 0, vector);
	for (unsigned i = 0; i < n && err == 0;) {
		uint32_t port = m->turns[i].port;

		for (; i < n && m->turns[i].port == port; i++)
			take_turn(m, &m->turns[i], vector);
		if (port <= UINT16_MAX)
			err = add_interval(m, port, vector);
	}
	return err;
}

/* Of a divided page with so many intervals. */
static size_t
divided_size(uint32_t n)
{
	size_t size = (n + n % 2) * sizeof(uint16_t) + n * sizeof(uint32_t);

	return (size + PORT_PAGE_UNIT - 1) / PORT_PAGE_UNIT * PORT_PAGE_UNIT;
}

/* Writes a page of n of the class's intervals, i and those after it; returns its entry. */
static uint32_t
divide_page(struct making *m, uint32_t i, uint32_t n)
{
	size_t size = divided_size(n), line_left = CACHE_LINE - m->divided_used % CACHE_LINE;
	uint16_t *firsts;
	uint32_t *vectors, unit;

	if (size > line_left && size <= CACHE_LINE)
		m->divided_used += line_left;
	unit = (uint32_t)(m->divided_used / PORT_PAGE_UNIT);
	firsts = (uint16_t *)(m->divided + m->divided_used);
	vectors = (uint32_t *)(firsts + n + n % 2);
	m->divided_used += size;
	for (uint32_t k = 0; k < n; k++) {
		firsts[k] = (uint16_t)m->class_firsts[i + k];
		vectors[k] = m->class_vectors[i + k];
	}
	return PORT_PAGE_DIVIDED | (n - 1) << PORT_PAGE_COUNT_SHIFT | unit;
}

/* The class's intervals by page: each divided page has its own, of which the first may begin before it. */
static void
make_pages(struct making *m, uint32_t *pages)
{
	uint32_t i = 0; /* the interval that holds the page's first port */

	for (uint32_t page = 0; page < PORT_PAGES; page++) {
		uint32_t begin = page * PORT_PAGES, n = 0;

		while (i + 1 < m->n_class && m->class_firsts[i + 1] <= begin)
			i++;
		while (i + n + 1 < m->n_class && m->class_firsts[i + n + 1] < begin + PORT_PAGES)
			n++;
		pages[page] = n == 0 ? m->class_vectors[i] : divide_page(m, i, n + 1);
	}
}

static int
make_ports(struct making *m)
{
	static const uint8_t protos[N_PORT_CLASSES] = {
		[PORT_CLASS_TCP] = PROTO_TCP,
		[PORT_CLASS_UDP] = PROTO_UDP,
		[PORT_CLASS_SCTP] = PROTO_SCTP,
	};

	for (unsigned class = 0; class < N_PORT_CLASSES; class ++) {
		int err = make_intervals(m, protos[class]);

		if (err < 0)
			return err;
		make_pages(m, &m->pages[class * PORT_PAGES]);
	}
	begin_vector(m, m->columns);
	return rule_vectors_intern(&m->vectors, m->columns, &m->table->no_ports);
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

/* Of all divided pages at most: a page has one interval more than begin in it. */
static size_t
divided_max(size_t n_class)
{
	size_t n_pages = N_PORT_CLASSES * PORT_PAGES, n_intervals = N_PORT_CLASSES * n_class + n_pages;

	return n_intervals * (sizeof(uint16_t) + sizeof(uint32_t)) + n_pages * (CACHE_LINE + PORT_PAGE_UNIT);
}

/* For all attempts. Each range has two ends, at most at all ports. */
static bool
allocate(struct making *m, size_t n_ranges, unsigned n_identities)
{
	size_t n_class = 2 * n_ranges + 1 < 65536 ? 2 * n_ranges + 1 : 65536;
	unsigned n_columns = n_identities < COLUMNS ? n_identities : COLUMNS;
	struct rule_table *t = m->table;
	uint32_t *ids = malloc((m->n_rules + 1) * sizeof(*ids));

	m->columns = malloc((size_t)n_columns * m->vectors.n_words * sizeof(*m->columns));
	m->vectors.packed =
		malloc((1 + m->vectors.n_words + (1u << m->vectors.group_shift)) * sizeof(*m->columns));
	m->turns = malloc((2 * n_ranges + 1) * sizeof(*m->turns));
	m->fits = malloc((m->n_rules + 1) * sizeof(*m->fits));
	m->class_firsts = malloc(n_class * sizeof(*m->class_firsts));
	m->class_vectors = malloc(n_class * sizeof(*m->class_vectors));
	t->ids = ids;
	t->pages = m->pages = malloc(N_PORT_CLASSES * PORT_PAGES * sizeof(*m->pages));
	m->divided = malloc(divided_max(n_class));
	m->peers = malloc(n_identities * sizeof(*m->peers));
	if (ids == NULL)
		return false;
	for (unsigned rule = 0; rule < m->n_rules; rule++)
		ids[rule] = m->rules[rule].id;
	return m->columns != NULL && m->vectors.packed != NULL && m->turns != NULL && m->fits != NULL &&
	       m->class_firsts != NULL && m->class_vectors != NULL && m->pages != NULL &&
	       m->divided != NULL && m->peers != NULL;
}

/* Small units as long as they will do. */
static int
make(struct making *m, unsigned n_identities)
{
	int err = -EOVERFLOW;

	for (m->vectors.unit_shift = UNIT_SHIFT_MIN; err == -EOVERFLOW; m->vectors.unit_shift++) {
		rule_vectors_clear(&m->vectors);
		err = make_peers(m, n_identities);
		if (err == 0)
			break;
	}
	return err < 0 ? err : make_ports(m);
}

/* A copy that begins a cache line, with room behind it; NULL if out of memory. */
static void *
copy_aligned(const void *from, size_t size)
{
	void *copy = aligned_alloc(CACHE_LINE, (size / CACHE_LINE + 1) * CACHE_LINE);

	return copy == NULL ? NULL : memcpy(copy, from, size);
}

/* In bytes, where all numbers are that small: half the lines that peers of any identity bring into the cache. */
static void
narrow_peers(struct making *m)
{
	struct rule_table *t = m->table;
	uint8_t *narrow = (uint8_t *)m->peers;

	t->peer_shift = 1;
	t->peer_mask = UINT16_MAX;
	for (unsigned i = 0; i < t->n_identities; i++)
		if (m->peers[i] > UINT8_MAX)
			return;
	t->peer_shift = 0;
	t->peer_mask = UINT8_MAX;
	for (unsigned i = 0; i < t->n_identities; i++)
		narrow[i] = (uint8_t)m->peers[i];
}

/* Keeps of what was made as much as there is of it; false: out of memory. */
static bool
keep(struct making *m)
{
	struct rule_table *t = m->table;

	narrow_peers(m);
	t->peers = copy_aligned(m->peers, (size_t)t->n_identities << t->peer_shift); /* a byte more is read */
	t->divided = copy_aligned(m->divided, m->divided_used);
	t->vectors = copy_aligned(m->vectors.words, m->vectors.used * sizeof(*m->vectors.words));
	return t->peers != NULL && t->divided != NULL && t->vectors != NULL;
}

static void
making_end(struct making *m)
{
	rule_vectors_end(&m->vectors);
	free(m->columns);
	free(m->turns);
	free(m->fits);
	free(m->class_firsts);
	free(m->class_vectors);
	free(m->divided);
	free(m->peers);
}

int
rule_table_new(struct rule_table **out, const struct rule *rules, unsigned n_rules, unsigned n_identities)
{
	unsigned n_words = n_rules == 0 ? 1 : (n_rules + 63) / 64;
	struct making m = { .rules = rules, .n_rules = n_rules, .vectors = { .n_words = n_words } };
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
		.group_shift = (uint8_t)m.vectors.group_shift,
		.is_one_word = n_words == 1,
	};
	err = allocate(&m, n_ranges, n_identities) ? make(&m, n_identities) : -ENOMEM;
	if (err == 0 && !keep(&m))
		err = -ENOMEM;
	m.table->unit_shift = (uint8_t)m.vectors.unit_shift;
	m.table->n_vectors = m.vectors.n;
	making_end(&m);
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
	free((void *)t->pages);
	free((void *)t->divided);
	free((void *)t->ids);
	free(t);
}

int
rule_table_meet_in_groups(const uint64_t *a, const uint64_t *b, unsigned group_shift)
{
	for (uint64_t groups = a[0] & b[0]; groups != 0; groups &= groups - 1) {
		uint64_t below = ~groups & (groups - 1);
		const uint64_t *x = rule_table_group(a, below, group_shift);
		const uint64_t *y = rule_table_group(b, below, group_shift);

		for (unsigned word = 0; word >> group_shift == 0; word++)
			if ((x[word] & y[word]) != 0)
				return ((__builtin_ctzll(groups) << group_shift) + (int)word) * 64 +
				       __builtin_ctzll(x[word] & y[word]);
	}
	return -1;
}
