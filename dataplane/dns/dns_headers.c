#include "dataplane/dns/dns_headers.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp.h"

/* All of the header's words that are always the same. */
#define WORDS_V4 (0x4500u + IPV4_DONT_FRAGMENT + (OWN_TTL << 8 | PROTO_UDP))

/* Its sum is of what is written: reading that back would wait for its parts to be written. */
static be16
checksum_v4(const struct pkt *p, be16 total_len)
{
	uint64_t sum = be16_from(WORDS_V4).raw;

	static_assert(WORDS_V4 <= 0xffff, "no carry");
	sum = checksum_add_addr(checksum_add_addr(sum, &p->src, true), &p->dst, true);
	return checksum_finish(sum + total_len.raw);
}

static uint8_t *
build_v4(const struct pkt *p, uint8_t *l4)
{
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(l4 - sizeof(*ip));
	be16 total_len = be16_from((uint16_t)(sizeof(*ip) + p->l4_len));

	*ip = (struct ipv4_hdr){
		.version_ihl = 0x45,
		.total_len = total_len,
		.frag = be16_from(IPV4_DONT_FRAGMENT), /* so the identification may be 0 (RFC 6864) */
		.ttl = OWN_TTL,
		.proto = PROTO_UDP,
		.checksum = checksum_v4(p, total_len),
		.src = ip_addr_to_v4(&p->dst),
		.dst = ip_addr_to_v4(&p->src),
	};
	return (uint8_t *)ip;
}

static uint8_t *
build_v6(const struct pkt *p, uint8_t *l4)
{
	struct ipv6_hdr *ip = (struct ipv6_hdr *)(l4 - sizeof(*ip));

	*ip = (struct ipv6_hdr){
		.version_class_flow = be32_from(UINT32_C(6) << 28),
		.payload_len = be16_from(p->l4_len),
		.next = PROTO_UDP,
		.hop_limit = OWN_TTL,
	};
	memcpy(ip->src, p->dst.b, sizeof(ip->src));
	memcpy(ip->dst, p->src.b, sizeof(ip->dst));
	return (uint8_t *)ip;
}

void
dns_headers_build(struct pkt *p)
{
	bool is_v4 = p->family == 4;
	struct udp_hdr *udp = (struct udp_hdr *)(p->data + p->l4_off);
	uint8_t *l3 = is_v4 ? build_v4(p, (uint8_t *)udp) : build_v6(p, (uint8_t *)udp);
	uint64_t sum = checksum_pseudo(&p->dst, &p->src, is_v4, PROTO_UDP, p->l4_len);

	*udp = (struct udp_hdr){
		.sport = be16_from(p->dport),
		.dport = be16_from(p->sport),
		.len = be16_from(p->l4_len),
	};
	/* the header's own share is added as it is known: reading it back would wait for its parts to be written */
	sum += (uint64_t)udp->sport.raw + udp->dport.raw + udp->len.raw;
	udp->checksum = checksum_finish_udp(checksum_add(sum, udp + 1, p->l4_len - (unsigned)sizeof(*udp)));
	p->data = l3 - sizeof(struct eth_hdr);
	p->l3_off = sizeof(struct eth_hdr);
	p->l4_off = (uint16_t)((uint8_t *)udp - p->data);
	p->len = (uint16_t)(p->l4_off + p->l4_len);
}
