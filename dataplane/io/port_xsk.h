/* A port over an AF_XDP socket. Frames that it receives into come from the free list of its umem; those that
 * it sent go back there. rx, tx, flush, start, release and audit: the owner's worker, or control between two
 * of its bursts. */
#ifndef RINGWAY_IO_PORT_XSK_H
#define RINGWAY_IO_PORT_XSK_H

#include "dataplane/io/port.h"
#include "dataplane/io/umem.h"
#include "dataplane/io/xsk.h"

struct port_xsk {
	struct port port; /* first: ops receive a pointer to it */

	unsigned ifindex; /* what the socket is bound to */
	uint32_t queue;
	uint8_t slot;      /* which of the umem's sockets, 1..UMEM_SLOTS_MAX */
	bool in_chain;     /* the last descriptor's packet goes on, and is dropped already */
	bool is_stuck;     /* the kernel takes nothing: not asked again before the next flush */
	uint8_t small_rx;  /* bursts in a row that were small against what lies ready */
	uint32_t n_filled; /* frames with the kernel to receive into, or received and not taken */
	uint32_t fill_target;
	uint32_t fill_min;
	uint32_t n_queued;  /* packets in the tx ring that the kernel was not told of */
	uint32_t n_sending; /* packets queued or sent, whose frames are not back */
	uint32_t sending_max;
	struct xsk xsk;
};

/* After xsk_open() has filled x->xsk: sets up the rest, all else in *x being zero. fill_min: frames to have
 * ready for receiving even when nothing comes. */
void port_xsk_init(struct port_xsk *x, struct umem *umem, uint16_t id, enum origin origin, uint8_t slot,
	uint32_t fill_min);

/* Gives the kernel its first frames. After xsk_adopt() it first counts those that the kernel has; then every
 * port of the umem has been through port_xsk_audit() and the umem through umem_recover(). */
void port_xsk_start(struct port_xsk *x);

/* Once the socket is closed: all frames that it had are free again. */
void port_xsk_release(struct port_xsk *x);

/* Shows the audit what is in the four rings, and marks it as held by this socket. */
void port_xsk_audit(const struct port_xsk *x, struct umem_audit *a);

#endif
