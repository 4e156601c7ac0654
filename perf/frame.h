/* The harness's own writing and reading of frames, apart from the dataplane's, so that a mistake there is
 * not repeated here: every length and checksum of what comes out is checked by this code alone. Any
 * thread. */
#ifndef RINGWAY_PERF_FRAME_H
#define RINGWAY_PERF_FRAME_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

/* TTL of what is sent. */
#define FRAME_TTL 64

/* What a frame says. Ports in host byte order. */
struct frame {
	struct mac_addr eth_dst, eth_src;
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto; /* PROTO_TCP (ACK set, established) or PROTO_UDP */
	uint8_t ttl;
	uint16_t size; /* bytes from Ethernet on */
	uint32_t tag;  /* first four bytes of the payload: which flow this is */
};

/* The outer headers of VXLAN over IPv4. */
struct tunnel {
	struct mac_addr eth_dst, eth_src;
	struct ip_addr src, dst;
	uint16_t port; /* UDP destination */
	uint32_t vni;
};

/* Writes the frame, checksums and all; the rest of the payload is as it was, but counts for the checksum. */
void frame_write(uint8_t *at, const struct frame *f);

/* Writes outer headers in front of a frame of inner_size bytes; returns where they begin. */
uint8_t *tunnel_write(uint8_t *inner, uint16_t inner_size, const struct tunnel *t, uint16_t sport);

/* Read back, with every length and checksum checked. NULL, or what is wrong: static string. */
const char *frame_read(const uint8_t *at, unsigned len, struct frame *f);
const char *tunnel_read(const uint8_t *at, unsigned len, struct tunnel *t);

#endif
