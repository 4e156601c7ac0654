#include "dataplane/net/icmp_quote.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

#define QUOTED_L4_MIN 8u      /* RFC 792 */
#define EXTENSIONS_MAX 4u     /* of a quoted IPv6 packet */
#define QUOTED_L4_TOUCHED 20u /* bytes behind the quoted IP header that rewriting may change: a TCP header */

/* RFC 8200 section 4: how each extension header starts */
struct extension {
	uint8_t next;
	uint8_t len; /* in units of 8 bytes, the first not counted */
} PACKED;

/* Bytes of the error's packet from an offset on. */
static unsigned
room_at(const struct pkt *p, unsigned off)
{
	unsigned end = (unsigned)p->l4_off + p->l4_len;

	return off < end ? end - off : 0;
}

static bool
read_v4(const struct pkt *p, struct icmp_quote *q)
{
	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(p->data + q->l3_off);
	unsigned header;

	if (room_at(p, q->l3_off) < sizeof(*ip))
		return false;
	header = (ip->version_ihl & 0xfu) * 4;
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) ||
		(be16_host(ip->frag) & IPV4_OFFSET_MASK) != 0)
		return false;
	q->src = ip_addr_v4(ip->src);
	q->dst = ip_addr_v4(ip->dst);
	q->proto = ip->proto;
	q->l4_off = (uint16_t)(q->l3_off + header);
	return true;
}

static bool
read_v6(const struct pkt *p, struct icmp_quote *q)
{
	const struct ipv6_hdr *ip = (const struct ipv6_hdr *)(p->data + q->l3_off);
	unsigned off = q->l3_off + (unsigned)sizeof(*ip);
	uint8_t next;

	if (room_at(p, q->l3_off) < sizeof(*ip) || be32_host(ip->version_class_flow) >> 28 != 6)
		return false;
	next = ip->next;
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		const struct extension *ext = (const struct extension *)(p->data + off);
		const struct ipv6_frag_hdr *frag = (const struct ipv6_frag_hdr *)ext;

		if (next != PROTO_HOPOPTS && next != PROTO_IPV6_ROUTE && next != PROTO_DSTOPTS &&
			next != PROTO_IPV6_FRAG)
			break;
		if (room_at(p, off) < 8)
			return false;
		if (next == PROTO_IPV6_FRAG && (be16_host(frag->offset_flags) & 0xfff8) != 0)
			return false;
		off += next == PROTO_IPV6_FRAG ? 8 : (ext->len + 1u) * 8;
		next = ext->next;
	}
	q->src = ip_addr_v6(ip->src);
	q->dst = ip_addr_v6(ip->dst);
	q->proto = next;
	q->l4_off = (uint16_t)off;
	/* as in parse: it would pass for an IPv4 address */
	return !ip_addr_is_v4(&q->src) && !ip_addr_is_v4(&q->dst);
}

static bool
is_transport(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

static bool
is_echo(uint8_t proto, uint8_t type)
{
	if (proto == PROTO_ICMP)
		return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY;
	return proto == PROTO_ICMPV6 && (type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY);
}

bool
icmp_quote_read_any(const struct pkt *p, struct icmp_quote *q)
{
	const struct icmp_hdr *icmp;
	const be16 *ports;

	q->l3_off = (uint16_t)(p->l4_off + sizeof(struct icmp_hdr));
	if ((p->flags & PKT_FRAGMENT) || !(p->family == 4 ? read_v4(p, q) : read_v6(p, q)))
		return false;
	if (room_at(p, q->l4_off) < QUOTED_L4_MIN)
		return false;
	q->sport = q->dport = 0;
	icmp = (const struct icmp_hdr *)(p->data + q->l4_off);
	ports = (const be16 *)icmp;
	if (is_transport(q->proto)) {
		q->sport = be16_host(ports[0]);
		q->dport = be16_host(ports[1]);
	} else if (is_echo(q->proto, icmp->type)) {
		q->sport = q->dport = be16_host(icmp->echo.id);
	}
	return true;
}

bool
icmp_quote_read(const struct pkt *p, struct icmp_quote *q)
{
	return icmp_quote_read_any(p, q) && is_transport(q->proto);
}

static bool
is_echo_request(const struct pkt *p, const struct icmp_quote *q)
{
	uint8_t type = p->data[q->l4_off];

	return p->family == 4 ? q->proto == PROTO_ICMP && type == ICMP_ECHO_REQUEST
			      : q->proto == PROTO_ICMPV6 && type == ICMPV6_ECHO_REQUEST;
}

bool
icmp_quote_read_flow(const struct pkt *p, struct icmp_quote *q)
{
	return icmp_quote_read_any(p, q) && (is_transport(q->proto) || is_echo_request(p, q));
}

static uint64_t
write_addrs(const struct pkt *p, const struct icmp_quote *q)
{
	bool v4 = p->family == 4;
	uint64_t delta = checksum_change_addr(0, &q->src, &p->new_dst, v4);

	delta = checksum_change_addr(delta, &q->dst, &p->new_src, v4);
	if (v4) {
		struct ipv4_hdr *ip = (struct ipv4_hdr *)(p->data + q->l3_off);

		ip->src = ip_addr_to_v4(&p->new_dst);
		ip->dst = ip_addr_to_v4(&p->new_src);
		ip->checksum = checksum_apply(ip->checksum, delta);
	} else {
		struct ipv6_hdr *ip = (struct ipv6_hdr *)(p->data + q->l3_off);

		memcpy(ip->src, p->new_dst.b, sizeof(ip->src));
		memcpy(ip->dst, p->new_src.b, sizeof(ip->dst));
	}
	return delta;
}

/* Of SCTP the quote is too short for its checksum, and nobody verifies it. delta: what the addresses do. */
static void
write_ports(const struct pkt *p, const struct icmp_quote *q, uint64_t delta)
{
	struct tcp_hdr *tcp = (struct tcp_hdr *)(p->data + q->l4_off);
	struct udp_hdr *udp = (struct udp_hdr *)tcp;
	be16 sport = be16_from(p->new_dport), dport = be16_from(p->new_sport);

	delta = checksum_change16(delta, udp->sport.raw, sport.raw);
	delta = checksum_change16(delta, udp->dport.raw, dport.raw);
	udp->sport = sport;
	udp->dport = dport;
	if (q->proto == PROTO_TCP && room_at(p, q->l4_off) >= offsetof(struct tcp_hdr, urgent)) {
		tcp->checksum = checksum_apply(tcp->checksum, delta);
	} else if (q->proto == PROTO_UDP && udp->checksum.raw != 0) {
		udp->checksum = checksum_apply(udp->checksum, delta);
		if (udp->checksum.raw == 0)
			udp->checksum.raw = 0xffff;
	}
}

/* Only ICMPv6 sums the addresses, too. */
static void
write_id(const struct pkt *p, const struct icmp_quote *q, uint64_t delta)
{
	struct icmp_hdr *icmp = (struct icmp_hdr *)(p->data + q->l4_off);
	be16 id = be16_from(p->new_dport);

	delta = checksum_change16(p->family == 4 ? 0 : delta, icmp->echo.id.raw, id.raw);
	icmp->echo.id = id;
	icmp->checksum = checksum_apply(icmp->checksum, delta);
}

/* Who complains from the way stays the error's source. Returns the change to the pseudo-header's sum. */
static uint64_t
put_source_back(const struct pkt *p)
{
	uint64_t delta = checksum_change_addr(0, &p->new_src, &p->src, p->family == 4);

	if (p->family == 4) {
		struct ipv4_hdr *ip = (struct ipv4_hdr *)(p->data + p->l3_off);

		ip->src = ip_addr_to_v4(&p->src);
		ip->checksum = checksum_apply(ip->checksum, delta);
	} else {
		memcpy(((struct ipv6_hdr *)(p->data + p->l3_off))->src, p->src.b, sizeof(p->src.b));
	}
	return delta;
}

void
icmp_quote_write(struct pkt *p, uint64_t delta)
{
	struct icmp_hdr *icmp = (struct icmp_hdr *)(p->data + p->l4_off);
	const uint8_t *quoted;
	struct icmp_quote q;
	unsigned touched;
	uint64_t quoted_delta;
	uint16_t before;

	if (!icmp_quote_read_flow(p, &q))
		return;
	quoted = p->data + q.l3_off;
	touched = room_at(p, q.l4_off);
	touched = q.l4_off - q.l3_off + (touched < QUOTED_L4_TOUCHED ? touched : QUOTED_L4_TOUCHED);
	before = checksum_fold(checksum_add(0, quoted, touched));
	quoted_delta = write_addrs(p, &q);
	if (is_transport(q.proto))
		write_ports(p, &q, quoted_delta);
	else
		write_id(p, &q, quoted_delta);
	if (p->flags & PKT_KEEP_SOURCE)
		delta += put_source_back(p);
	if (p->family == 4)
		delta = 0;
	delta = checksum_change16(delta, before, checksum_fold(checksum_add(0, quoted, touched)));
	icmp->checksum = checksum_apply(icmp->checksum, delta);
}
