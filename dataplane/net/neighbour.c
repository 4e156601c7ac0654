#include "dataplane/net/neighbour.h"

#include "dataplane/io/umem.h"
#include "dataplane/net/checksum.h"

enum {
	ND_HOP_LIMIT = 255, /* proof that no router was in between */
	ND_OPTION_TARGET_MAC = 2,
};

/* Router, solicited, override (RFC 4861 section 4.4) */
#define ND_ADVERTISEMENT_FLAGS 0xe0000000u

/* A solicitation, and with the option an advertisement, from the ICMPv6 header on */
struct nd_message {
	struct icmp_hdr icmp;
	struct nd_target target;
	uint8_t option;
	uint8_t option_len; /* in units of 8 bytes */
	struct mac_addr mac;
} PACKED;
static_assert(sizeof(struct nd_message) == 32, "wire size");

bool
neighbour_solicited(const struct pkt *p, struct ip_addr *target)
{
	const struct nd_message *nd = (const struct nd_message *)(p->data + p->l4_off);

	if (p->tcp_flags != ICMPV6_NEIGHBOUR_SOLICITATION || (p->flags & PKT_FRAGMENT))
		return false;
	if (p->l4_len < offsetof(struct nd_message, option) || nd->icmp.code != 0 || p->ttl != ND_HOP_LIMIT)
		return false;
	/* the unspecified source checks whether its own address is taken, which is no question to us */
	if (ip_addr_is_none(&p->src))
		return false;
	*target = ip_addr_v6(nd->target.target);
	return true;
}

void
neighbour_build_arp_reply(struct pkt *p, const struct mac_addr *mac)
{
	struct arp_hdr *arp = (struct arp_hdr *)(p->data + p->l3_off);
	be32 asked = arp->target_ip;

	arp->op = be16_from(ARP_REPLY);
	arp->target_mac = arp->sender_mac;
	arp->target_ip = arp->sender_ip;
	arp->sender_mac = *mac;
	arp->sender_ip = asked;
}

bool
neighbour_build_advertisement(struct pkt *p, const struct mac_addr *mac)
{
	struct ipv6_hdr *ip = (struct ipv6_hdr *)(p->data + p->l3_off);
	struct nd_message *nd = (struct nd_message *)(ip + 1);
	const uint8_t *frame_end = umem_frame(p->umem, p->data) + p->umem->frame_size;
	struct ip_addr target;

	if ((const uint8_t *)(nd + 1) > frame_end)
		return false;
	/* behind extension headers the target lies further back; the answer has none */
	target = ip_addr_v6(((const struct nd_message *)(p->data + p->l4_off))->target.target);
	*ip = (struct ipv6_hdr){
		.version_class_flow = be32_from(UINT32_C(6) << 28),
		.payload_len = be16_from(sizeof(*nd)),
		.next = PROTO_ICMPV6,
		.hop_limit = ND_HOP_LIMIT,
	};
	memcpy(ip->src, target.b, sizeof(ip->src));
	memcpy(ip->dst, p->src.b, sizeof(ip->dst));
	*nd = (struct nd_message){
		.icmp = { .type = ICMPV6_NEIGHBOUR_ADVERTISEMENT, .rest = be32_from(ND_ADVERTISEMENT_FLAGS) },
		.option = ND_OPTION_TARGET_MAC,
		.option_len = 1,
		.mac = *mac,
	};
	memcpy(nd->target.target, target.b, sizeof(target.b));
	nd->icmp.checksum = checksum_finish(checksum_add(
		checksum_pseudo(&target, &p->src, false, PROTO_ICMPV6, sizeof(*nd)), nd, sizeof(*nd)));
	p->len = (uint16_t)(p->l3_off + sizeof(*ip) + sizeof(*nd));
	return true;
}
