/* Packet memory: frames of one size in one shared mapping, registered with the kernel by the first socket on
 * it. A shard serves one group of ports, all of one worker, so its free list needs no lock; a frame that
 * another worker finished with comes back to the owner over a ring. Each frame is at any time in exactly one
 * place: the free list, a fill, rx, tx or completion ring, or a packet in hand. Owner thread: the worker
 * named in owner; creation and registration: control, before the worker sees it. */
#ifndef RINGWAY_IO_UMEM_H
#define RINGWAY_IO_UMEM_H

#include <stddef.h>
#include <stdint.h>

/* The kernel puts received packets this far into a frame (XDP_PACKET_HEADROOM); we do the same for frames
 * that we fill, so that outer headers always fit in front. */
#define UMEM_HEADROOM 256

struct umem {
	uint8_t *base;
	uint32_t frame_size; /* bytes, a power of two */
	uint8_t frame_shift; /* its logarithm */
	uint32_t n_frames;
	uint32_t n_free;
	uint16_t id;
	uint8_t owner; /* worker */
	int memfd;
	uint32_t *free; /* stack of frame numbers */

	/* [frame]: which socket of the umem (1..UMEM_SLOTS_MAX) has it in a ring or in the kernel; 0: free or
	 * in hand. In the memfd, behind the frames. So the frames of a closed socket are found again, those
	 * included that the kernel had taken out of the fill ring, and a former process's too. */
	uint8_t *holders;
};

#define UMEM_SLOTS_MAX 255

/* A shard of n_frames, faulted in, on the NUMA node given (-1: any), all frames free. Returns 0, or -errno
 * with *out untouched. */
int umem_new(
	struct umem **out, uint16_t id, uint8_t owner, uint32_t n_frames, uint32_t frame_size, int numa_node);
void umem_free(struct umem *u);

/* The shard of a former process, by its memfd, which becomes the umem's. No frame is free until
 * umem_recover(). Returns 0, or -errno (-EINVAL: the memfd has not this size) with *out untouched. */
int umem_adopt(
	struct umem **out, uint16_t id, uint8_t owner, uint32_t n_frames, uint32_t frame_size, int memfd);

/* The smallest frames that receive whole packets from an interface of this MTU, tagged ones included; 0: none
 * does. */
uint32_t umem_frame_size_for(uint16_t mtu);

/* Where frames can be seen. */
enum umem_place {
	UMEM_FREE,
	UMEM_FILL,
	UMEM_RX,
	UMEM_TX,
	UMEM_COMPLETION,
	N_UMEM_PLACES,
};

/* A count of a umem's frames, or of several. The owner's thread takes it between two bursts: start, see for
 * each descriptor in each ring (port_xsk_audit), finish. Every frame is then in one of the places, in the
 * kernel or in hand; twice is an error. */
struct umem_audit {
	uint32_t n_frames;
	uint32_t n[N_UMEM_PLACES];
	uint32_t in_kernel; /* a socket has them, but they are in none of its rings */
	uint32_t in_hand;   /* nowhere else: in bursts and crossings; after a takeover, lost by the former
			       process */
	uint32_t twice;     /* seen in two places, or not an address of this umem */

	const struct umem *umem;
	uint8_t *seen; /* [n_frames], the caller's */
};

/* seen has room for a byte per frame. */
void umem_audit_start(struct umem_audit *a, const struct umem *u, uint8_t *seen);
void umem_audit_see(struct umem_audit *a, uint64_t offset, enum umem_place place);
void umem_audit_finish(struct umem_audit *a);

/* Adds the counts of one audit to another's. */
void umem_audit_add(struct umem_audit *sum, const struct umem_audit *a);

/* After a takeover: makes free what the audit saw nowhere and no socket has. Returns how many frames those
 * are. */
uint32_t umem_recover(struct umem *u, const struct umem_audit *a);

/* A free frame's first byte, or NULL. */
static inline uint8_t *
umem_get(struct umem *u)
{
	return u->n_free == 0 ? NULL : u->base + ((size_t)u->free[--u->n_free] << u->frame_shift);
}

/* Number of the frame that p points into. */
static inline uint32_t
umem_frame_number(const struct umem *u, const uint8_t *p)
{
	return (uint32_t)((size_t)(p - u->base) >> u->frame_shift);
}

/* Gives back the frame that p points into. */
static inline void
umem_put(struct umem *u, const uint8_t *p)
{
	u->free[u->n_free++] = umem_frame_number(u, p);
}

/* First byte of the frame that p points into. */
static inline uint8_t *
umem_frame(const struct umem *u, const uint8_t *p)
{
	return u->base + ((size_t)(p - u->base) & ~(size_t)(u->frame_size - 1));
}

/* Bytes of its frame in front of what p points to. */
static inline uint32_t
umem_space_before(const struct umem *u, const uint8_t *p)
{
	return (uint32_t)(p - u->base) & (u->frame_size - 1);
}

/* Bytes of packet that fit behind the headroom. */
static inline uint32_t
umem_room(const struct umem *u)
{
	return u->frame_size - UMEM_HEADROOM;
}

#endif
