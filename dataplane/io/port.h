/* A port: an interface attached to the dataplane, through one queue pair. Kinds differ in a handful of
 * functions (io/port_xsk.c over AF_XDP, io/port_mem.c over arrays). A port belongs to one worker, which alone
 * calls rx, tx and flush; statistics may be read by anyone. */
#ifndef RINGWAY_IO_PORT_H
#define RINGWAY_IO_PORT_H

#include "dataplane/counters.h"
#include "dataplane/pkt.h"

struct port;

struct port_ops {
	/* Takes up to max packets; sets what "set by io" names in each pkt, except in_port. Returns how many.
	 */
	unsigned (*rx)(struct port *port, struct pkt *pkts, unsigned max);

	/* Queues one packet for sending and takes over its frame, which is in the port's own umem. False: the
	 * ring is full, and the frame is still the caller's. */
	bool (*tx)(struct port *port, struct pkt *p);

	/* Makes the kernel send what was queued, and takes back the frames it is done with. Called once per
	 * burst. */
	void (*flush)(struct port *port);

	/* Descriptor to poll for readability while idle, or -1. */
	int (*wait)(const struct port *port);
};

/* Written by the owner's worker with counter_add(). */
struct port_stats {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes;
	uint64_t drops[N_DROP_REASONS]; /* of packets received here */
};

struct port {
	const struct port_ops *ops;
	struct umem *umem;
	uint16_t id;
	uint8_t origin; /* enum origin of what is received here */
	uint8_t owner;  /* worker */
	bool dirty;     /* has queued packets: flush at the end of the burst */

	/* worker.c */
	bool is_watched;     /* in the worker's epoll set */
	uint64_t watched_tx; /* stats.tx_packets when it got there */

	struct port_stats stats;
};

#endif
