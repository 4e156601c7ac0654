/* One AF_XDP socket: a descriptor and its four rings, bound to one queue of one interface. Sockets are made
 * only here. The rings are worked with libxdp's inline helpers (xsk_ring_prod__*, xsk_ring_cons__*); the
 * thread that does so is the port's worker, while opening, adopting and closing are control's. */
#ifndef RINGWAY_IO_XSK_H
#define RINGWAY_IO_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xdp/xsk.h>

struct umem;

struct xsk {
	int fd;           /* -1: closed */
	struct xsk *next; /* these two are the closer's */
	bool is_shared;
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod fill, tx;
	struct {
		void *base; /* MAP_FAILED: not mapped */
		size_t size;
	} maps[4];
};

struct xsk_config {
	unsigned ifindex; /* in the caller's network namespace */
	uint32_t queue;
	uint32_t ring_size;        /* descriptors in each of the four rings, a power of two */
	bool zero_copy;            /* only for the first socket of a umem: the others follow it */
	unsigned busy_deadline_ms; /* a former socket of this queue may still be going: how long to retry */
};

/* A socket on the umem. The first one of a umem registers it (shared_fd -1); further ones name any socket of
 * the umem that is bound. Returns 0, or -errno with nothing left open: -EBUSY   another socket has this queue
 *   -EBADF   shared_fd is bound no longer, since its interface is gone
 *   -EPERM   no CAP_NET_RAW;  -ENOBUFS, -ENOMEM  RLIMIT_MEMLOCK without CAP_IPC_LOCK
 *   -ENODEV  no such interface;  -EINVAL  no such queue
 *   -EOPNOTSUPP, -EPROTONOSUPPORT, -EAFNOSUPPORT  the driver or the kernel cannot */
int xsk_open(struct xsk *x, const struct umem *umem, const struct xsk_config *config, int shared_fd);

/* Takes over a bound socket from another process, with rings of this size, and goes on where that one
 * stopped: all positions come from the rings themselves. On success the descriptor is the socket's, else the
 * caller's. */
int xsk_adopt(struct xsk *x, int fd, uint32_t ring_size);

/* Blocks for some 13 ms (the kernel waits for a grace period), so not on a thread in a hurry; several threads
 * closing at a time wait together: 100 sockets take 1.3 s one by one, 93 ms by 16 threads. When it returns,
 * the kernel touches no frame of this socket any more, provided that no other process has the descriptor. */
void xsk_close(struct xsk *x);

/* Makes the kernel send what is in the tx ring. Never blocks: returns once the ring is empty, or nothing more
 * is taken for now. Returns how many packets are left. */
unsigned xsk_send(struct xsk *x);

/* Packets that the kernel has not taken from the tx ring. */
static inline uint32_t
xsk_n_unsent(const struct xsk *x)
{
	return *x->tx.producer - __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
}

enum kernel_drop {
#define KERNEL_DROP(symbol, field, label, help) KERNEL_DROP_##symbol,
#include "dataplane/io/kernel_drops.def"
#undef KERNEL_DROP
	N_KERNEL_DROPS,
};

/* What the kernel counted, since the socket was made. */
struct xsk_drops {
	uint64_t counts[N_KERNEL_DROPS];
};

/* Metric label and help of a cause; static storage. Any thread. */
const char *kernel_drop_label(enum kernel_drop cause);
const char *kernel_drop_help(enum kernel_drop cause);

/* Any thread, while the socket is open. 0 or -errno. */
int xsk_drops(const struct xsk *x, struct xsk_drops *out);

#endif
