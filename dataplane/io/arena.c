#include "dataplane/io/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Raised when the layout of the file changes; what regions hold is in their names. */
#define ARENA_MAGIC UINT64_C(0x31616e6572617772) /* "rwarena1" */
#define REGIONS_MAX 4096
#define ALIGNMENT 64

struct region {
	char name[ARENA_NAME_MAX]; /* empty: given up */
	uint64_t offset, size;
};

/* The file's beginning. A region counts once n_regions says so, and is given up by its name's first byte, so
 * a process killed at any point leaves a table that can be read. */
struct header {
	uint64_t magic, size;
	uint64_t used; /* bytes, this header included */
	uint64_t n_regions;
	struct region regions[REGIONS_MAX];
};

struct arena {
	int fd;
	struct header *header;
	size_t size;
};

static size_t
round_up(size_t n)
{
	return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool
is_valid(const struct header *h, size_t size)
{
	if (h->magic != ARENA_MAGIC || h->size != size || h->used > size || h->n_regions > REGIONS_MAX)
		return false;
	for (uint64_t i = 0; i < h->n_regions; i++) {
		const struct region *r = &h->regions[i];

		if (memchr(r->name, 0, sizeof(r->name)) == NULL || r->offset < sizeof(*h) ||
			r->offset > h->used || r->size > h->used - r->offset)
			return false;
	}
	return true;
}

/* Maps the file and makes it an empty arena unless it is one of this size already. */
static int
map_file(struct arena *a, int numa_node)
{
	struct stat st;

	if (fstat(a->fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size != a->size &&
		(ftruncate(a->fd, 0) < 0 || ftruncate(a->fd, (off_t)a->size) < 0))
		return -errno;
	a->header = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	if (a->header == MAP_FAILED)
		return -errno;
	if (numa_node >= 0 && numa_available() >= 0)
		numa_tonode_memory(a->header, a->size, numa_node);
	if (is_valid(a->header, a->size))
		return 0;
	/* again from nothing, so that every byte is zero and no page is used */
	if (ftruncate(a->fd, 0) < 0 || ftruncate(a->fd, (off_t)a->size) < 0)
		return -errno;
	a->header->size = a->size;
	a->header->used = round_up(sizeof(*a->header));
	__atomic_store_n(&a->header->magic, ARENA_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int
arena_open(struct arena **out, const char *path, size_t size, int numa_node)
{
	struct arena *a = calloc(1, sizeof(*a));
	int err = -EINVAL;

	if (a == NULL)
		return -ENOMEM;
	a->size = size;
	a->header = MAP_FAILED;
	a->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->fd < 0)
		err = -errno;
	else if (flock(a->fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (size > sizeof(struct header))
		err = map_file(a, numa_node);
	if (err < 0) {
		arena_close(a);
		return err;
	}
	*out = a;
	return 0;
}

void
arena_close(struct arena *a)
{
	if (a == NULL)
		return;
	if (a->header != MAP_FAILED)
		munmap(a->header, a->size);
	if (a->fd >= 0)
		close(a->fd);
	free(a);
}

static struct region *
find(struct header *h, const char *name)
{
	for (uint64_t i = 0; i < h->n_regions; i++)
		if (strcmp(h->regions[i].name, name) == 0)
			return &h->regions[i];
	return NULL;
}

/* A region that was given up and has this size, or a new one at the end; without a name yet. */
static struct region *
take_room(struct header *h, size_t size)
{
	struct region *r;

	for (uint64_t i = 0; i < h->n_regions; i++)
		if (h->regions[i].name[0] == '\0' && h->regions[i].size == size)
			return &h->regions[i];
	if (h->n_regions == REGIONS_MAX || round_up(size) < size || round_up(size) > h->size - h->used)
		return NULL;
	r = &h->regions[h->n_regions];
	*r = (struct region){ .offset = h->used, .size = size };
	h->used += round_up(size);
	__atomic_store_n(&h->n_regions, h->n_regions + 1, __ATOMIC_RELEASE);
	return r;
}

void *
arena_region(struct arena *a, const char *name, size_t size, bool *is_new)
{
	struct region *r = find(a->header, name);
	size_t len = strlen(name);
	bool make = r == NULL || r->size != size;

	if (len == 0 || len >= ARENA_NAME_MAX)
		return NULL;
	if (make) {
		arena_release(a, name);
		r = take_room(a->header, size);
		if (r == NULL)
			return NULL;
		memset((uint8_t *)a->header + r->offset, 0, size);
		/* the first byte last: it is what makes the region count */
		memcpy(r->name + 1, name + 1, len);
		__atomic_store_n(&r->name[0], name[0], __ATOMIC_RELEASE);
	}
	if (is_new != NULL)
		*is_new = make;
	return (uint8_t *)a->header + r->offset;
}

void
arena_release(struct arena *a, const char *name)
{
	struct region *r = name[0] == '\0' ? NULL : find(a->header, name);

	if (r != NULL)
		__atomic_store_n(&r->name[0], '\0', __ATOMIC_RELEASE);
}

void
arena_each(struct arena *a, void (*fn)(void *arg, const char *name), void *arg)
{
	for (uint64_t i = 0; i < a->header->n_regions; i++) {
		char name[ARENA_NAME_MAX]; /* fn may release it */

		memcpy(name, a->header->regions[i].name, sizeof(name));
		if (name[0] != '\0')
			fn(arg, name);
	}
}
