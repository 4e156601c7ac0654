/* What the underlay sent: tunnel packets are checked and taken out of their tunnel (RFC 7348), and errors that
 * underlay routers send about our own tunnel packets tell what the way to another node takes.
 *
 * A tunnel packet's outer UDP checksum is not verified (RFC 7348 section 4.3 leaves that open): the inner
 * packet has its own. Reserved bits must be zero, as the kernel's vxlan device has it, and the inner frame
 * carries no VLAN tag. Outside a tunnel come flows of clients outside the cluster to exposed frontends, answers to
 * masqueraded flows, ICMP errors about both, packets to pods from networks that know their addresses, and ICMP errors to our
 * tunnel address: these go on to the host's stack, whose sockets they may concern. Nothing else is for us. What has a route
 * here, pods, services and this node itself, sends nothing from outside. */
#include "dataplane/net/checksum.h"
#include "dataplane/net/flow_key.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp_quote.h"
#include "dataplane/net/parse.h"
#include "dataplane/overlay/vxlan.h"
#include "dataplane/service/hairpin.h"
#include "dataplane/service/inbound.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

enum {
	ECN_MASK = 3,
	ECN_CE = 3,

	/* Less than these no link of the underlay takes, so whoever claims it lies (RFC 1122 section 3.3.2,
	 * RFC 8200 section 5). */
	UNDERLAY_MTU_MIN_V4 = 576,
	UNDERLAY_MTU_MIN_V6 = 1280,
};

static uint8_t
ecn_of(const struct pkt *p)
{
	const uint8_t *ip = p->data + p->l3_off;

	return (p->family == 4 ? ip[1] : ip[1] >> 4) & ECN_MASK;
}

static bool
is_tunnel_packet(const struct node_table *node, const struct pkt *p)
{
	return p->proto == PROTO_UDP && p->dport == node->vxlan_port && !(p->flags & PKT_FRAGMENT) &&
	       p->family != 0 && ip_addr_eq(&p->dst, &node->vtep);
}

/* The outer headers' rules: which VTEP it is from, or why not. */
static enum drop_reason
check_outer(const struct tables *t, const struct pkt *p, uint32_t *vtep)
{
	const struct udp_hdr *udp = (const struct udp_hdr *)(p->data + p->l4_off);
	const struct vxlan_hdr *vxlan = (const struct vxlan_hdr *)(udp + 1);
	const struct eth_hdr *inner = (const struct eth_hdr *)(vxlan + 1);

	if (be16_host(udp->len) < sizeof(*udp) + sizeof(*vxlan) + sizeof(*inner))
		return DROP_TRUNCATED;
	*vtep = fdb_lookup(t->fdb, &p->src);
	if (*vtep == FDB_NONE)
		return DROP_UNKNOWN_VTEP;
	if (be32_host(vxlan->flags) != VXLAN_FLAG_VNI || be32_host(vxlan->vni) != t->node->vni << 8)
		return DROP_WRONG_VNI;
	if (memcmp(&inner->dst, &t->node->tunnel_mac, sizeof(inner->dst)) != 0)
		return DROP_WRONG_INNER_MAC;
	return DROP_NONE;
}

/* With the inner packet parsed. RFC 6040 section 4.2, of which we keep what concerns CE. */
static enum drop_reason
check_inner(const struct tables *t, struct pkt *p, uint32_t vtep, uint8_t outer_ecn)
{
	const struct route *r;

	if (p->family == 0)
		return DROP_NEIGHBOUR;
	r = route_lookup(t->routes, &p->src);
	if (r == NULL || r->kind != ROUTE_VTEP || r->target != vtep)
		return DROP_TUNNEL_SOURCE;
	if (outer_ecn == ECN_CE) {
		if (ecn_of(p) == 0)
			return DROP_ECN;
		p->flags |= PKT_ECN_CE;
	}
	return DROP_NONE;
}

static void
decap(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	const struct udp_hdr *udp = (const struct udp_hdr *)(p->data + p->l4_off);
	unsigned outer = p->l4_off + (unsigned)sizeof(*udp) + (unsigned)sizeof(struct vxlan_hdr);
	uint8_t outer_ecn = ecn_of(p);
	uint32_t vtep;
	enum drop_reason reason = check_outer(t, p, &vtep);

	if (reason != DROP_NONE) {
		pkt_drop(p, reason);
		return;
	}
	p->len = (uint16_t)(p->l4_off + be16_host(udp->len) - outer);
	p->data += outer;
	p->flags = PKT_DECAPPED | (p->flags & PKT_DRY_RUN);
	parse_pkt(p);
	b->seen |= p->flags;
	if (p->verdict != VERDICT_CONTINUE)
		return;
	reason = check_inner(t, p, vtep, outer_ecn);
	if (reason != DROP_NONE)
		pkt_drop(p, reason);
	else
		count(&w->counters, COUNT_DECAPSULATED);
}

/* What the quoted packet's transport header is at, if it is UDP from our tunnel address and no later
 * fragment; sets the quoted destination. NULL: it is not. */
static const struct udp_hdr *
quoted_udp(const struct node_table *node, const uint8_t *quote, unsigned len, bool v4, struct ip_addr *to)
{
	struct ip_addr from;
	unsigned header;

	if (v4) {
		const struct ipv4_hdr *ip = (const struct ipv4_hdr *)quote;

		if (len < sizeof(*ip) || ip->version_ihl != 0x45 || ip->proto != PROTO_UDP ||
			(be16_host(ip->frag) & IPV4_OFFSET_MASK) != 0)
			return NULL;
		from = ip_addr_v4(ip->src);
		*to = ip_addr_v4(ip->dst);
		header = sizeof(*ip);
	} else {
		const struct ipv6_hdr *ip = (const struct ipv6_hdr *)quote;

		if (len < sizeof(*ip) || be32_host(ip->version_class_flow) >> 28 != 6 ||
			ip->next != PROTO_UDP)
			return NULL;
		from = ip_addr_v6(ip->src);
		*to = ip_addr_v6(ip->dst);
		header = sizeof(*ip);
	}
	if (len < header + sizeof(struct udp_hdr) || !ip_addr_eq(&from, &node->vtep))
		return NULL;
	return (const struct udp_hdr *)(quote + header);
}

/* What an underlay router says that its next link takes; 0: this is not such a message. */
static unsigned
reported_mtu(const struct pkt *p, const struct icmp_hdr *icmp)
{
	if (p->family == 6)
		return p->proto == PROTO_ICMPV6 && icmp->type == ICMPV6_PACKET_TOO_BIG ? be32_host(icmp->mtu6)
										       : 0;
	return p->proto == PROTO_ICMP && icmp->type == ICMP_UNREACHABLE && icmp->code == ICMP_CODE_FRAG_NEEDED
		       ? be16_host(icmp->frag_needed.mtu)
		       : 0;
}

static bool
is_checksum_valid(const struct pkt *p, const struct icmp_hdr *icmp)
{
	uint64_t pseudo =
		p->family == 6 ? checksum_pseudo(&p->src, &p->dst, false, PROTO_ICMPV6, p->l4_len) : 0;

	return checksum_fold(checksum_add(pseudo, icmp, p->l4_len)) == 0xffff;
}

/* An ICMP error to our tunnel address. It is believed when it quotes a packet that we could have sent into a
 * tunnel that exists; what it says can then only lower that tunnel's MTU, to no less than any link takes. */
static void
learn_path_mtu(const struct tables *t, struct worker *w, const struct pkt *p)
{
	const struct icmp_hdr *icmp = (const struct icmp_hdr *)(p->data + p->l4_off);
	const uint8_t *quote = (const uint8_t *)(icmp + 1);
	bool v4 = p->family == 4;
	unsigned mtu = reported_mtu(p, icmp);
	unsigned inner_mtu = mtu - (v4 ? VXLAN_OVERHEAD_V4 : VXLAN_OVERHEAD_V6);
	const struct udp_hdr *udp;
	struct event event = { .kind = EVENT_PATH_MTU, .value = inner_mtu };
	uint32_t vtep;

	if (mtu < (v4 ? UNDERLAY_MTU_MIN_V4 : UNDERLAY_MTU_MIN_V6) || mtu > UINT16_MAX ||
		!is_checksum_valid(p, icmp))
		return;
	udp = quoted_udp(t->node, quote, p->l4_len - (unsigned)sizeof(*icmp), v4, &event.addr);
	if (udp == NULL || be16_host(udp->dport) != t->node->vxlan_port ||
		be16_host(udp->sport) < VXLAN_SPORT_FIRST)
		return;
	vtep = fdb_lookup(t->fdb, &event.addr);
	if (vtep != FDB_NONE && inner_mtu < t->fdb->entries[vtep].mtu && !(p->flags & PKT_DRY_RUN))
		events_put(w->events, &event);
}

/* What is for an exposed frontend, as far as its ports tell; or is an error about an answer of its. */
static bool
is_for_frontend(const struct tables *t, const struct pkt *p)
{
	const struct frontend *f;
	struct inbound_key k;

	if (!inbound_key_of(p, &k))
		return false;
	f = service_frontend(t->services, addr_hash(&k.dst, k.dport, k.proto), &k.dst, k.dport, k.proto);
	return f != NULL && (f->flags & FRONTEND_EXPOSED);
}

/* Whether the sender may be outside the cluster. Who has a service's address may be a load balancer, which answers what is
 * for none of the service's ports: that is for masquerade to judge, which knows whether it was asked. */
static bool
is_from_outside(const struct tables *t, const struct pkt *p)
{
	return route_is_outside(route_lookup(t->routes, &p->src)) && !ip_addr_is_multicast(&p->src) &&
	       !ip_addr_is_none(&p->src) &&
	       ((p->flags & PKT_OUTBOUND) || !service_table_has_addr(t->services, &p->src));
}

/* Whether an answer to a client could find its way: not to loopback, link-local, hairpin or other addresses of no
 * network, which backends that see their clients would take for something else. */
static bool
is_routable(const struct ip_addr *a)
{
	if (!ip_addr_is_v4(a))
		return !ip_addr_is_v6_link_local(a) && (a->w[0] | a->d[2]) != 0 && hairpin_slot(a) < 0;
	return a->b[12] != 0 && a->b[12] != 127 && a->b[12] < 224 && !(a->b[12] == 169 && a->b[13] == 254);
}

static bool
is_echo_reply(const struct pkt *p)
{
	return p->family == 4 ? p->proto == PROTO_ICMP && p->tcp_flags == ICMP_ECHO_REPLY
			      : p->proto == PROTO_ICMPV6 && p->tcp_flags == ICMPV6_ECHO_REPLY;
}

/* What a masqueraded flow may get from outside: an answer to its port, or an error about what it sent. */
static bool
is_to_masquerade(const struct tables *t, const struct pkt *p)
{
	const struct node_table *node = t->node;
	struct icmp_quote q;

	if (!ip_addr_eq(&p->dst, &node->masquerade[p->family == 6 ? V6 : V4]))
		return false;
	if (p->flags & PKT_ICMP_ERROR)
		return icmp_quote_read_flow(p, &q) && ip_addr_eq(&q.src, &p->dst) &&
		       port_set_has(&node->masquerade_claim, q.sport);
	return (translate_is_transport(p->proto) || is_echo_reply(p)) &&
	       port_set_has(&node->masquerade_claim, p->dport);
}

static bool
is_error_for_us(const struct node_table *node, const struct pkt *p)
{
	return (p->flags & (PKT_ICMP_ERROR | PKT_FRAGMENT)) == PKT_ICMP_ERROR &&
	       ip_addr_eq(&p->dst, &node->vtep);
}

/* A network that is not masqueraded reaches pods as they are, and answers the node's processes, which went to a service of
 * its as one of the reserved addresses. */
static bool
is_to_pod(const struct tables *t, const struct pkt *p)
{
	const struct route *from = route_lookup(t->routes, &p->src), *to = route_lookup(t->routes, &p->dst);

	return from != NULL && (from->flags & ROUTE_NATIVE) && to != NULL &&
	       (to->kind == ROUTE_ENDPOINT || endpoint_host_slot(t->endpoints, &p->dst) >= 0);
}

/* What came outside a tunnel. */
static void
admit(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	bool is_error = is_error_for_us(t->node, p);

	if (is_for_frontend(t, p)) {
		p->flags |= PKT_INBOUND;
	} else if (is_to_masquerade(t, p)) {
		p->flags |= PKT_OUTBOUND;
	} else if (is_to_pod(t, p)) {
		/* parse leaves it out, as of tunnels nobody asks; it may be a service's answer */
		p->hash = flow_hash(&p->src, &p->dst, p->sport, p->dport, p->proto);
	} else if (!is_error) {
		pkt_drop(p, DROP_NOT_OURS);
		return;
	}
	b->seen |= p->flags;
	if (!is_from_outside(t, p) || ((p->flags & PKT_INBOUND) && !is_routable(&p->src)))
		pkt_drop(p, DROP_SPOOFED_SOURCE);
	else if (is_error)
		learn_path_mtu(t, w, p);
}

void
decap_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!(b->seen & BURST_UPLINK))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (p->origin != ORIGIN_UPLINK || (p->flags & PKT_DECAPPED))
			continue;
		if (is_tunnel_packet(t->node, p))
			decap(t, w, b, p);
		else
			admit(t, w, b, p);
		if (p->verdict == VERDICT_DROP)
			TRACE(b, "decap", "%s", drop_reason_help(p->drop_reason));
	}
	TRACE_PASSED(b, "decap", (p->flags & PKT_DECAPPED) != 0,
		"out of the tunnel: sender and receiver belong there");
}
