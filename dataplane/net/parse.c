#include "dataplane/net/parse.h"

#include <rte_prefetch.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/flow_key.h"
#include "dataplane/net/headers.h"
#include "dataplane/overlay/fdb_table.h"
#include "dataplane/stages.h"

/* Packets ahead of the one in hand whose headers are on their way into the cache. */
#define PREFETCH_AHEAD 4

enum {
	ETH_TYPE_SERVICE_VLAN = 0x88a8, /* IEEE 802.1ad */
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMPV6_FIRST_INFORMATIONAL = 128, /* RFC 4443 section 2.1: errors are below */
};

/* RFC 8200 section 4: the start of each extension header that has a length */
struct ipv6_ext_hdr {
	uint8_t next;
	uint8_t len; /* in units of 8 bytes, the first not counted; AH: of 4 bytes, the first two not counted
		      */
	uint8_t routing_type;
	uint8_t segments_left;
} PACKED;

static bool
is_from_wire(const struct pkt *p)
{
	return p->origin == ORIGIN_UPLINK;
}

/* What arrived and what shall become of it are stored side by side: to copy one to the other later would read
 * wider than was stored, and wait for the stores. */
static inline void
set_addrs(struct pkt *p, struct ip_addr src, struct ip_addr dst)
{
	p->src = p->new_src = src;
	p->dst = p->new_dst = dst;
}

static inline void
note_link(struct pkt *p, bool may_be_for_link)
{
	if (__builtin_expect(may_be_for_link, 0))
		p->flags |= PKT_TO_LINK;
}

static inline void
set_ports(struct pkt *p, uint16_t sport, uint16_t dport)
{
	p->sport = p->new_sport = sport;
	p->dport = p->new_dport = dport;
}

/* Whether a complete checksum was left to hardware that we stand in for: the field then holds the sum of the
 * pseudo-header alone, not inverted. A complete one may by chance look the same; completing it again does no
 * harm. */
static void
note_partial_checksum(struct pkt *p, be16 field, unsigned covered)
{
	uint64_t sum;

	if (!(p->flags & PKT_TRUST_CHECKSUM) || (p->flags & PKT_FRAGMENT))
		return;
	sum = checksum_pseudo(&p->src, &p->dst, p->family == 4, p->proto, covered);
	if (field.raw == checksum_fold(sum))
		p->flags |= PKT_CHECKSUM_PARTIAL;
}

static enum drop_reason
parse_tcp(struct pkt *p)
{
	const struct tcp_hdr *tcp = (const struct tcp_hdr *)(p->data + p->l4_off);
	unsigned header;

	if (p->l4_len < sizeof(*tcp))
		return DROP_TRUNCATED;
	header = (tcp->data_off >> 4) * 4u;
	if (header < sizeof(*tcp))
		return DROP_MALFORMED;
	if (header > p->l4_len)
		return DROP_TRUNCATED;
	set_ports(p, be16_host(tcp->sport), be16_host(tcp->dport));
	p->tcp_flags = tcp->flags;
	note_partial_checksum(p, tcp->checksum, p->l4_len);
	return DROP_NONE;
}

static enum drop_reason
parse_udp(struct pkt *p)
{
	const struct udp_hdr *udp = (const struct udp_hdr *)(p->data + p->l4_off);
	unsigned len;

	if (p->l4_len < sizeof(*udp))
		return DROP_TRUNCATED;
	len = be16_host(udp->len);
	if (len < sizeof(*udp))
		return DROP_MALFORMED;
	if (len > p->l4_len && !(p->flags & PKT_FRAGMENT))
		return DROP_TRUNCATED;
	set_ports(p, be16_host(udp->sport), be16_host(udp->dport));
	if (udp->checksum.raw != 0)
		note_partial_checksum(p, udp->checksum, len);
	return DROP_NONE;
}

static enum drop_reason
parse_sctp(struct pkt *p)
{
	const struct sctp_hdr *sctp = (const struct sctp_hdr *)(p->data + p->l4_off);

	if (p->l4_len < sizeof(*sctp))
		return DROP_TRUNCATED;
	set_ports(p, be16_host(sctp->sport), be16_host(sctp->dport));
	/* a sender that leaves the CRC to hardware leaves the field zero */
	if (sctp->crc32c.raw == 0 && (p->flags & (PKT_TRUST_CHECKSUM | PKT_FRAGMENT)) == PKT_TRUST_CHECKSUM)
		p->flags |= PKT_CHECKSUM_PARTIAL;
	return DROP_NONE;
}

static enum drop_reason
parse_icmp(struct pkt *p)
{
	const struct icmp_hdr *icmp = (const struct icmp_hdr *)(p->data + p->l4_off);
	bool is_error, is_echo;

	if (p->l4_len < sizeof(*icmp))
		return DROP_TRUNCATED;
	p->tcp_flags = icmp->type;
	if (p->proto == PROTO_ICMPV6) {
		is_error = icmp->type < ICMPV6_FIRST_INFORMATIONAL;
		is_echo = icmp->type == ICMPV6_ECHO_REQUEST || icmp->type == ICMPV6_ECHO_REPLY;
	} else {
		is_error = icmp->type == ICMP_UNREACHABLE || icmp->type == ICMP_SOURCE_QUENCH ||
			   icmp->type == ICMP_REDIRECT || icmp->type == ICMP_TIME_EXCEEDED ||
			   icmp->type == ICMP_PARAMETER_PROBLEM;
		is_echo = icmp->type == ICMP_ECHO_REQUEST || icmp->type == ICMP_ECHO_REPLY;
	}
	if (is_error)
		p->flags |= PKT_ICMP_ERROR;
	if (p->proto == PROTO_ICMPV6 && icmp->type >= ICMPV6_ND_FIRST && icmp->type <= ICMPV6_ND_LAST)
		p->flags |= PKT_TO_LINK;
	if (is_echo)
		set_ports(p, be16_host(icmp->echo.id), be16_host(icmp->echo.id));
	return DROP_NONE;
}

/* With src, dst, family, proto, l4_off, l4_len and the fragment flags in place. */
static inline __attribute__((always_inline)) enum drop_reason
parse_l4(struct pkt *p)
{
	if (p->flags & PKT_LATER_FRAGMENT)
		return DROP_NONE;
	switch (p->proto) {
	case PROTO_TCP:
		return parse_tcp(p);
	case PROTO_UDP:
		return parse_udp(p);
	case PROTO_SCTP:
		return parse_sctp(p);
	case PROTO_ICMP:
		return p->family == 4 ? parse_icmp(p) : DROP_NONE;
	case PROTO_ICMPV6:
		return p->family == 6 ? parse_icmp(p) : DROP_NONE;
	default:
		return DROP_NONE;
	}
}

/* Where in its datagram a fragment belongs; offset in bytes. */
static enum drop_reason
note_fragment(struct pkt *p, unsigned offset, bool has_more, unsigned payload)
{
	if (offset == 0 && !has_more)
		return DROP_NONE;
	if (has_more && payload % 8 != 0)
		return DROP_MALFORMED;
	if (offset + payload > UINT16_MAX)
		return DROP_MALFORMED;
	/* a second piece that would overwrite the first one's ports and flags (RFC 1858 section 3.2) */
	if (offset != 0 && offset < sizeof(struct tcp_hdr) && p->proto == PROTO_TCP)
		return DROP_MALFORMED;
	p->flags |= offset == 0 ? PKT_FRAGMENT : PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	return DROP_NONE;
}

static enum drop_reason
parse_ipv4(struct pkt *p)
{
	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(p->data + p->l3_off);
	unsigned room = p->len - p->l3_off;
	unsigned header, total, frag;
	enum drop_reason reason;

	if (room < sizeof(*ip))
		return DROP_TRUNCATED;
	header = (ip->version_ihl & 0xfu) * 4;
	total = be16_host(ip->total_len);
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || total < header)
		return DROP_MALFORMED;
	if (total > room)
		return DROP_TRUNCATED;
	if (is_from_wire(p) && !checksum_ipv4_is_valid(ip))
		return DROP_MALFORMED;
	p->len = (uint16_t)(p->l3_off + total);
	p->family = 4;
	p->proto = ip->proto;
	p->ttl = ip->ttl;
	p->l4_off = (uint16_t)(p->l3_off + header);
	p->l4_len = (uint16_t)(total - header);
	set_addrs(p, ip_addr_v4(ip->src), ip_addr_v4(ip->dst));
	note_link(p, p->dst.b[12] >= 0xe0 || p->dst.b[12] == 169); /* multicast, broadcast, 169.254/16 */
	frag = be16_host(ip->frag);
	if (frag & IPV4_DONT_FRAGMENT)
		p->flags |= PKT_DONT_FRAGMENT;
	reason =
		note_fragment(p, (frag & IPV4_OFFSET_MASK) * 8, (frag & IPV4_MORE_FRAGMENTS) != 0, p->l4_len);
	return reason == DROP_NONE ? parse_l4(p) : reason;
}

/* Follows the extension headers up to the transport header, an unknown one, or the payload of a later
 * fragment. */
static enum drop_reason
parse_ipv6_extensions(struct pkt *p, uint8_t next)
{
	const struct ipv6_frag_hdr *frag = NULL;
	unsigned off = p->l4_off;

	for (unsigned i = 0;; i++) {
		const struct ipv6_ext_hdr *ext = (const struct ipv6_ext_hdr *)(p->data + off);
		unsigned size;

		switch (next) {
		case PROTO_HOPOPTS:
		case PROTO_IPV6_ROUTE:
		case PROTO_IPV6_FRAG:
		case PROTO_AH:
		case PROTO_DSTOPTS:
			break;
		default:
			goto transport;
		}
		if (frag != NULL && (be16_host(frag->offset_flags) & 0xfff8) != 0)
			goto transport;
		if (i == IPV6_EXTENSIONS_MAX)
			return DROP_IPV6_EXTENSIONS;
		if (p->len - off < 8)
			return DROP_TRUNCATED;
		/* RFC 8200 section 4.1: hop-by-hop options come first, a fragment header once */
		if ((next == PROTO_HOPOPTS && i != 0) || (next == PROTO_IPV6_FRAG && frag != NULL))
			return DROP_MALFORMED;
		/* the packet's real destination is elsewhere (RFC 5095) */
		if (next == PROTO_IPV6_ROUTE && ext->segments_left != 0)
			return DROP_IPV6_EXTENSIONS;
		size = 8;
		if (next == PROTO_IPV6_FRAG)
			frag = (const struct ipv6_frag_hdr *)ext;
		else if (next == PROTO_AH)
			size = (ext->len + 2u) * 4;
		else
			size = (ext->len + 1u) * 8;
		if (size > p->len - off)
			return DROP_TRUNCATED;
		next = ext->next;
		off += size;
	}
transport:
	p->proto = next;
	p->l4_off = (uint16_t)off;
	p->l4_len = (uint16_t)(p->len - off);
	if (frag == NULL)
		return DROP_NONE;
	return note_fragment(p, be16_host(frag->offset_flags) & 0xfff8,
		(be16_host(frag->offset_flags) & 1) != 0,
		(unsigned)(p->data + p->len - (const uint8_t *)(frag + 1)));
}

static enum drop_reason
parse_ipv6(struct pkt *p)
{
	const struct ipv6_hdr *ip = (const struct ipv6_hdr *)(p->data + p->l3_off);
	unsigned room = p->len - p->l3_off;
	unsigned total;
	enum drop_reason reason;

	if (room < sizeof(*ip))
		return DROP_TRUNCATED;
	if (be32_host(ip->version_class_flow) >> 28 != 6)
		return DROP_MALFORMED;
	total = (unsigned)sizeof(*ip) + be16_host(ip->payload_len);
	if (total > room)
		return DROP_TRUNCATED;
	p->len = (uint16_t)(p->l3_off + total);
	p->family = 6;
	p->ttl = ip->hop_limit;
	p->l4_off = (uint16_t)(p->l3_off + sizeof(*ip));
	set_addrs(p, ip_addr_v6(ip->src), ip_addr_v6(ip->dst));
	/* a v4-mapped address on the wire would pass for an IPv4 one in every table (RFC 4291 section 2.5.5.2
	 * is about sockets, not packets) */
	if (ip_addr_is_v4(&p->src) || ip_addr_is_v4(&p->dst))
		return DROP_MALFORMED;
	p->flags |= PKT_DONT_FRAGMENT;
	note_link(p, p->dst.b[0] >= 0xfe); /* multicast, fe80::/10 */
	reason = parse_ipv6_extensions(p, ip->next);
	return reason == DROP_NONE ? parse_l4(p) : reason;
}

static enum drop_reason
parse_arp(struct pkt *p)
{
	const struct arp_hdr *arp = (const struct arp_hdr *)(p->data + p->l3_off);

	if ((unsigned)p->len - p->l3_off < sizeof(*arp))
		return DROP_TRUNCATED;
	if (be16_host(arp->hw_type) != 1 || be16_host(arp->proto_type) != ETH_TYPE_IPV4 || arp->hw_len != 6 ||
		arp->proto_len != 4)
		return DROP_MALFORMED;
	p->family = 0;
	p->flags |= PKT_TO_LINK;
	p->proto = 0;
	p->ttl = 0;
	p->tcp_flags = (uint8_t)(be16_host(arp->op) > UINT8_MAX ? 0 : be16_host(arp->op));
	p->l4_off = (uint16_t)(p->l3_off + sizeof(*arp));
	p->l4_len = 0;
	p->len = p->l4_off;
	set_addrs(p, ip_addr_v4(arp->sender_ip), ip_addr_v4(arp->target_ip));
	return DROP_NONE;
}

static enum drop_reason
parse_frame(struct pkt *p)
{
	const struct eth_hdr *eth = (const struct eth_hdr *)p->data;
	uint16_t type;

	if (p->len < sizeof(*eth))
		return DROP_TRUNCATED;
	type = be16_host(eth->type);
	p->l3_off = sizeof(*eth);
	note_link(p, eth->dst.b[0] & 1);
	if (type == ETH_TYPE_VLAN && is_from_wire(p) && !(p->flags & PKT_DECAPPED)) {
		const struct vlan_hdr *vlan = (const struct vlan_hdr *)(eth + 1);

		if (p->len < sizeof(*eth) + sizeof(*vlan))
			return DROP_TRUNCATED;
		type = be16_host(vlan->type);
		p->l3_off = sizeof(*eth) + sizeof(*vlan);
	}
	switch (type) {
	case ETH_TYPE_IPV4:
		return parse_ipv4(p);
	case ETH_TYPE_IPV6:
		return parse_ipv6(p);
	case ETH_TYPE_ARP:
		return parse_arp(p);
	case ETH_TYPE_VLAN:
	case ETH_TYPE_SERVICE_VLAN:
		return DROP_VLAN;
	default:
		return DROP_ETHERTYPE;
	}
}

void
parse_pkt(struct pkt *p)
{
	enum drop_reason reason;

	set_ports(p, 0, 0);
	p->tcp_flags = 0;
	p->hash = 0;
	p->drop_reason = DROP_NONE;
	p->reply = REPLY_NONE;
	p->out_port = 0;
	p->mtu = 0;
	p->vtep = FDB_NONE;
	p->next_hop = (struct mac_addr){ 0 };
	reason = parse_frame(p);
	if (reason != DROP_NONE) {
		pkt_drop(p, reason);
		return;
	}
	/* of an outer header nobody asks */
	if (!is_from_wire(p) || (p->flags & PKT_DECAPPED))
		p->hash = flow_hash(&p->src, &p->dst, p->sport, p->dport, p->proto);
}

void
parse_burst(struct burst *b)
{
	unsigned n = b->n < PREFETCH_AHEAD ? b->n : PREFETCH_AHEAD;
	const struct pkt *ahead = b->pkts + n, *end = b->pkts + b->n;
	uint32_t seen = 0;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(b->pkts[i].data);
	BURST_FOREACH (b, p) {
		if (ahead < end)
			rte_prefetch0(ahead++->data);
		if (p->verdict == VERDICT_CONTINUE)
			parse_pkt(p);
		seen |= p->flags | burst_origin(p);
	}
	b->seen = seen;
}
