#include "dataplane/io/xsk.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "dataplane/io/umem.h"
#include "dataplane/io/xsk_uapi.h"

/* Packets per sendto(), where the kernel lets us choose. As many as it accepts: what the receiver's stack
 * costs is spent in either case, and each call less is one system call less. */
#define TX_BUDGET 1024

/* How often xsk_send() asks again when the kernel took nothing. Once, since the first call may have ended
 * just at its budget; a device that is busy stays so for longer than we would wait. */
#define STALLS_MAX 1

static void
xsk_clear(struct xsk *x)
{
	memset(x, 0, sizeof(*x));
	x->fd = -1;
	for (unsigned i = 0; i < 4; i++)
		x->maps[i].base = MAP_FAILED;
}

/* Where a ring's parts are, and which of the mappings it is. */
struct ring_layout {
	unsigned map;
	uint64_t page_offset;
	const struct xdp_ring_offset *offset;
	size_t descriptor_size;
};

static int
map_ring(struct xsk *x, const struct ring_layout *l, uint32_t n, struct xsk_ring_prod *parts)
{
	size_t size = l->offset->desc + n * l->descriptor_size;
	uint8_t *base = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->fd, (off_t)l->page_offset);

	if (base == MAP_FAILED)
		return -errno;
	x->maps[l->map].base = base;
	x->maps[l->map].size = size;
	*parts = (struct xsk_ring_prod){
		.mask = n - 1,
		.size = n,
		.producer = (uint32_t *)(base + l->offset->producer),
		.consumer = (uint32_t *)(base + l->offset->consumer),
		.flags = (uint32_t *)(base + l->offset->flags),
		.ring = base + l->offset->desc,
	};
	return 0;
}

/* A ring that we produce into, from where it stands: all that is not taken is in use. The helpers want
 * cached_cons to run ahead by the ring's size. */
static int
map_producer(struct xsk *x, const struct ring_layout *l, uint32_t n, struct xsk_ring_prod *ring)
{
	int err = map_ring(x, l, n, ring);

	if (err < 0)
		return err;
	ring->cached_prod = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	ring->cached_cons = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE) + n;
	return 0;
}

/* A ring that we consume from, from where it stands. */
static int
map_consumer(struct xsk *x, const struct ring_layout *l, uint32_t n, struct xsk_ring_cons *ring)
{
	struct xsk_ring_prod parts;
	int err = map_ring(x, l, n, &parts);

	if (err < 0)
		return err;
	*ring = (struct xsk_ring_cons){
		.mask = parts.mask,
		.size = parts.size,
		.producer = parts.producer,
		.consumer = parts.consumer,
		.flags = parts.flags,
		.ring = parts.ring,
		.cached_prod = __atomic_load_n(parts.consumer, __ATOMIC_ACQUIRE),
		.cached_cons = __atomic_load_n(parts.consumer, __ATOMIC_ACQUIRE),
	};
	return 0;
}

static int
map_rings(struct xsk *x, uint32_t n)
{
	struct xdp_mmap_offsets at;
	socklen_t len = sizeof(at);
	const struct ring_layout rx = { 0, XDP_PGOFF_RX_RING, &at.rx, sizeof(struct xdp_desc) };
	const struct ring_layout tx = { 1, XDP_PGOFF_TX_RING, &at.tx, sizeof(struct xdp_desc) };
	const struct ring_layout fill = { 2, XDP_UMEM_PGOFF_FILL_RING, &at.fr, sizeof(uint64_t) };
	const struct ring_layout completion = { 3, XDP_UMEM_PGOFF_COMPLETION_RING, &at.cr, sizeof(uint64_t) };
	int err;

	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &len) < 0)
		return -errno;
	if (len != sizeof(at))
		return -EOPNOTSUPP; /* before 5.4, without need-wakeup flags */
	err = map_consumer(x, &rx, n, &x->rx);
	if (err == 0)
		err = map_producer(x, &tx, n, &x->tx);
	if (err == 0)
		err = map_producer(x, &fill, n, &x->fill);
	if (err == 0)
		err = map_consumer(x, &completion, n, &x->completion);
	return err;
}

/* Memory and rings, before the socket is bound. */
static int
set_up(struct xsk *x, const struct umem *umem, uint32_t ring_size, bool registers)
{
	static const int rings[] = { XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING };
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)umem->base,
		.len = (uint64_t)umem->n_frames * umem->frame_size,
		.chunk_size = umem->frame_size,
		/* this comes on top of XDP_PACKET_HEADROOM, which is all of UMEM_HEADROOM */
		.headroom = 0,
	};
	uint32_t budget = TX_BUDGET;

	if (registers && setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		return -errno;
	for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		if (setsockopt(x->fd, SOL_XDP, rings[i], &ring_size, sizeof(ring_size)) < 0)
			return -errno;
	/* where it is not known, xsk_send() makes more calls; it may not exceed the ring */
	if (budget > ring_size)
		budget = ring_size;
	setsockopt(x->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	return map_rings(x, ring_size);
}

/* Binds, and waits while a former socket of the queue is on its way out: closing one takes the kernel 13 ms,
 * and the end of a process that had many takes as many times that. */
static int
bind_until(const struct xsk *x, const struct sockaddr_xdp *addr, unsigned deadline_ms)
{
	int64_t deadline = clock_now_ms() + deadline_ms;

	while (bind(x->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno != EBUSY || clock_now_ms() >= deadline)
			return -errno;
		poll(NULL, 0, 2);
	}
	return 0;
}

int
xsk_open(struct xsk *x, const struct umem *umem, const struct xsk_config *config, int shared_fd)
{
	struct sockaddr_xdp addr = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = config->ifindex,
		.sxdp_queue_id = config->queue,
		/* a shared bind takes all other flags from the first socket; naming them again is EINVAL */
		.sxdp_flags = XDP_SHARED_UMEM,
		.sxdp_shared_umem_fd = (uint32_t)shared_fd,
	};
	int err;

	if (shared_fd < 0) {
		addr.sxdp_flags = XDP_USE_NEED_WAKEUP | (config->zero_copy ? XDP_ZEROCOPY : XDP_COPY);
		addr.sxdp_shared_umem_fd = 0;
	}
	xsk_clear(x);
	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return -errno;
	err = set_up(x, umem, config->ring_size, shared_fd < 0);
	if (err == 0)
		err = bind_until(x, &addr, config->busy_deadline_ms);
	if (err < 0)
		xsk_close(x);
	return err;
}

int
xsk_adopt(struct xsk *x, int fd, uint32_t ring_size)
{
	int err;

	xsk_clear(x);
	x->fd = fd;
	err = map_rings(x, ring_size);
	if (err < 0) {
		x->fd = -1; /* the caller's still */
		xsk_close(x);
	}
	return err;
}

void
xsk_close(struct xsk *x)
{
	/* mappings hold the socket too: it ends with whatever goes last */
	for (unsigned i = 0; i < 4; i++)
		if (x->maps[i].base != MAP_FAILED)
			munmap(x->maps[i].base, x->maps[i].size);
	if (x->fd >= 0)
		close(x->fd);
	xsk_clear(x);
}

/* EAGAIN: the budget of the call is used, or the device is busy. EBUSY: the device dropped the packet, which
 * is done with. ENOBUFS: no memory, or the socket's send buffer is in flight. Whether to go on shows in the
 * ring. Anything else (ENETDOWN, ENXIO: the interface is down or gone) will not get better now. */
static bool
is_transient(int error)
{
	return error == EAGAIN || error == EBUSY || error == ENOBUFS || error == EINTR;
}

unsigned
xsk_send(struct xsk *x)
{
	uint32_t left = xsk_n_unsent(x);
	unsigned stalls = 0;

	while (left != 0 && xsk_ring_prod__needs_wakeup(&x->tx)) {
		uint32_t before = left;

		if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && !is_transient(errno))
			break;
		left = xsk_n_unsent(x);
		if (left >= before && ++stalls > STALLS_MAX)
			break;
	}
	return left;
}

int
xsk_drops(const struct xsk *x, struct xsk_drops *out)
{
	struct xdp_statistics s;
	socklen_t len = sizeof(s);

	if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &s, &len) < 0)
		return -errno;
#define KERNEL_DROP(symbol, field, label, help) out->counts[KERNEL_DROP_##symbol] = s.field;
#include "dataplane/io/kernel_drops.def"
#undef KERNEL_DROP
	return 0;
}

static const struct {
	const char *label, *help;
} kernel_drop_names[N_KERNEL_DROPS] = {
#define KERNEL_DROP(symbol, field, label, help) [KERNEL_DROP_##symbol] = { label, help },
#include "dataplane/io/kernel_drops.def"
#undef KERNEL_DROP
};

const char *
kernel_drop_label(enum kernel_drop cause)
{
	return kernel_drop_names[cause].label;
}

const char *
kernel_drop_help(enum kernel_drop cause)
{
	return kernel_drop_names[cause].help;
}
