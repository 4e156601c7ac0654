#include "dataplane/shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/io/fd_store.h"

/* Names of what is kept. A change of meaning needs another word in front. */
#define UMEM_FORMAT "umem-%u-%u-%u-%u-%u"        /* kept id, owner, frames, frame size, is uplink */
#define SOCKET_FORMAT "socket-%u-%u-%u-%u-%u-%u" /* kept id, slot, ifindex, queue, ring size, is zero-copy */

static void
umem_name(const struct shard *s, char name[static FD_STORE_NAME_MAX])
{
	snprintf(name, FD_STORE_NAME_MAX, UMEM_FORMAT, s->kept_id, s->umem->owner, s->umem->n_frames,
		s->umem->frame_size, s->is_uplink);
}

static void
socket_name(const struct shard *s, const struct port_xsk *x, char name[static FD_STORE_NAME_MAX])
{
	snprintf(name, FD_STORE_NAME_MAX, SOCKET_FORMAT, s->kept_id, x->slot, x->ifindex, x->queue,
		x->xsk.tx.size, s->is_zero_copy);
}

int
shard_new(struct shard **out, struct fd_store *fds, uint16_t id, uint32_t kept_id, uint8_t owner,
	uint32_t n_frames, uint32_t frame_size, int numa_node, bool is_uplink)
{
	struct shard *s = calloc(1, sizeof(*s));
	char name[FD_STORE_NAME_MAX];
	int err;

	if (s == NULL)
		return -ENOMEM;
	s->kept_id = kept_id;
	s->is_uplink = is_uplink;
	err = umem_new(&s->umem, id, owner, n_frames, frame_size, numa_node);
	if (err < 0) {
		free(s);
		return err;
	}
	if (fds != NULL) {
		umem_name(s, name);
		fd_store_put(fds, name, s->umem->memfd);
	}
	*out = s;
	return 0;
}

int
shard_adopt(struct shard **out, struct fd_store *fds, const char *name, uint16_t id, unsigned n_workers,
	uint32_t n_frames)
{
	unsigned kept_id, owner, frames, frame_size, is_uplink;
	struct shard *s;
	int memfd, err;

	if (sscanf(name, UMEM_FORMAT, &kept_id, &owner, &frames, &frame_size, &is_uplink) != 5 ||
		owner >= n_workers || frames != n_frames)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	memfd = fd_store_take(fds, name);
	err = memfd < 0 ? -ENOENT : umem_adopt(&s->umem, id, (uint8_t)owner, frames, frame_size, memfd);
	if (err < 0) {
		if (memfd >= 0)
			close(memfd);
		fd_store_drop(fds, name);
		free(s);
		return err;
	}
	s->kept_id = kept_id;
	s->is_uplink = is_uplink != 0;
	*out = s;
	return 0;
}

void
shard_free(struct shard *s, struct fd_store *fds)
{
	char name[FD_STORE_NAME_MAX];

	if (s == NULL)
		return;
	if (fds != NULL) {
		umem_name(s, name);
		fd_store_drop(fds, name);
	}
	umem_free(s->umem);
	free(s);
}

bool
shard_parse_socket(const char *name, struct kept_socket *out)
{
	unsigned slot, is_zero_copy;

	if (sscanf(name, SOCKET_FORMAT, &out->shard, &slot, &out->ifindex, &out->queue, &out->ring_size,
		    &is_zero_copy) != 6 ||
		slot == 0 || slot > UMEM_SLOTS_MAX)
		return false;
	out->slot = (uint8_t)slot;
	out->is_zero_copy = is_zero_copy != 0;
	return true;
}

/* A socket whose interface has gone is bound no longer (EBADF) and no help to others; when there is none that
 * is, the umem is registered anew, which it may be any number of times. */
int
shard_open_socket(struct shard *s, const struct xsk_config *config, struct xsk *out)
{
	struct xsk_config c = *config;
	int err;

	for (unsigned slot = 1; slot <= UMEM_SLOTS_MAX; slot++) {
		if (s->ports[slot] == NULL || s->is_closing[slot])
			continue;
		err = xsk_open(out, s->umem, &c, s->ports[slot]->xsk.fd);
		if (err != -EBADF)
			return err;
	}
	err = xsk_open(out, s->umem, &c, -1);
	if (err < 0 && err != -EBUSY && c.zero_copy) {
		c.zero_copy = false;
		err = xsk_open(out, s->umem, &c, -1);
	}
	if (err == 0)
		s->is_zero_copy = c.zero_copy;
	return err;
}

struct port_xsk *
shard_add_port(struct shard *s, const struct xsk *socket, unsigned ifindex, uint32_t queue, uint8_t slot,
	uint16_t id, enum origin origin, uint32_t fill_min)
{
	size_t size = (sizeof(struct port_xsk) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct port_xsk *x = aligned_alloc(CACHE_LINE, size);

	if (x == NULL)
		return NULL;
	memset(x, 0, size);
	x->xsk = *socket;
	x->ifindex = ifindex;
	x->queue = queue;
	port_xsk_init(x, s->umem, id, origin, slot, fill_min);
	s->ports[slot] = x;
	s->n_ports++;
	return x;
}

void
shard_remove_port(struct shard *s, struct port_xsk *x)
{
	s->ports[x->slot] = NULL;
	s->is_closing[x->slot] = false;
	s->n_ports--;
	free(x);
}

uint8_t
shard_free_slot(const struct shard *s)
{
	uint8_t slot = 1;

	while (s->ports[slot] != NULL)
		slot++;
	return slot;
}

void
shard_keep_socket(const struct shard *s, struct fd_store *fds, const struct port_xsk *x)
{
	char name[FD_STORE_NAME_MAX];

	if (fds == NULL)
		return;
	socket_name(s, x, name);
	fd_store_put(fds, name, x->xsk.fd);
}

void
shard_drop_socket(const struct shard *s, struct fd_store *fds, const struct port_xsk *x)
{
	char name[FD_STORE_NAME_MAX];

	if (fds == NULL)
		return;
	socket_name(s, x, name);
	fd_store_drop(fds, name);
}

void
shard_audit(const struct shard *s, struct umem_audit *a, uint8_t *seen)
{
	umem_audit_start(a, s->umem, seen);
	for (unsigned slot = 1; slot <= UMEM_SLOTS_MAX; slot++)
		if (s->ports[slot] != NULL && !s->is_closing[slot])
			port_xsk_audit(s->ports[slot], a);
	umem_audit_finish(a);
}
