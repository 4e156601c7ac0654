/* Wire formats, each with its source. All are packed: frames carry no alignment promise. */
#ifndef RINGWAY_NET_HEADERS_H
#define RINGWAY_NET_HEADERS_H

#include "dataplane/net/byteorder.h"

#define PACKED __attribute__((packed))

struct mac_addr {
	uint8_t b[6];
} PACKED;

enum {
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_IPV6 = 0x86dd,
};

/* IEEE 802.3 */
struct eth_hdr {
	struct mac_addr dst;
	struct mac_addr src;
	be16 type;
} PACKED;
static_assert(sizeof(struct eth_hdr) == 14, "wire size");

/* IEEE 802.1Q: what follows a type of ETH_TYPE_VLAN */
struct vlan_hdr {
	be16 tci;
	be16 type;
} PACKED;
static_assert(sizeof(struct vlan_hdr) == 4, "wire size");

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

/* RFC 826, for IPv4 over Ethernet */
struct arp_hdr {
	be16 hw_type;
	be16 proto_type;
	uint8_t hw_len;
	uint8_t proto_len;
	be16 op;
	struct mac_addr sender_mac;
	be32 sender_ip;
	struct mac_addr target_mac;
	be32 target_ip;
} PACKED;
static_assert(sizeof(struct arp_hdr) == 28, "wire size");

enum {
	IPV4_MORE_FRAGMENTS = 0x2000,
	IPV4_DONT_FRAGMENT = 0x4000,
	IPV4_OFFSET_MASK = 0x1fff, /* in units of 8 bytes */
};

/* RFC 791 section 3.1 */
struct ipv4_hdr {
	uint8_t version_ihl;
	uint8_t tos;
	be16 total_len;
	be16 id;
	be16 frag;
	uint8_t ttl;
	uint8_t proto;
	be16 checksum;
	be32 src;
	be32 dst;
} PACKED;
static_assert(sizeof(struct ipv4_hdr) == 20, "wire size");

/* RFC 8200 section 3 */
struct ipv6_hdr {
	be32 version_class_flow;
	be16 payload_len;
	uint8_t next;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} PACKED;
static_assert(sizeof(struct ipv6_hdr) == 40, "wire size");

/* RFC 8200 section 4.5 */
struct ipv6_frag_hdr {
	uint8_t next;
	uint8_t reserved;
	be16 offset_flags; /* offset in units of 8 bytes << 3, bit 0: more fragments */
	be32 id;
} PACKED;
static_assert(sizeof(struct ipv6_frag_hdr) == 8, "wire size");

/* IANA protocol numbers, which are also IPv6 next-header values */
enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IPV6_ROUTE = 43,
	PROTO_IPV6_FRAG = 44,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
};

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

/* RFC 9293 section 3.1 */
struct tcp_hdr {
	be16 sport;
	be16 dport;
	be32 seq;
	be32 ack;
	uint8_t data_off; /* upper four bits, in units of 4 bytes */
	uint8_t flags;
	be16 window;
	be16 checksum;
	be16 urgent;
} PACKED;
static_assert(sizeof(struct tcp_hdr) == 20, "wire size");

/* RFC 768 */
struct udp_hdr {
	be16 sport;
	be16 dport;
	be16 len;
	be16 checksum; /* 0: none (IPv4); a computed 0 is sent as 0xffff */
} PACKED;
static_assert(sizeof(struct udp_hdr) == 8, "wire size");

/* RFC 9260 section 3.1 */
struct sctp_hdr {
	be16 sport;
	be16 dport;
	be32 tag;
	be32 crc32c;
} PACKED;
static_assert(sizeof(struct sctp_hdr) == 12, "wire size");

enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMP_CODE_PORT_UNREACHABLE = 3,
	ICMP_CODE_FRAG_NEEDED = 4,

	ICMPV6_UNREACHABLE = 1,
	ICMPV6_PACKET_TOO_BIG = 2,
	ICMPV6_TIME_EXCEEDED = 3,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_ND_FIRST = 133, /* router solicitation */
	ICMPV6_NEIGHBOUR_SOLICITATION = 135,
	ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMPV6_ND_LAST = 137, /* redirect */
};

/* RFC 792 and RFC 4443 section 2.1 */
struct icmp_hdr {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	union {
		struct {
			be16 id;
			be16 seq;
		} PACKED echo;
		struct {
			be16 unused;
			be16 mtu; /* RFC 1191 section 4 */
		} PACKED frag_needed;
		be32 mtu6; /* RFC 4443 section 3.2 */
		be32 rest;
	};
} PACKED;
static_assert(sizeof(struct icmp_hdr) == 8, "wire size");

/* RFC 4861 sections 4.3 and 4.4: what follows the ICMPv6 header of a solicitation or advertisement. In the
 * advertisement, icmp_hdr.rest holds the flags. */
struct nd_target {
	uint8_t target[16];
} PACKED;
static_assert(sizeof(struct nd_target) == 16, "wire size");

enum {
	VXLAN_FLAG_VNI = 0x08000000,
};

/* RFC 7348 section 5 */
struct vxlan_hdr {
	be32 flags;
	be32 vni; /* VNI << 8 */
} PACKED;
static_assert(sizeof(struct vxlan_hdr) == 8, "wire size");

/* Bytes that VXLAN adds in front of the inner Ethernet frame */
#define VXLAN_OUTER_V4 \
	(sizeof(struct eth_hdr) + sizeof(struct ipv4_hdr) + sizeof(struct udp_hdr) + sizeof(struct vxlan_hdr))
#define VXLAN_OUTER_V6 \
	(sizeof(struct eth_hdr) + sizeof(struct ipv6_hdr) + sizeof(struct udp_hdr) + sizeof(struct vxlan_hdr))

/* What VXLAN takes from the underlay's MTU: the outer headers after Ethernet and the inner Ethernet header */
#define VXLAN_OVERHEAD_V4 ((unsigned)VXLAN_OUTER_V4)
#define VXLAN_OVERHEAD_V6 ((unsigned)VXLAN_OUTER_V6)
static_assert(VXLAN_OUTER_V4 == 50 && VXLAN_OUTER_V6 == 70, "DESIGN: pod MTU is uplink MTU less these");

#endif
