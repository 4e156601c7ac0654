/* The only writer of headers. What the stages decided is written once: addresses, ports, TTL, ECN, segment
 * size, Ethernet, and each checksum is adjusted by the sum of all changes (RFC 1624), or completed when its
 * sender left it partial. Replies are built in the packet's own frame.
 *
 * An error's source is the gateway, which is on the link of pod and host (fe80::1 passes for any of their
 * sockets); towards another node it is this node's reserved address, since nodes accept no other; towards the
 * outside it is the address that was addressed. A refusal comes from the address that was asked, as if there were a
 * host on which nobody listens. */
#include "dataplane/dns/dns_headers.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/icmp_quote.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/net/refuse.h"
#include "dataplane/stages.h"
#include "dataplane/worker.h"

enum {
	TCP_OPT_END = 0,
	TCP_OPT_NOP = 1,
	TCP_OPT_MSS = 2,
	TCP_OPT_MSS_LEN = 4,
	ECN_CE = 3,
};

/* The Ethernet addresses of the next hop, inside the tunnel if there is one. */
struct hop {
	const struct mac_addr *dst, *src;
	bool is_host;
};

/* Two bytes as they lie in memory. */
static inline uint16_t
load16(const void *p)
{
	uint16_t raw;

	memcpy(&raw, p, sizeof(raw));
	return raw;
}

static inline void
store16(void *p, uint16_t raw)
{
	memcpy(p, &raw, sizeof(raw));
}

/* Writes one port and gathers what that does to the checksum. */
static inline uint64_t
write_port(be16 *field, uint16_t to, uint64_t delta)
{
	be16 wire = be16_from(to);

	delta = checksum_change16(delta, field->raw, wire.raw);
	*field = wire;
	return delta;
}

/* Lowers the MSS option to what fits the way (RFC 9293 section 3.7.1 counts no options); returns the change.
 * The option may start at any byte, and at an odd one its bytes sum up swapped. */
static uint64_t
clamp_mss(struct worker *w, const struct pkt *p, struct tcp_hdr *tcp, uint64_t delta)
{
	unsigned headers = (p->family == 4 ? 20 : 40) + (unsigned)sizeof(*tcp);
	uint8_t *option = (uint8_t *)(tcp + 1);
	uint8_t *end = (uint8_t *)tcp + (tcp->data_off >> 4) * 4u;

	if (p->mtu <= headers)
		return delta;
	while (end - option >= TCP_OPT_MSS_LEN && *option != TCP_OPT_END) {
		uint16_t limit = __builtin_bswap16((uint16_t)(p->mtu - headers));
		uint16_t mss = load16(option + 2);
		bool is_odd = ((option - (uint8_t *)tcp) & 1) != 0;

		if (*option == TCP_OPT_NOP) {
			option++;
			continue;
		}
		if (option[1] < 2)
			return delta;
		if (*option != TCP_OPT_MSS || option[1] != TCP_OPT_MSS_LEN) {
			option += option[1];
			continue;
		}
		if (__builtin_bswap16(mss) <= __builtin_bswap16(limit))
			return delta;
		store16(option + 2, limit);
		count(&w->counters, COUNT_MSS_CLAMPED);
		return is_odd ? checksum_change16(delta, __builtin_bswap16(mss), __builtin_bswap16(limit))
			      : checksum_change16(delta, mss, limit);
	}
	return delta;
}

static uint64_t
partial_sum(const struct pkt *p, const void *l4, unsigned covered)
{
	return checksum_add(
		checksum_pseudo(&p->new_src, &p->new_dst, p->family == 4, p->proto, covered), l4, covered);
}

static void
write_tcp(struct worker *w, const struct pkt *p, uint64_t delta)
{
	struct tcp_hdr *tcp = (struct tcp_hdr *)(p->data + p->l4_off);

	delta = write_port(&tcp->sport, p->new_sport, delta);
	delta = write_port(&tcp->dport, p->new_dport, delta);
	if (p->tcp_flags & TCP_SYN)
		delta = clamp_mss(w, p, tcp, delta);
	if (p->flags & PKT_CHECKSUM_PARTIAL) {
		tcp->checksum.raw = 0;
		tcp->checksum = checksum_finish(partial_sum(p, tcp, p->l4_len));
		count(&w->counters, COUNT_CHECKSUM_COMPLETED);
	} else {
		tcp->checksum = checksum_apply(tcp->checksum, delta);
	}
}

static void
write_udp(struct worker *w, const struct pkt *p, uint64_t delta)
{
	struct udp_hdr *udp = (struct udp_hdr *)(p->data + p->l4_off);

	delta = write_port(&udp->sport, p->new_sport, delta);
	delta = write_port(&udp->dport, p->new_dport, delta);
	if (udp->checksum.raw == 0)
		return;
	if (p->flags & PKT_CHECKSUM_PARTIAL) {
		udp->checksum.raw = 0;
		udp->checksum = checksum_finish_udp(partial_sum(p, udp, be16_host(udp->len)));
		count(&w->counters, COUNT_CHECKSUM_COMPLETED);
	} else {
		udp->checksum = checksum_apply(udp->checksum, delta);
		if (udp->checksum.raw == 0)
			udp->checksum.raw = 0xffff;
	}
}

/* An echo's identifier stands in both ports, and translation changes the sender's in a request and the
 * receiver's in a reply. Only ICMPv6 sums the addresses, too. */
static void
write_icmp(struct pkt *p, uint64_t delta)
{
	struct icmp_hdr *icmp = (struct icmp_hdr *)(p->data + p->l4_off);
	uint16_t id = p->new_sport != p->sport ? p->new_sport : p->new_dport;

	if (p->flags & PKT_ICMP_ERROR) {
		icmp_quote_write(p, delta);
		return;
	}
	if (p->proto == PROTO_ICMP)
		delta = 0;
	if (id != p->sport)
		delta = write_port(&icmp->echo.id, id, delta);
	if (delta != 0)
		icmp->checksum = checksum_apply(icmp->checksum, delta);
}

/* SCTP's checksum covers its ports but no addresses. When the ports change it is computed anew, over the whole
 * packet, and one that was wrong before stays wrong. */
static void
write_sctp(struct worker *w, const struct pkt *p)
{
	struct sctp_hdr *sctp = (struct sctp_hdr *)(p->data + p->l4_off);
	bool is_partial = (p->flags & PKT_CHECKSUM_PARTIAL) != 0;
	bool is_moved = p->new_sport != p->sport || p->new_dport != p->dport;

	if (!is_partial && !is_moved)
		return;
	if (!is_partial && sctp->crc32c.raw != checksum_sctp(sctp, p->l4_len))
		is_moved = false;
	sctp->sport = be16_from(p->new_sport);
	sctp->dport = be16_from(p->new_dport);
	if (is_partial || is_moved)
		sctp->crc32c.raw = checksum_sctp(sctp, p->l4_len);
	if (is_partial)
		count(&w->counters, COUNT_CHECKSUM_COMPLETED);
}

/* delta: what the new addresses do to a pseudo-header's sum. */
static inline void
write_l4(struct worker *w, struct pkt *p, uint64_t delta)
{
	if (p->flags & PKT_LATER_FRAGMENT)
		return;
	switch (p->proto) {
	case PROTO_TCP:
		write_tcp(w, p, delta);
		break;
	case PROTO_UDP:
		write_udp(w, p, delta);
		break;
	case PROTO_SCTP:
		write_sctp(w, p);
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		if ((p->proto == PROTO_ICMP) == (p->family == 4))
			write_icmp(p, delta);
		break;
	default:
		break;
	}
}

static inline uint64_t
address_delta(const struct pkt *p)
{
	uint64_t delta = checksum_change_addr(0, &p->src, &p->new_src, p->family == 4);

	return checksum_change_addr(delta, &p->dst, &p->new_dst, p->family == 4);
}

/* The IP header; delta: what the new addresses do to its sum. */
static inline void
write_ipv4(const struct pkt *p, uint64_t delta)
{
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(p->data + p->l3_off);

	if (delta != 0) {
		ip->src = ip_addr_to_v4(&p->new_src);
		ip->dst = ip_addr_to_v4(&p->new_dst);
	}
	/* The TTL is the first byte of its 16-bit word, the congestion mark is in the second of its own. Whole
	 * words are read and written: reading one after a store to half of it would stall. */
	if (p->flags & PKT_ROUTER_HOP) {
		uint16_t before = load16(&ip->ttl), after = (uint16_t)(before - 1);

		store16(&ip->ttl, after);
		delta = checksum_change16(delta, before, after);
	}
	if (p->flags & PKT_ECN_CE) {
		uint16_t before = load16(ip), after = before | ECN_CE << 8;

		store16(ip, after);
		delta = checksum_change16(delta, before, after);
	}
	if (delta != 0)
		ip->checksum = checksum_apply(ip->checksum, delta);
}

static inline void
write_ipv6(const struct pkt *p, bool is_changed)
{
	struct ipv6_hdr *ip = (struct ipv6_hdr *)(p->data + p->l3_off);

	if (is_changed) {
		memcpy(ip->src, p->new_src.b, sizeof(ip->src));
		memcpy(ip->dst, p->new_dst.b, sizeof(ip->dst));
	}
	if (p->flags & PKT_ROUTER_HOP)
		ip->hop_limit--;
	if (p->flags & PKT_ECN_CE)
		((uint8_t *)ip)[1] |= ECN_CE << 4;
}

/* Most packets, those between pods that use no service, change nothing behind the IP header unless they carry
 * a partial checksum or begin a TCP connection. */
static inline void
write_ip_packet(struct worker *w, struct pkt *p)
{
	bool is_translated = pkt_is_translated(p);
	uint64_t delta = is_translated ? address_delta(p) : 0;

	if (p->family == 4)
		write_ipv4(p, delta);
	else
		write_ipv6(p, is_translated);
	if (is_translated || (p->flags & PKT_CHECKSUM_PARTIAL) ||
		(p->proto == PROTO_TCP && (p->tcp_flags & TCP_SYN)))
		write_l4(w, p, delta);
}

/* Directly in front of the IP header: a VLAN tag of the underlay's is left behind. */
static inline void
write_ethernet(struct pkt *p, const struct hop *hop)
{
	static const uint16_t types[] = { [0] = ETH_TYPE_ARP, [4] = ETH_TYPE_IPV4, [6] = ETH_TYPE_IPV6 };
	unsigned shift = p->l3_off - (unsigned)sizeof(struct eth_hdr);
	struct eth_hdr *eth;

	if (__builtin_expect(shift != 0, 0)) {
		p->data += shift;
		p->len -= (uint16_t)shift;
		p->l3_off -= (uint8_t)shift;
		p->l4_off -= (uint16_t)shift;
	}
	eth = (struct eth_hdr *)p->data;
	eth->dst = *hop->dst;
	eth->src = *hop->src;
	eth->type = be16_from(types[p->family]);
}

static inline bool
hop_to_vtep(const struct tables *t, uint32_t vtep, struct hop *hop)
{
	if (vtep >= t->fdb->n || ip_addr_is_none(&t->fdb->entries[vtep].vtep))
		return false;
	*hop = (struct hop){ .dst = &t->fdb->entries[vtep].inner, .src = &t->node->tunnel_mac };
	return true;
}

/* Out of the uplink as it is. */
static bool
hop_to_underlay(const struct tables *t, const struct pkt *p, struct hop *hop)
{
	*hop = (struct hop){ .dst = &p->next_hop, .src = &t->node->uplink_mac };
	return !mac_is_zero(&p->next_hop) && !(p->next_hop.b[0] & 1);
}

static inline bool
hop_to_port(const struct tables *t, uint16_t port, struct hop *hop)
{
	const struct endpoint *ep = endpoint_of_port(t->endpoints, port);

	if (ep == NULL)
		return false;
	*hop = (struct hop){ .dst = &ep->mac, .src = &t->node->gateway_mac, .is_host = ep->is_host };
	return true;
}

/* The way was chosen by the tables that were in force before the packet crossed, so it may have gone since. */
static inline void
forward(const struct tables *t, struct worker *w, struct pkt *p)
{
	struct hop hop;

	if (p->vtep != FDB_NONE ? !hop_to_vtep(t, p->vtep, &hop)
				: !hop_to_port(t, p->out_port, &hop) && !hop_to_underlay(t, p, &hop)) {
		pkt_drop(p, DROP_PORT_GONE);
		return;
	}
	write_ip_packet(w, p);
	write_ethernet(p, &hop);
	p->verdict = hop.is_host ? VERDICT_PUNT : VERDICT_FORWARD;
}

/* Back to where the packet came from, through the port that it came by: on the underlay, to the machine whose frame it
 * is. */
static bool
find_way_back(const struct tables *t, struct pkt *p, struct hop *hop)
{
	const struct route *r;

	p->out_port = p->in_port;
	p->vtep = FDB_NONE;
	p->next_hop = (struct mac_addr){ 0 };
	if (p->origin != ORIGIN_UPLINK)
		return hop_to_port(t, p->in_port, hop);
	if (!(p->flags & PKT_DECAPPED)) {
		p->next_hop = ((const struct eth_hdr *)p->data)->src;
		return hop_to_underlay(t, p, hop);
	}
	r = route_lookup(t->routes, &p->src);
	if (r == NULL || r->kind != ROUTE_VTEP || !hop_to_vtep(t, r->target, hop) ||
		mac_is_zero(&t->fdb->entries[r->target].next_hop))
		return false;
	p->vtep = r->target;
	return true;
}

static bool
build_error(const struct tables *t, struct worker *w, struct pkt *p)
{
	unsigned family = p->family == 4 ? V4 : V6;
	const struct ip_addr *source = &t->node->gateway[family];

	if (p->origin == ORIGIN_UPLINK)
		source = p->flags & PKT_DECAPPED ? &t->endpoints->host_addrs[family][0] : &p->dst;

	if (p->reply == REPLY_UNREACHABLE)
		source = &p->dst;
	if (!icmp_build_error(p, source))
		return false;
	count(&w->counters, COUNT_ERRORS_SENT);
	return true;
}

/* Answers are as many as the questions; errors are limited. */
static bool
has_budget(struct worker *w, const struct pkt *p)
{
	if (p->reply < REPLY_TOO_BIG || (p->flags & PKT_DRY_RUN))
		return true;
	return error_budget_take(&w->errors, p->reply, w->now_ns);
}

static bool
build_reply(const struct tables *t, struct worker *w, struct pkt *p)
{
	switch (p->reply) {
	case REPLY_ARP:
		neighbour_build_arp_reply(p, &t->node->gateway_mac);
		return true;
	case REPLY_NEIGHBOUR:
		return neighbour_build_advertisement(p, &t->node->gateway_mac);
	case REPLY_ECHO:
		icmp_build_echo_reply(p);
		return true;
	case REPLY_RESET:
		reset_build(p);
		return true;
	case REPLY_DNS:
		dns_headers_build(p);
		return true;
	default:
		return build_error(t, w, p);
	}
}

static void
count_refusal(struct worker *w, const struct pkt *p)
{
	if (p->drop_reason == DROP_NO_BACKEND)
		count(&w->counters, COUNT_REFUSED_NO_BACKEND);
	else if (p->drop_reason == DROP_NO_SERVICE)
		count(&w->counters, COUNT_REFUSED_NO_SERVICE);
}

/* Returns what burst_way() says of it. */
static uint32_t
reply(const struct tables *t, struct worker *w, struct pkt *p)
{
	struct hop hop;

	if (!find_way_back(t, p, &hop))
		pkt_drop(p, DROP_NO_ROUTE);
	else if (!has_budget(w, p))
		pkt_drop(p, DROP_ERROR_LIMIT);
	else if (!build_reply(t, w, p))
		pkt_drop(p, DROP_NO_FRAME);
	else {
		write_ethernet(p, &hop);
		count_refusal(w, p);
	}
	return burst_way(p);
}

void
rewrite_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	BURST_FOREACH (b, p) {
		if (p->verdict == VERDICT_CONTINUE)
			forward(t, w, p);
		else if (p->verdict == VERDICT_REPLY)
			b->seen |= reply(t, w, p);
	}
}
