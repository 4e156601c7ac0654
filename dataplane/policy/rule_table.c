#include "dataplane/policy/rule_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/policy/identity_table.h"

#define SUMMARY_BITS 64u
#define COLUMNS 4096u /* identities whose vectors are made at a time */
#define PLACES_MIN 64u
#define LINE_WORDS ((unsigned)(CACHE_LINE / sizeof(uint64_t)))
#define UNIT_SHIFT_MIN 4u /* a summary and a word */

/* Vectors, each kept once, and in one cache line if it is no larger. */
struct vectors {
	uint64_t *words;
	uint32_t n;           /* vectors */
	uint32_t used, room;  /* words */
	struct place *places; /* open addressing */
	uint32_t mask;        /* places - 1 */
	unsigned n_words;     /* of a vector that is not packed */
	unsigned group_shift;
	unsigned unit_shift;
	uint64_t *packed; /* the one in hand */
};

struct place {
	uint32_t number;
	uint32_t n_words; /* packed, the summary included; 0: free */
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

	/* of the class in hand: elementary intervals, in which all ports fit the same rules */
	uint32_t *class_firsts, *class_vectors;
	uint32_t n_class;

	uint16_t *peers; /* by identity */
	uint32_t *pages;
	uint8_t *divided;
	size_t divided_used; /* bytes */
};

static uint32_t
hash_of(const uint64_t *packed, unsigned n_words)
{
	uint64_t crc = 0;

	for (unsigned i = 0; i < n_words; i++)
		crc = _mm_crc32_u64(crc, packed[i]);
	return hash_mix(crc);
}

static const uint64_t *
at(const struct vectors *v, uint32_t number)
{
	return &v->words[((size_t)number << v->unit_shift) / sizeof(uint64_t)];
}

static bool
grow_places(struct vectors *v)
{
	uint32_t n_places = v->places == NULL ? PLACES_MIN : (v->mask + 1) * 2;
	struct place *places = calloc(n_places, sizeof(*places));

	if (places == NULL)
		return false;
	for (uint32_t k = 0; v->places != NULL && k <= v->mask; k++) {
		const struct place *p = &v->places[k];
		uint32_t i;

		if (p->n_words == 0)
			continue;
		i = hash_of(at(v, p->number), p->n_words) & (n_places - 1);
		while (places[i].n_words != 0)
			i = (i + 1) & (n_places - 1);
		places[i] = *p;
	}
	free(v->places);
	v->places = places;
	v->mask = n_places - 1;
	return true;
}

static bool
grow_words(struct vectors *v, unsigned n)
{
	uint64_t *words;

	if (v->used + n <= v->room)
		return true;
	v->room = (v->used + n) * 2;
	words = realloc(v->words, v->room * sizeof(*words));
	if (words == NULL)
		return false;
	v->words = words;
	return true;
}

/* Leaves out the groups without a bit; returns how many words remain. */
static unsigned
pack(const struct vectors *v, const uint64_t *vector)
{
	unsigned n = 1, size = 1u << v->group_shift;

	v->packed[0] = 0;
	for (unsigned group = 0; group * size < v->n_words; group++) {
		uint64_t any = 0;

		for (unsigned i = 0; i < size; i++) {
			unsigned word = group * size + i;

			v->packed[n + i] = word < v->n_words ? vector[word] : 0;
			any |= v->packed[n + i];
		}
		if (any == 0)
			continue;
		v->packed[0] |= UINT64_C(1) << group;
		n += size;
	}
	return n;
}

/* The number of the vector; 0 or -ENOMEM. */
static int
intern(struct vectors *v, const uint64_t *vector, uint32_t *number)
{
	unsigned n_words = pack(v, vector), unit = (1u << v->unit_shift) / sizeof(uint64_t);
	unsigned n_used = (n_words + unit - 1) / unit * unit, line_left = LINE_WORDS - v->used % LINE_WORDS;
	uint32_t i;

	if ((v->places == NULL || v->n * 2 > v->mask) && !grow_places(v))
		return -ENOMEM;
	i = hash_of(v->packed, n_words) & v->mask;
	for (; v->places[i].n_words != 0; i = (i + 1) & v->mask)
		if (v->places[i].n_words == n_words &&
			memcmp(at(v, v->places[i].number), v->packed, n_words * sizeof(uint64_t)) == 0) {
			*number = v->places[i].number;
			return 0;
		}
	if (n_used > line_left && n_used <= LINE_WORDS)
		v->used += line_left;
	if (!grow_words(v, n_used))
		return -ENOMEM;
	*number = v->used / unit;
	memset(&v->words[v->used], 0, n_used * sizeof(uint64_t)); /* an empty vector has a word, too */
	memcpy(&v->words[v->used], v->packed, n_words * sizeof(uint64_t));
	v->places[i] = (struct place){ *number, n_words };
	v->used += n_used;
	v->n++;
	return 0;
}

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

			if (intern(&m->vectors, &m->columns[(size_t)i * m->vectors.n_words], &number) < 0)
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
	int err = intern(&m->vectors, vector, &number);

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
		m->vectors.n = m->vectors.used = 0;
		if (m->vectors.places != NULL)
			memset(m->vectors.places, 0, (m->vectors.mask + 1) * sizeof(*m->vectors.places));
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
	free(m->vectors.places);
	free(m->vectors.words);
	free(m->vectors.packed);
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
