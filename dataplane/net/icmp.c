#include "dataplane/net/icmp.h"

#include "dataplane/io/umem.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

#define ERROR_MAX_V4 576u
#define ERROR_MAX_V6 1280u

enum {
	TOS_INTERNETWORK_CONTROL = 0xc0, /* RFC 1812 section 4.3.2.5 */
	ICMPV6_CODE_PORT_UNREACHABLE = 4,
};

/* REPLY_TOO_BIG also carries the MTU. */
static const struct {
	uint8_t type, code;
} errors_v4[] = {
	[REPLY_TOO_BIG] = { ICMP_UNREACHABLE, ICMP_CODE_FRAG_NEEDED },
	[REPLY_TTL] = { ICMP_TIME_EXCEEDED, 0 },
	[REPLY_UNREACHABLE] = { ICMP_UNREACHABLE, ICMP_CODE_PORT_UNREACHABLE },
}, errors_v6[] = {
	[REPLY_TOO_BIG] = { ICMPV6_PACKET_TOO_BIG, 0 },
	[REPLY_TTL] = { ICMPV6_TIME_EXCEEDED, 0 },
	[REPLY_UNREACHABLE] = { ICMPV6_UNREACHABLE, ICMPV6_CODE_PORT_UNREACHABLE },
};

bool
icmp_may_answer(const struct pkt *p)
{
	if (p->flags & (PKT_ICMP_ERROR | PKT_LATER_FRAGMENT))
		return false;
	if (p->family == 4 && ip_addr_to_v4(&p->src).raw == 0)
		return false;
	return !ip_addr_is_none(&p->src) && !ip_addr_is_multicast(&p->src) && !ip_addr_is_multicast(&p->dst);
}

/* Moves the packet's start so that its IP header has header_len bytes and an Ethernet header in front. */
static bool
open_front(struct pkt *p, unsigned header_len)
{
	uint8_t *ip = p->data + p->l3_off;
	uint8_t *frame = umem_frame(p->umem, p->data);

	if ((size_t)(ip - frame) < header_len + sizeof(struct eth_hdr))
		return false;
	p->data = ip - header_len - sizeof(struct eth_hdr);
	p->l3_off = sizeof(struct eth_hdr);
	return true;
}

static bool
build_v4(struct pkt *p, const struct ip_addr *source)
{
	unsigned quoted = p->len - p->l3_off;
	struct ipv4_hdr *ip;
	struct icmp_hdr *icmp;
	unsigned total;

	if (quoted > ERROR_MAX_V4 - sizeof(*ip) - sizeof(*icmp))
		quoted = ERROR_MAX_V4 - sizeof(*ip) - sizeof(*icmp);
	if (!open_front(p, sizeof(*ip) + sizeof(*icmp)))
		return false;
	total = (unsigned)sizeof(*ip) + (unsigned)sizeof(*icmp) + quoted;
	ip = (struct ipv4_hdr *)(p->data + p->l3_off);
	icmp = (struct icmp_hdr *)(ip + 1);
	*ip = (struct ipv4_hdr){
		.version_ihl = 0x45,
		.tos = TOS_INTERNETWORK_CONTROL,
		.total_len = be16_from((uint16_t)total),
		.frag = be16_from(IPV4_DONT_FRAGMENT), /* so the identification may be 0 (RFC 6864) */
		.ttl = OWN_TTL,
		.proto = PROTO_ICMP,
		.src = ip_addr_to_v4(source),
		.dst = ip_addr_to_v4(&p->src),
	};
	ip->checksum = checksum_ipv4(ip);
	*icmp = (struct icmp_hdr){ .type = errors_v4[p->reply].type, .code = errors_v4[p->reply].code };
	if (p->reply == REPLY_TOO_BIG)
		icmp->frag_needed.mtu = be16_from(p->mtu);
	icmp->checksum = checksum_finish(checksum_add(0, icmp, total - (unsigned)sizeof(*ip)));
	p->len = (uint16_t)(p->l3_off + total);
	return true;
}

static bool
build_v6(struct pkt *p, const struct ip_addr *source)
{
	unsigned quoted = p->len - p->l3_off;
	struct ipv6_hdr *ip;
	struct icmp_hdr *icmp;
	unsigned payload;

	if (quoted > ERROR_MAX_V6 - sizeof(*ip) - sizeof(*icmp))
		quoted = ERROR_MAX_V6 - sizeof(*ip) - sizeof(*icmp);
	if (!open_front(p, sizeof(*ip) + sizeof(*icmp)))
		return false;
	payload = (unsigned)sizeof(*icmp) + quoted;
	ip = (struct ipv6_hdr *)(p->data + p->l3_off);
	icmp = (struct icmp_hdr *)(ip + 1);
	*ip = (struct ipv6_hdr){
		.version_class_flow = be32_from(UINT32_C(6) << 28),
		.payload_len = be16_from((uint16_t)payload),
		.next = PROTO_ICMPV6,
		.hop_limit = OWN_TTL,
	};
	memcpy(ip->src, source->b, sizeof(ip->src));
	memcpy(ip->dst, p->src.b, sizeof(ip->dst));
	*icmp = (struct icmp_hdr){ .type = errors_v6[p->reply].type, .code = errors_v6[p->reply].code };
	if (p->reply == REPLY_TOO_BIG)
		icmp->mtu6 = be32_from(p->mtu);
	icmp->checksum = checksum_finish(
		checksum_add(checksum_pseudo(source, &p->src, false, PROTO_ICMPV6, payload), icmp, payload));
	p->len = (uint16_t)(p->l3_off + sizeof(*ip) + payload);
	return true;
}

bool
icmp_build_error(struct pkt *p, const struct ip_addr *source)
{
	return p->family == 4 ? build_v4(p, source) : build_v6(p, source);
}

/* Swapping the addresses changes no sum; changing the type does. */
void
icmp_build_echo_reply(struct pkt *p)
{
	struct icmp_hdr *icmp = (struct icmp_hdr *)(p->data + p->l4_off);
	uint8_t reply_type = p->family == 4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;

	if (p->family == 4) {
		struct ipv4_hdr *ip = (struct ipv4_hdr *)(p->data + p->l3_off);

		ip->src = ip_addr_to_v4(&p->dst);
		ip->dst = ip_addr_to_v4(&p->src);
		ip->ttl = OWN_TTL;
		ip->checksum = checksum_ipv4(ip);
	} else {
		struct ipv6_hdr *ip = (struct ipv6_hdr *)(p->data + p->l3_off);

		memcpy(ip->src, p->dst.b, sizeof(ip->src));
		memcpy(ip->dst, p->src.b, sizeof(ip->dst));
		ip->hop_limit = OWN_TTL;
	}
	/* the type is the first byte of its 16-bit word */
	icmp->checksum = checksum_apply(icmp->checksum, checksum_change16(0, icmp->type, reply_type));
	icmp->type = reply_type;
}
