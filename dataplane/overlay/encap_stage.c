/* VXLAN (RFC 7348) in front of what goes to another node. The outer source port carries the inner flow's
 * entropy, so that the underlay spreads flows over its paths; ECN is copied outwards (RFC 6040 section 4.1),
 * DSCP is not. The outer packet is never cut (DF): the way's MTU was minded before. Over IPv6 the outer UDP
 * checksum is a valid one, over IPv4 none. */
#include "dataplane/io/umem.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp.h"
#include "dataplane/overlay/vxlan.h"
#include "dataplane/stages.h"
#include "dataplane/worker.h"

/* From the UDP header on; the same behind both families' headers. */
struct tunnel_hdr {
	struct udp_hdr udp;
	struct vxlan_hdr vxlan;
} PACKED;

struct outer_v4 {
	struct eth_hdr eth;
	struct ipv4_hdr ip;
	struct tunnel_hdr tunnel;
} PACKED;
static_assert(sizeof(struct outer_v4) == VXLAN_OUTER_V4, "wire size");

struct outer_v6 {
	struct eth_hdr eth;
	struct ipv6_hdr ip;
	struct tunnel_hdr tunnel;
} PACKED;
static_assert(sizeof(struct outer_v6) == VXLAN_OUTER_V6, "wire size");

/* The inner packet's ECN bits. */
static uint8_t
inner_ecn(const struct pkt *p)
{
	const uint8_t *ip = p->data + sizeof(struct eth_hdr);

	return (p->family == 4 ? ip[1] : ip[1] >> 4) & 3;
}

/* What all outer headers of this node have in common, made once per burst. A header is copied from here in a
 * few wide moves and then patched: built field by field, its wide reads (the copy, the checksum) would wait
 * for the narrow writes before them, which costs more than all the rest. */
struct outer_template {
	struct outer_v4 v4;
	struct outer_v6 v6;
	uint64_t v4_sum; /* of the IPv4 header, less what varies */
};

static void
make_tunnel_header(const struct node_table *node, struct tunnel_hdr *tunnel)
{
	*tunnel = (struct tunnel_hdr){
		.udp = { .dport = be16_from(node->vxlan_port) },
		.vxlan = { .flags = be32_from(VXLAN_FLAG_VNI), .vni = be32_from(node->vni << 8) },
	};
}

static void
make_template(const struct node_table *node, struct outer_template *o)
{
	o->v4 = (struct outer_v4){
		.eth = { .src = node->uplink_mac, .type = be16_from(ETH_TYPE_IPV4) },
		.ip = { .version_ihl = 0x45,
			.frag = be16_from(IPV4_DONT_FRAGMENT),
			.ttl = OWN_TTL,
			.proto = PROTO_UDP,
			.src = ip_addr_to_v4(&node->vtep) },
	};
	o->v6 = (struct outer_v6){
		.eth = { .src = node->uplink_mac, .type = be16_from(ETH_TYPE_IPV6) },
		.ip = { .next = PROTO_UDP, .hop_limit = OWN_TTL },
	};
	memcpy(o->v6.ip.src, node->vtep.b, sizeof(o->v6.ip.src));
	make_tunnel_header(node, &o->v4.tunnel);
	make_tunnel_header(node, &o->v6.tunnel);
	o->v4_sum = checksum_add(0, &o->v4.ip, sizeof(o->v4.ip));
}

static inline void
patch_udp(struct udp_hdr *udp, const struct pkt *p, unsigned len)
{
	udp->sport = be16_from((uint16_t)(VXLAN_SPORT_FIRST | (p->hash & VXLAN_SPORT_MASK)));
	udp->len = be16_from((uint16_t)len);
}

static void
push_v4(const struct outer_template *o, const struct fdb_entry *e, struct pkt *p)
{
	uint8_t ecn = inner_ecn(p);
	unsigned udp_len = (unsigned)sizeof(struct tunnel_hdr) + p->len;
	be16 total_len = be16_from((uint16_t)(sizeof(struct ipv4_hdr) + udp_len));
	be32 dst = ip_addr_to_v4(&e->vtep);
	struct outer_v4 *outer;

	p->data -= sizeof(*outer);
	p->len += sizeof(*outer);
	outer = (struct outer_v4 *)p->data;
	*outer = o->v4;
	outer->eth.dst = e->next_hop;
	outer->ip.tos = ecn;
	outer->ip.total_len = total_len;
	outer->ip.dst = dst;
	outer->ip.checksum = checksum_finish(o->v4_sum + (uint16_t)(ecn << 8) + total_len.raw + dst.raw);
	patch_udp(&outer->tunnel.udp, p, udp_len);
}

static void
push_v6(const struct outer_template *o, const struct node_table *node, const struct fdb_entry *e,
	struct pkt *p)
{
	uint8_t ecn = inner_ecn(p);
	unsigned udp_len = (unsigned)sizeof(struct tunnel_hdr) + p->len;
	struct outer_v6 *outer;

	p->data -= sizeof(*outer);
	p->len += sizeof(*outer);
	outer = (struct outer_v6 *)p->data;
	*outer = o->v6;
	outer->eth.dst = e->next_hop;
	outer->ip.version_class_flow = be32_from(UINT32_C(6) << 28 | (uint32_t)ecn << 20);
	outer->ip.payload_len = be16_from((uint16_t)udp_len);
	memcpy(outer->ip.dst, e->vtep.b, sizeof(outer->ip.dst));
	patch_udp(&outer->tunnel.udp, p, udp_len);
	outer->tunnel.udp.checksum = checksum_finish_udp(checksum_add(
		checksum_pseudo(&node->vtep, &e->vtep, false, PROTO_UDP, udp_len), &outer->tunnel, udp_len));
}

static void
encap(const struct tables *t, struct worker *w, const struct outer_template *o, struct pkt *p)
{
	const struct fdb_entry *e = &t->fdb->entries[p->vtep];

	if (umem_space_before(p->umem, p->data) < VXLAN_OUTER_V6) {
		pkt_drop(p, DROP_NO_FRAME);
		return;
	}
	if (ip_addr_is_v4(&e->vtep))
		push_v4(o, e, p);
	else
		push_v6(o, t->node, e, p);
	count(&w->counters, COUNT_ENCAPSULATED);
}

static bool
is_for_tunnel(const struct pkt *p)
{
	return p->vtep != FDB_NONE && (p->verdict == VERDICT_FORWARD || p->verdict == VERDICT_REPLY);
}

static void
encap_all(const struct tables *t, struct worker *w, const struct outer_template *o, struct burst *b)
{
	BURST_FOREACH (b, p)
		if (is_for_tunnel(p))
			encap(t, w, o, p);
}

void
encap_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct outer_template o;

	if (!(b->seen & BURST_TUNNEL))
		return;
	make_template(t->node, &o);
	encap_all(t, w, &o, b);
	if (w->pieces.n != 0)
		encap_all(t, w, &o, &w->pieces);
}
