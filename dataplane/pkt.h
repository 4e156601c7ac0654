/* The packet descriptor: filled once by parse, decided upon by the stages, written out by rewrite. It lives
 * in the burst of the worker that has the packet in hand, and is copied when the packet crosses to another
 * worker. Ports and lengths are in host byte order, addresses in network byte order. */
#ifndef RINGWAY_PKT_H
#define RINGWAY_PKT_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"
#include "dataplane/verdict.h"

#define CACHE_LINE 64

struct umem;

/* Where a packet came from decides which stages have something to say about it. */
enum origin {
	ORIGIN_POD,
	ORIGIN_HOST,   /* the node's own stack */
	ORIGIN_UPLINK, /* the underlay; after decap: from another node's pod or stack */
};

enum pkt_flag {
	PKT_FRAGMENT = 1 << 0,         /* part of a fragmented datagram */
	PKT_LATER_FRAGMENT = 1 << 1,   /* and not its first part: no ports */
	PKT_DONT_FRAGMENT = 1 << 2,    /* IPv4 DF; always set for IPv6 */
	PKT_CHECKSUM_PARTIAL = 1 << 3, /* the L4 checksum field holds only the pseudo-header's sum */
	PKT_ICMP_ERROR = 1 << 4,       /* ICMP or ICMPv6 error: none is sent in answer to it */
	PKT_DECAPPED = 1 << 5,         /* came out of a tunnel */
	PKT_HAIRPIN = 1 << 6,          /* a pod reaching itself through a service, either way */
	PKT_DRY_RUN = 1 << 7,          /* explain: decide, but neither learn nor send */
	PKT_TRUST_CHECKSUM = 1 << 8,   /* from a local sender, whose checksum may be partial */
	PKT_ECN_CE = 1 << 9,      /* outer header was marked CE: rewrite marks the inner one (RFC 6040) */
	PKT_ROUTER_HOP = 1 << 10, /* we are a hop on its way: rewrite lowers the TTL */
	PKT_OUTBOUND =
		1 << 11, /* leaves the cluster, where pod addresses mean nothing: to be masqueraded; or an
				   answer to such a packet */
	PKT_KEEP_SOURCE =
		1 << 12, /* a translated ICMP error by somebody on the way: new_src is for its quote */
	PKT_INBOUND =
		1
		<< 13, /* from a client outside; or what may answer one, on its way to the flow's owner; with
			    PKT_OUTBOUND, from the uplink: an answer to one by a backend outside */
	PKT_STEERED = 1 << 14, /* crosses before translation: the flow's owner begins the send half anew */
	PKT_TO_LINK = 1 << 15, /* a quick look says that it may be for the pods' link (gateway_stage.c) */
};

/* What rewrite makes of the packet, besides forwarding it. */
enum reply_kind {
	REPLY_NONE,
	REPLY_ARP,
	REPLY_NEIGHBOUR,
	REPLY_ECHO,
	REPLY_RESET, /* TCP */
	REPLY_DNS,   /* its message is in place of the query */
	/* errors, of which there is only so much: net/error_budget.h */
	REPLY_TOO_BIG,     /* ICMP fragmentation needed, ICMPv6 packet too big; MTU in pkt.mtu */
	REPLY_TTL,         /* ICMP time exceeded */
	REPLY_UNREACHABLE, /* ICMP port unreachable */
	N_REPLY_KINDS,
};

/* A translated ICMP error has the ports of the packet that would answer the one it quotes: all four ports, new_src and
 * new_dst are that answer's, and rewrite writes them into the quote the other way round. */
struct pkt {
	/* set by io */
	uint8_t *data;     /* first byte of the (inner, once decapsulated) Ethernet header */
	struct umem *umem; /* owner of the frame that data points into */
	uint16_t len;      /* bytes from data to the end of the packet */
	uint16_t in_port;  /* port id */

	/* set by parse */
	uint16_t flags;        /* enum pkt_flag */
	uint8_t l3_off;        /* from data */
	uint8_t family;        /* 4 or 6; 0 for ARP */
	uint16_t l4_off;       /* from data */
	uint16_t l4_len;       /* bytes from l4_off to the end of the IP packet: no Ethernet padding */
	uint16_t sport, dport; /* ICMP echo: the identifier, in both; no ports: 0 */
	uint8_t proto;         /* after extension headers */
	uint8_t origin;        /* enum origin */
	uint8_t tcp_flags;     /* ICMP: the type */
	uint8_t ttl;
	uint32_t hash; /* of the five-tuple as it arrived */

	/* decided by stages; rewrite writes them out */
	uint16_t new_sport, new_dport; /* parse sets them to sport and dport */
	uint8_t verdict;               /* enum verdict */
	uint8_t drop_reason;           /* enum drop_reason; of a reply: why it is refused */
	uint8_t reply;                 /* enum reply_kind */
	uint8_t origin_worker;         /* who received it */
	uint16_t out_port;             /* port id */
	uint16_t mtu;                  /* of the way ahead, bytes from the IP header on */
	uint32_t vtep;                 /* index into the FDB; FDB_NONE when not tunnelled */
	struct mac_addr next_hop;      /* by the uplink without a tunnel; all zero: not so */
	bool is_asked;      /* the first of the two workers that may own its flow knows none (flow_owner.h) */
	uint8_t would_drop; /* enum drop_reason: the first for which policy.mode: audit let it go on */

	/* set by parse, the second cache line */
	_Alignas(CACHE_LINE) struct ip_addr src;
	struct ip_addr dst;
	struct ip_addr new_src, new_dst; /* decided by stages; parse sets them to src and dst */
};
static_assert(sizeof(struct pkt) == 2 * CACHE_LINE, "two cache lines per packet");
static_assert(offsetof(struct pkt, src) == CACHE_LINE, "addresses fill the second line");

static inline void
pkt_drop(struct pkt *p, enum drop_reason reason)
{
	p->verdict = VERDICT_DROP;
	p->drop_reason = (uint8_t)reason;
}

/* Settles on an answer to the sender; rewrite builds it in the packet's own frame. */
static inline void
pkt_reply(struct pkt *p, enum reply_kind kind)
{
	p->verdict = VERDICT_REPLY;
	p->reply = (uint8_t)kind;
}

/* From a client outside the cluster, to an exposed frontend. */
static inline bool
pkt_is_from_outside(const struct pkt *p)
{
	return (p->flags & (PKT_INBOUND | PKT_OUTBOUND | PKT_DECAPPED)) == PKT_INBOUND &&
	       p->origin == ORIGIN_UPLINK;
}

/* It may answer a client outside: only the worker that would have the flow can tell. */
static inline bool
pkt_is_to_outside(const struct pkt *p)
{
	return (p->flags & PKT_INBOUND) && !pkt_is_from_outside(p);
}

/* From outside, to this node's masquerade address and a port that a pod's flow may have there, or by which a backend outside
 * knows a client outside. */
static inline bool
pkt_is_to_masquerade(const struct pkt *p)
{
	return (p->flags & PKT_OUTBOUND) && p->origin == ORIGIN_UPLINK;
}

static inline bool
pkt_is_translated(const struct pkt *p)
{
	return !ip_addr_eq(&p->src, &p->new_src) || !ip_addr_eq(&p->dst, &p->new_dst) ||
	       p->sport != p->new_sport || p->dport != p->new_dport;
}

#endif
