#include "dataplane/service/piece_pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/pkt.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, size) __asan_poison_memory_region(p, size)
#define UNPOISON(p, size) __asan_unpoison_memory_region(p, size)
#else
#define POISON(p, size) ((void)(p), (void)(size))
#define UNPOISON(p, size) ((void)(p), (void)(size))
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define REGION_SIZE (2 * HUGE_PAGE)

/* Larger pieces have a mapping of their own. */
#define PIECE_MAX (HUGE_PAGE / 2)

/* Size classes: multiples of 1, 2, 4, ... cache lines, up to eight of each, so that rounding wastes a fifth at most and a
 * tenth as a rule. */
#define STEPS 8
#define N_CLASSES (12 * STEPS)
static_assert(
	((size_t)STEPS << (N_CLASSES / STEPS - 1)) * CACHE_LINE == PIECE_MAX, "classes reach the largest");

/* Lies in a free piece. */
struct free_piece {
	struct free_piece *next;
};

struct piece_pool {
	uint8_t *next, *end; /* what is left of the last region */
	size_t n_regions;
	void **regions;
	struct free_piece *free[N_CLASSES];
	struct piece_pool_books books;
};

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* The class, and the bytes that its pieces have. */
static unsigned
class_of(size_t size, size_t *rounded)
{
	size_t last = (size - 1) / CACHE_LINE; /* the last line's number */
	unsigned shift = 0;

	while (last >> shift >= STEPS)
		shift++;
	*rounded = (((last >> shift) + 1) << shift) * CACHE_LINE;
	return shift * STEPS + (unsigned)(last >> shift);
}

size_t
piece_footprint(size_t size)
{
	size_t rounded = round_up(size, HUGE_PAGE);

	if (size <= PIECE_MAX)
		class_of(size, &rounded);
	return rounded;
}

/* Memory that begins at a huge page; NULL if out of memory. */
static void *
map_huge(size_t size)
{
	size_t reserved = size + HUGE_PAGE;
	uint8_t *base = mmap(NULL, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		*start;

	if (base == MAP_FAILED)
		return NULL;
	start = (uint8_t *)round_up((uintptr_t)base, HUGE_PAGE);
	if (start != base)
		munmap(base, (size_t)(start - base));
	munmap(start + size, (size_t)(base + reserved - (start + size)));
	madvise(start, size, MADV_HUGEPAGE); /* a hint: without, look-ups cost TLB misses */
	return start;
}

struct piece_pool *
piece_pool_new(void)
{
	return calloc(1, sizeof(struct piece_pool));
}

void
piece_pool_free(struct piece_pool *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_regions; i++) {
		UNPOISON(p->regions[i], REGION_SIZE);
		munmap(p->regions[i], REGION_SIZE);
	}
	free(p->regions);
	free(p);
}

static bool
add_region(struct piece_pool *p)
{
	void **regions = realloc(p->regions, (p->n_regions + 1) * sizeof(*regions));

	if (regions == NULL)
		return false;
	p->regions = regions;
	p->next = map_huge(REGION_SIZE);
	p->end = p->next == NULL ? NULL : p->next + REGION_SIZE;
	if (p->next == NULL)
		return false;
	POISON(p->next, REGION_SIZE);
	p->regions[p->n_regions++] = p->next;
	p->books.reserved_bytes += REGION_SIZE;
	return true;
}

/* A piece of a class; NULL if out of memory. */
static void *
take(struct piece_pool *p, unsigned class, size_t size)
{
	struct free_piece *piece = p->free[class];

	if (piece != NULL) {
		UNPOISON(piece, size);
		p->free[class] = piece->next;
		return piece;
	}
	if ((size_t)(p->end - p->next) < size && !add_region(p))
		return NULL;
	piece = (void *)p->next;
	p->next += size;
	UNPOISON(piece, size);
	return piece;
}

void *
piece_alloc(struct piece_pool *p, size_t size)
{
	size_t rounded = piece_footprint(size);
	void *piece = size > PIECE_MAX ? map_huge(rounded) : take(p, class_of(size, &rounded), rounded);

	if (piece == NULL)
		return NULL;
	if (size > PIECE_MAX)
		p->books.reserved_bytes += rounded;
	p->books.n_pieces++;
	p->books.used_bytes += rounded;
	return piece;
}

void
piece_free(struct piece_pool *p, void *piece, size_t size)
{
	size_t rounded;

	if (piece == NULL)
		return;
	rounded = piece_footprint(size);
	p->books.n_pieces--;
	p->books.used_bytes -= rounded;
	if (size > PIECE_MAX) {
		munmap(piece, rounded);
		p->books.reserved_bytes -= rounded;
	} else {
		unsigned class = class_of(size, &rounded);
		struct free_piece *f = piece;

		f->next = p->free[class];
		p->free[class] = f;
		POISON(f, rounded);
	}
}

struct piece_pool_books
piece_pool_books(const struct piece_pool *p)
{
	return p->books;
}
