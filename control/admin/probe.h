/* Builds the packet that explain sends through the pipeline: byte for byte what a sender's stack would make,
 * all checksums complete. Any thread. */
#ifndef RINGWAY_ADMIN_PROBE_H
#define RINGWAY_ADMIN_PROBE_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define PROBE_TTL 64

/* Bytes that probe_encap() puts in front. */
#define PROBE_OUTER_MAX VXLAN_OUTER_V6

struct probe {
	struct mac_addr eth_src, eth_dst;
	struct ip_addr src, dst; /* of one family */
	uint16_t sport, dport;   /* ICMP: sport is the echo's identifier */
	uint8_t proto;           /* TCP, UDP, SCTP; ICMP or ICMPV6: an echo request */
	uint8_t tcp_flags;
	uint16_t size; /* bytes from the IP header on; what the headers do not need is payload */
};

/* The tunnel around it, when it comes from another node. */
struct probe_tunnel {
	struct mac_addr eth_src, eth_dst;
	struct ip_addr src, dst; /* VTEPs */
	uint16_t port;
	uint32_t vni;
};

/* Bytes from the IP header on that a packet has without payload; 0 when the protocol cannot be built. */
uint16_t probe_least_size(const struct probe *p);

/* Writes the frame (14 + size bytes) and returns its length. A size below the least one counts as that. */
uint16_t probe_build(const struct probe *p, uint8_t *frame);

/* Writes VXLAN's headers in front of a frame of len bytes, and returns the new first byte; *len grows. There
 * must be PROBE_OUTER_MAX bytes of room. */
uint8_t *probe_encap(const struct probe_tunnel *t, uint8_t *frame, uint16_t *len);

/* Reads "SYN", "syn,ack", "SYN+ACK" or "none"; false when it is something else. */
bool probe_parse_tcp_flags(const char *text, uint8_t *flags);

/* "SYN,ACK" in the caller's buffer. */
#define PROBE_FLAGS_SIZE 32
const char *probe_format_tcp_flags(uint8_t flags, char buf[static PROBE_FLAGS_SIZE]);

#endif
