#include "dataplane/net/refuse.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp.h"

#define DATA_OFFSET_BARE (sizeof(struct tcp_hdr) / 4 << 4)

void
pkt_refuse(struct pkt *p, enum drop_reason reason)
{
	bool is_tcp = p->proto == PROTO_TCP;

	if (!icmp_may_answer(p) || (is_tcp && (p->tcp_flags & TCP_RST)))
		pkt_drop(p, reason);
	else
		pkt_reply(p, is_tcp ? REPLY_RESET : REPLY_UNREACHABLE);
	p->drop_reason = (uint8_t)reason;
}

/* What the segment takes of the sequence space (SEG.LEN). */
static uint32_t
segment_len(const struct pkt *p, const struct tcp_hdr *tcp)
{
	return (uint32_t)p->l4_len - (tcp->data_off >> 4) * 4u + ((tcp->flags & TCP_SYN) != 0) +
	       ((tcp->flags & TCP_FIN) != 0);
}

static struct tcp_hdr
reset_of(const struct pkt *p, const struct tcp_hdr *tcp)
{
	struct tcp_hdr reset = {
		.sport = tcp->dport,
		.dport = tcp->sport,
		.data_off = DATA_OFFSET_BARE,
		.flags = TCP_RST,
	};

	if (tcp->flags & TCP_ACK) {
		reset.seq = tcp->ack;
	} else {
		reset.ack = be32_from(be32_host(tcp->seq) + segment_len(p, tcp));
		reset.flags |= TCP_ACK;
	}
	reset.checksum = checksum_finish(
		checksum_add(checksum_pseudo(&p->dst, &p->src, p->family == 4, PROTO_TCP, sizeof(reset)),
			&reset, sizeof(reset)));
	return reset;
}

void
reset_build(struct pkt *p)
{
	struct tcp_hdr reset = reset_of(p, (const struct tcp_hdr *)(p->data + p->l4_off));
	uint8_t *l3 = p->data + p->l3_off;

	if (p->family == 4) {
		struct ipv4_hdr *ip = (struct ipv4_hdr *)l3;

		*ip = (struct ipv4_hdr){
			.version_ihl = 0x45,
			.total_len = be16_from(sizeof(*ip) + sizeof(reset)),
			.frag = be16_from(IPV4_DONT_FRAGMENT), /* so the identification may be 0 (RFC 6864) */
			.ttl = OWN_TTL,
			.proto = PROTO_TCP,
			.src = ip_addr_to_v4(&p->dst),
			.dst = ip_addr_to_v4(&p->src),
		};
		ip->checksum = checksum_ipv4(ip);
		p->l4_off = (uint16_t)(p->l3_off + sizeof(*ip));
	} else {
		struct ipv6_hdr *ip = (struct ipv6_hdr *)l3;

		*ip = (struct ipv6_hdr){
			.version_class_flow = be32_from(UINT32_C(6) << 28),
			.payload_len = be16_from(sizeof(reset)),
			.next = PROTO_TCP,
			.hop_limit = OWN_TTL,
		};
		memcpy(ip->src, p->dst.b, sizeof(ip->src));
		memcpy(ip->dst, p->src.b, sizeof(ip->dst));
		p->l4_off = (uint16_t)(p->l3_off + sizeof(*ip));
	}
	memcpy(p->data + p->l4_off, &reset, sizeof(reset));
	p->len = (uint16_t)(p->l4_off + sizeof(reset));
}
