/* Frames as tables write them: a list of layers from the outside in, whose lengths, protocol numbers and
 * checksums follow from what is inside them unless a layer says otherwise. Shares no code with the dataplane's
 * readers and writers of packets.
 *
 *	PKT(ETH("pod1", "gw"), IP("10.244.1.10", "10.244.1.11", .df = true), UDP(1000, 53), DATA(20))
 */
#ifndef TESTS_SUPPORT_PKT_BUILD_H
#define TESTS_SUPPORT_PKT_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/headers.h"

#define FRAME_MAX 2048

enum sum {
	SUM_VALID,
	SUM_PARTIAL, /* as a sender with checksum offload leaves it */
	SUM_NONE,    /* zero */
	SUM_BAD,
};

struct layer {
	enum {
		LAYER_END,
		LAYER_ETH,
		LAYER_VLAN,
		LAYER_ARP,
		LAYER_IP,
		LAYER_EXT,
		LAYER_FRAG,
		LAYER_TCP,
		LAYER_UDP,
		LAYER_SCTP,
		LAYER_ICMP,
		LAYER_VXLAN,
		LAYER_ADDR,
		LAYER_MAC_OPTION,
		LAYER_DATA,
		LAYER_RAW,
		LAYER_QUOTE,
		LAYER_PADDING,
		LAYER_CUT,
	} kind;
	union {
		struct {
			const char *src, *dst; /* names: pkt_mac() */
			uint16_t type;         /* 0: by what follows */
		} eth;
		struct {
			uint16_t vid;
			uint16_t type;
		} vlan;
		struct {
			uint16_t op;
			const char *sender_mac, *sender, *target_mac, *target;
			uint16_t hw_type; /* 0: Ethernet */
		} arp;
		struct {
			const char *src, *dst; /* either family */
			uint8_t ttl;           /* 0: 64 */
			uint8_t tos;
			uint8_t proto;   /* 0: by what follows */
			uint8_t version; /* 0: by the addresses */
			bool df, more;
			uint16_t offset; /* bytes */
			uint16_t id;
			uint16_t total; /* 0: up to the end; IPv6: payload length */
			uint8_t n_options;
			uint8_t options[40];
			uint8_t ihl; /* 0: by the options */
			enum sum sum;
		} ip;
		struct {
			uint8_t proto;
			uint8_t units; /* of 8 bytes, after the first */
			uint8_t segments_left;
		} ext;
		struct {
			uint16_t offset;
			bool more;
			uint32_t id;
			uint8_t proto;
		} frag;
		struct {
			uint16_t sport, dport;
			uint8_t flags;
			uint32_t seq, ack; /* 0: any; of a reset: none, nor has it a window */
			uint16_t mss;
			uint8_t nops;     /* in front of the MSS option */
			uint8_t data_off; /* 0: by the options */
			enum sum sum;
		} tcp;
		struct {
			uint16_t sport, dport;
			uint16_t len; /* 0: up to the end */
			enum sum sum;
		} udp;
		struct {
			uint16_t sport, dport;
			uint32_t tag; /* 0: any */
			enum sum sum;
		} sctp;
		struct {
			uint8_t type, code;
			uint16_t id, seq;
			uint32_t rest; /* instead of id and seq */
			enum sum sum;
		} icmp;
		struct {
			uint32_t vni;
			uint32_t flags;   /* 0: 0x08000000 */
			uint8_t reserved; /* behind the VNI */
		} vxlan;
		const char *addr;
		struct {
			uint8_t type;
			const char *mac;
		} mac_option;
		unsigned n; /* DATA, PADDING, CUT: bytes */
		struct {
			const uint8_t *bytes;
			unsigned n;
		} raw;
		struct {
			const struct layer *layers; /* with an Ethernet header, which is left out */
			unsigned n;                 /* bytes of it; 0: all */
			unsigned from;              /* the first of them, behind the Ethernet header */
		} quote;
	};
};

#define PKT(...) ((const struct layer[]){ __VA_ARGS__, { LAYER_END } })

#define ETH(s, d, ...)                                                             \
	{                                                                          \
		.kind = LAYER_ETH, .eth = {.src = (s), .dst = (d), ##__VA_ARGS__ } \
	}
#define VLAN(v, ...)                                                     \
	{                                                                \
		.kind = LAYER_VLAN, .vlan = {.vid = (v), ##__VA_ARGS__ } \
	}
#define ARP(o, sm, s, tm, t, ...)                                                     \
	{                                                                             \
		.kind = LAYER_ARP, .arp = {(o), (sm), (s), (tm), (t), ##__VA_ARGS__ } \
	}
#define IP(s, d, ...)                                                            \
	{                                                                        \
		.kind = LAYER_IP, .ip = {.src = (s), .dst = (d), ##__VA_ARGS__ } \
	}
#define EXT(p, u, ...)                                                                 \
	{                                                                              \
		.kind = LAYER_EXT, .ext = {.proto = (p), .units = (u), ##__VA_ARGS__ } \
	}
#define FRAG(o, m, ...)                                                                  \
	{                                                                                \
		.kind = LAYER_FRAG, .frag = {.offset = (o), .more = (m), ##__VA_ARGS__ } \
	}
#define TCP(s, d, f, ...)                                                                            \
	{                                                                                            \
		.kind = LAYER_TCP, .tcp = {.sport = (s), .dport = (d), .flags = (f), ##__VA_ARGS__ } \
	}
#define UDP(s, d, ...)                                                                 \
	{                                                                              \
		.kind = LAYER_UDP, .udp = {.sport = (s), .dport = (d), ##__VA_ARGS__ } \
	}
#define SCTP(s, d, ...)                                                                  \
	{                                                                                \
		.kind = LAYER_SCTP, .sctp = {.sport = (s), .dport = (d), ##__VA_ARGS__ } \
	}
#define ICMP(t, c, ...)                                                                \
	{                                                                              \
		.kind = LAYER_ICMP, .icmp = {.type = (t), .code = (c), ##__VA_ARGS__ } \
	}
#define VXLAN(v, ...)                                                      \
	{                                                                  \
		.kind = LAYER_VXLAN, .vxlan = {.vni = (v), ##__VA_ARGS__ } \
	}
#define ADDR(a)                                 \
	{                                       \
		.kind = LAYER_ADDR, .addr = (a) \
	}
#define MAC_OPTION(t, m)                                            \
	{                                                           \
		.kind = LAYER_MAC_OPTION, .mac_option = {(t), (m) } \
	}
#define DATA(b)                              \
	{                                    \
		.kind = LAYER_DATA, .n = (b) \
	}
#define RAW(...)                                                   \
	{                                                          \
		.kind = LAYER_RAW,                                 \
		.raw = {(const uint8_t[]){ __VA_ARGS__ },          \
			sizeof((const uint8_t[]){ __VA_ARGS__ }) } \
	}
#define QUOTE(l, b)                                       \
	{                                                 \
		.kind = LAYER_QUOTE, .quote = {(l), (b) } \
	}
#define SLICE(l, f, b)                                         \
	{                                                      \
		.kind = LAYER_QUOTE, .quote = {(l), (b), (f) } \
	}
#define PADDING(b)                              \
	{                                       \
		.kind = LAYER_PADDING, .n = (b) \
	}
#define CUT(b)                              \
	{                                   \
		.kind = LAYER_CUT, .n = (b) \
	}

struct frame {
	uint16_t len;
	uint8_t bytes[FRAME_MAX];
};

/* The frame that the layers describe. An outer UDP source port of 0 in front of VXLAN becomes 'entropy'. */
void pkt_build(struct frame *out, const struct layer *layers, uint16_t entropy);

/* By name: "pod1", "pod2", "host", "gw", "uplink", "tunnel", "peer", "peer-tunnel", "*" (broadcast). */
struct mac_addr pkt_mac(const char *name);

#endif
