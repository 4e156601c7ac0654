#include "dataplane/io/umem.h"

#include <errno.h>
#include <numa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ethernet, and a VLAN tag in the packet itself. */
#define LINK_HEADERS 18

#define FRAME_SIZE_MIN 2048
#define FRAME_SIZE_MAX 4096 /* a page: the largest chunk in aligned mode without huge pages */

/* What a kernel may keep free behind a packet, for struct skb_shared_info. 6.18 keeps nothing in copy mode: a frame
 * of 2048 bytes receives packets of up to 1792 (measured), Ethernet header included. Later ones do, and then it
 * takes 1472: an untagged packet of a pod with MTU 1450, but not one of an uplink with 1500. So these get frames
 * of 4096. */
#define TAILROOM 320

/* Frames, then a holder for each. */
static size_t
mapping_size(const struct umem *u)
{
	return ((size_t)u->n_frames << u->frame_shift) + u->n_frames;
}

static int
make_memory(struct umem *u)
{
	u->memfd = memfd_create("ringway-umem", MFD_CLOEXEC);
	if (u->memfd < 0 || ftruncate(u->memfd, (off_t)mapping_size(u)) < 0)
		return -errno;
	return 0;
}

static int
check_memory(const struct umem *u)
{
	struct stat st;

	if (fstat(u->memfd, &st) < 0)
		return -errno;
	return (size_t)st.st_size == mapping_size(u) ? 0 : -EINVAL;
}

static int
map_memory(struct umem *u, int numa_node, bool is_inherited)
{
	size_t size = mapping_size(u);

	u->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, u->memfd, 0);
	if (u->base == MAP_FAILED)
		return -errno;
	u->holders = u->base + ((size_t)u->n_frames << u->frame_shift);
	if (numa_node >= 0 && numa_available() >= 0)
		numa_tonode_memory(u->base, size, numa_node);
	/* fault all of it in now, so that no packet does; before 5.14 the socket's registration does it. Reading first
	 * maps what is there already, a former process's, many pages at a time: 1 ms for 8 MB, not 10 */
	if (is_inherited)
		madvise(u->base, size, MADV_POPULATE_READ);
	return madvise(u->base, size, MADV_POPULATE_WRITE) < 0 && errno != EINVAL ? -errno : 0;
}

static struct umem *
umem_alloc(uint16_t id, uint8_t owner, uint32_t n_frames, uint32_t frame_size)
{
	struct umem *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	*u = (struct umem){
		.base = MAP_FAILED,
		.frame_size = frame_size,
		.frame_shift = (uint8_t)__builtin_ctz(frame_size),
		.n_frames = n_frames,
		.id = id,
		.owner = owner,
		.memfd = -1,
		.free = calloc(n_frames, sizeof(*u->free)),
	};
	if (u->free == NULL) {
		umem_free(u);
		return NULL;
	}
	return u;
}

int
umem_new(struct umem **out, uint16_t id, uint8_t owner, uint32_t n_frames, uint32_t frame_size, int numa_node)
{
	struct umem *u = umem_alloc(id, owner, n_frames, frame_size);
	int err;

	if (u == NULL)
		return -ENOMEM;
	err = make_memory(u);
	if (err == 0)
		err = map_memory(u, numa_node, false);
	if (err < 0) {
		umem_free(u);
		return err;
	}
	for (uint32_t i = 0; i < n_frames; i++)
		u->free[i] = n_frames - 1 - i;
	u->n_free = n_frames;
	*out = u;
	return 0;
}

int
umem_adopt(struct umem **out, uint16_t id, uint8_t owner, uint32_t n_frames, uint32_t frame_size, int memfd)
{
	struct umem *u = umem_alloc(id, owner, n_frames, frame_size);
	int err;

	if (u == NULL)
		return -ENOMEM;
	u->memfd = memfd;
	err = check_memory(u);
	if (err == 0)
		err = map_memory(u, -1, true);
	if (err < 0) {
		u->memfd = -1; /* the caller's still */
		umem_free(u);
		return err;
	}
	*out = u;
	return 0;
}

void
umem_free(struct umem *u)
{
	if (u == NULL)
		return;
	if (u->base != MAP_FAILED)
		munmap(u->base, mapping_size(u));
	if (u->memfd >= 0)
		close(u->memfd);
	free(u->free);
	free(u);
}

uint32_t
umem_frame_size_for(uint16_t mtu)
{
	uint32_t packet = (uint32_t)mtu + LINK_HEADERS;

	for (uint32_t size = FRAME_SIZE_MIN; size <= FRAME_SIZE_MAX; size *= 2)
		if (packet <= size - UMEM_HEADROOM - TAILROOM)
			return size;
	return 0;
}

void
umem_audit_start(struct umem_audit *a, const struct umem *u, uint8_t *seen)
{
	*a = (struct umem_audit){ .n_frames = u->n_frames, .umem = u, .seen = seen };
	memset(seen, 0, u->n_frames);
	for (uint32_t i = 0; i < u->n_free; i++)
		umem_audit_see(a, (uint64_t)u->free[i] << u->frame_shift, UMEM_FREE);
}

void
umem_audit_see(struct umem_audit *a, uint64_t offset, enum umem_place place)
{
	uint64_t frame = offset >> a->umem->frame_shift;

	if (frame >= a->umem->n_frames || a->seen[frame]) {
		a->twice++;
		return;
	}
	a->seen[frame] = 1;
	a->n[place]++;
}

void
umem_audit_finish(struct umem_audit *a)
{
	for (uint32_t i = 0; i < a->umem->n_frames; i++) {
		if (a->seen[i])
			continue;
		if (a->umem->holders[i] != 0)
			a->in_kernel++;
		else
			a->in_hand++;
	}
}

void
umem_audit_add(struct umem_audit *sum, const struct umem_audit *a)
{
	sum->n_frames += a->n_frames;
	for (unsigned i = 0; i < N_UMEM_PLACES; i++)
		sum->n[i] += a->n[i];
	sum->in_kernel += a->in_kernel;
	sum->in_hand += a->in_hand;
	sum->twice += a->twice;
}

uint32_t
umem_recover(struct umem *u, const struct umem_audit *a)
{
	uint32_t before = u->n_free;

	for (uint32_t i = 0; i < u->n_frames; i++)
		if (!a->seen[i] && u->holders[i] == 0)
			u->free[u->n_free++] = i;
	return u->n_free - before;
}
