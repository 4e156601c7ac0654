#include "tests/support/pkt_build.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/pkt_check.h"

#define LAYERS_MAX 24

static const struct {
	const char *name;
	struct mac_addr mac;
} macs[] = {
	{ "pod1", { { 2, 0, 0, 0, 1, 10 } } },
	{ "pod2", { { 2, 0, 0, 0, 1, 11 } } },
	{ "host", { { 2, 0, 0, 0, 1, 1 } } },
	{ "gw", { { 2, 0, 0, 0, 0, 1 } } },
	{ "uplink", { { 2, 0, 0, 0, 0, 2 } } },
	{ "tunnel", { { 2, 0, 0, 0, 0, 3 } } },
	{ "peer", { { 2, 0, 0, 0, 2, 2 } } },
	{ "peer-tunnel", { { 2, 0, 0, 0, 2, 3 } } },
	{ "other", { { 2, 0, 0, 0, 2, 4 } } },
	{ "*", { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } } },
	{ "all-routers", { { 0x33, 0x33, 0, 0, 0, 2 } } },
};

/* Where each layer begins; ends are the frame's, less padding. */
struct building {
	const struct layer *layers;
	unsigned n;
	unsigned start[LAYERS_MAX];
	unsigned end;
	uint16_t entropy;
	struct frame *out;
};

struct mac_addr
pkt_mac(const char *name)
{
	for (unsigned i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
		if (strcmp(macs[i].name, name) == 0)
			return macs[i].mac;
	abort();
}

static bool
is_v4(const char *text)
{
	return strchr(text, ':') == NULL;
}

static void
put_addr(uint8_t *to, const char *text)
{
	if (inet_pton(is_v4(text) ? AF_INET : AF_INET6, text, to) != 1)
		abort();
}

static void
put16(uint8_t *to, unsigned value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void
put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value & 0xffff);
}

static unsigned
ip_size(const struct layer *l)
{
	return is_v4(l->ip.src) ? 20u + l->ip.n_options : 40u;
}

static unsigned
tcp_size(const struct layer *l)
{
	return 20 + (l->tcp.mss == 0 ? 0 : (l->tcp.nops + 4u + 3) / 4 * 4);
}

static unsigned
layer_size(const struct layer *l)
{
	struct frame quoted;

	switch (l->kind) {
	case LAYER_ETH:
		return 14;
	case LAYER_VLAN:
		return 4;
	case LAYER_ARP:
		return 28;
	case LAYER_IP:
		return ip_size(l);
	case LAYER_EXT:
		return l->ext.proto == PROTO_AH ? (l->ext.units + 2u) * 4 : (l->ext.units + 1u) * 8;
	case LAYER_TCP:
		return tcp_size(l);
	case LAYER_SCTP:
		return 12;
	case LAYER_FRAG:
	case LAYER_UDP:
	case LAYER_ICMP:
	case LAYER_VXLAN:
	case LAYER_MAC_OPTION:
		return 8;
	case LAYER_ADDR:
		return 16;
	case LAYER_DATA:
	case LAYER_PADDING:
		return l->n;
	case LAYER_RAW:
		return l->raw.n;
	case LAYER_QUOTE:
		if (l->quote.n != 0)
			return l->quote.n;
		pkt_build(&quoted, l->quote.layers, 0);
		return quoted.len - 14u;
	default:
		return 0;
	}
}

/* The enclosing IP layer. */
static const struct layer *
ip_around(const struct building *b, unsigned i)
{
	while (i-- > 0)
		if (b->layers[i].kind == LAYER_IP)
			return &b->layers[i];
	return NULL;
}

static uint8_t
proto_of(const struct building *b, unsigned i)
{
	const struct layer *ip = ip_around(b, i);

	switch (b->layers[i].kind) {
	case LAYER_EXT:
		return b->layers[i].ext.proto;
	case LAYER_FRAG:
		return PROTO_IPV6_FRAG;
	case LAYER_TCP:
		return PROTO_TCP;
	case LAYER_UDP:
		return PROTO_UDP;
	case LAYER_SCTP:
		return PROTO_SCTP;
	case LAYER_ICMP:
		return ip != NULL && is_v4(ip->ip.src) ? PROTO_ICMP : PROTO_ICMPV6;
	default:
		return PROTO_NONE;
	}
}

static uint16_t
eth_type_of(const struct layer *next)
{
	switch (next->kind) {
	case LAYER_VLAN:
		return ETH_TYPE_VLAN;
	case LAYER_ARP:
		return ETH_TYPE_ARP;
	case LAYER_IP:
		return is_v4(next->ip.src) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
	default:
		return 0x88b5; /* IEEE 802 local experimental */
	}
}

static void
write_ip(const struct building *b, unsigned i, uint8_t *p)
{
	const struct layer *l = &b->layers[i];
	uint8_t proto = l->ip.proto != 0 ? l->ip.proto : proto_of(b, i + 1);
	unsigned size = ip_size(l);
	unsigned total = b->end - b->start[i];

	if (is_v4(l->ip.src)) {
		p[0] = (uint8_t)((l->ip.version ? l->ip.version : 4) << 4 |
				 (l->ip.ihl ? l->ip.ihl : size / 4));
		p[1] = l->ip.tos;
		put16(p + 2, l->ip.total ? l->ip.total : total);
		put16(p + 4, l->ip.id);
		put16(p + 6,
			(l->ip.df ? 0x4000u : 0) | (l->ip.more ? 0x2000u : 0) | (unsigned)l->ip.offset / 8);
		p[8] = l->ip.ttl ? l->ip.ttl : 64;
		p[9] = proto;
		put_addr(p + 12, l->ip.src);
		put_addr(p + 16, l->ip.dst);
		memcpy(p + 20, l->ip.options, l->ip.n_options);
		put16(p + 10, (uint16_t)~pkt_sum(p, size, 0) ^ (l->ip.sum == SUM_BAD ? 1 : 0));
		return;
	}
	put32(p, (uint32_t)(l->ip.version ? l->ip.version : 6) << 28 | (uint32_t)l->ip.tos << 20);
	put16(p + 4, l->ip.total ? l->ip.total : total - 40);
	p[6] = proto;
	p[7] = l->ip.ttl ? l->ip.ttl : 64;
	put_addr(p + 8, l->ip.src);
	put_addr(p + 24, l->ip.dst);
}

static uint32_t
pseudo_sum(const struct building *b, unsigned i, unsigned len)
{
	const struct layer *ip = ip_around(b, i);
	uint8_t addrs[32];
	unsigned size = is_v4(ip->ip.src) ? 4 : 16;

	put_addr(addrs, ip->ip.src);
	put_addr(addrs + size, ip->ip.dst);
	return pkt_sum(addrs, size * 2, 0) + len + proto_of(b, i);
}

/* The transport checksum at 'field', of len bytes from p on. */
static void
write_sum(const struct building *b, unsigned i, uint8_t *p, uint8_t *field, unsigned len, enum sum sum)
{
	bool has_pseudo = proto_of(b, i) != PROTO_ICMP;
	uint32_t pseudo = has_pseudo ? pseudo_sum(b, i, len) : 0;
	uint16_t value;

	put16(field, 0);
	value = (uint16_t)~pkt_sum(p, len, pseudo);
	if (sum == SUM_PARTIAL)
		value = pkt_sum(p, 0, pseudo);
	else if (sum == SUM_NONE)
		value = 0;
	else if (sum == SUM_BAD)
		value ^= 0x5555;
	else if (value == 0 && b->layers[i].kind == LAYER_UDP)
		value = 0xffff;
	put16(field, value);
}

static void
write_tcp(const struct building *b, unsigned i, uint8_t *p)
{
	const struct layer *l = &b->layers[i];
	unsigned size = tcp_size(l);
	bool is_reset = (l->tcp.flags & 4) != 0;

	put16(p, l->tcp.sport);
	put16(p + 2, l->tcp.dport);
	put32(p + 4, l->tcp.seq == 0 && !is_reset ? 0x01020304 : l->tcp.seq);
	put32(p + 8, l->tcp.ack);
	p[12] = (uint8_t)((l->tcp.data_off ? l->tcp.data_off : size / 4) << 4);
	p[13] = l->tcp.flags;
	put16(p + 14, is_reset ? 0 : 0x7fff);
	if (l->tcp.mss != 0) {
		memset(p + 20, 1, l->tcp.nops);
		p[20 + l->tcp.nops] = 2;
		p[21 + l->tcp.nops] = 4;
		put16(p + 22 + l->tcp.nops, l->tcp.mss);
	}
	write_sum(b, i, p, p + 16, b->end - b->start[i], l->tcp.sum);
}

static void
write_udp(const struct building *b, unsigned i, uint8_t *p)
{
	const struct layer *l = &b->layers[i];
	unsigned len = l->udp.len ? l->udp.len : b->end - b->start[i];
	unsigned covered = b->end - b->start[i];
	bool is_outer = b->layers[i + 1].kind == LAYER_VXLAN;

	put16(p, is_outer && l->udp.sport == 0 ? b->entropy : l->udp.sport);
	put16(p + 2, l->udp.dport);
	put16(p + 4, len);
	write_sum(b, i, p, p + 6, len < covered ? len : covered, l->udp.sum);
}

static void
write_sctp(const struct building *b, unsigned i, uint8_t *p)
{
	const struct layer *l = &b->layers[i];
	uint32_t crc;

	put16(p, l->sctp.sport);
	put16(p + 2, l->sctp.dport);
	put32(p + 4, l->sctp.tag != 0 ? l->sctp.tag : 0x0a0b0c0d);
	crc = pkt_crc32c(p, b->end - b->start[i]);
	if (l->sctp.sum == SUM_VALID)
		memcpy(p + 8, &crc, sizeof(crc));
	else if (l->sctp.sum == SUM_BAD)
		put32(p + 8, 0x11111111);
}

static void
write_icmp(const struct building *b, unsigned i, uint8_t *p)
{
	const struct layer *l = &b->layers[i];

	p[0] = l->icmp.type;
	p[1] = l->icmp.code;
	put32(p + 4, l->icmp.rest ? l->icmp.rest : (uint32_t)l->icmp.id << 16 | l->icmp.seq);
	write_sum(b, i, p, p + 2, b->end - b->start[i], l->icmp.sum);
}

static void
write_arp(const struct layer *l, uint8_t *p)
{
	struct mac_addr sender = pkt_mac(l->arp.sender_mac);

	put16(p, l->arp.hw_type ? l->arp.hw_type : 1);
	put16(p + 2, ETH_TYPE_IPV4);
	p[4] = 6;
	p[5] = 4;
	put16(p + 6, l->arp.op);
	memcpy(p + 8, sender.b, 6);
	put_addr(p + 14, l->arp.sender);
	if (l->arp.target_mac != NULL) {
		struct mac_addr target = pkt_mac(l->arp.target_mac);

		memcpy(p + 18, target.b, 6);
	}
	put_addr(p + 24, l->arp.target);
}

static void
write_eth(const struct building *b, unsigned i, uint8_t *p)
{
	const struct layer *l = &b->layers[i];
	struct mac_addr src = pkt_mac(l->eth.src), dst = pkt_mac(l->eth.dst);

	memcpy(p, dst.b, 6);
	memcpy(p + 6, src.b, 6);
	put16(p + 12, l->eth.type ? l->eth.type : eth_type_of(l + 1));
}

/* Everything behind this layer is written already. */
static void
write_layer(const struct building *b, unsigned i)
{
	const struct layer *l = &b->layers[i];
	uint8_t *p = b->out->bytes + b->start[i];
	struct frame quoted;
	struct mac_addr mac;

	switch (l->kind) {
	case LAYER_ETH:
		write_eth(b, i, p);
		break;
	case LAYER_VLAN:
		put16(p, l->vlan.vid);
		put16(p + 2, l->vlan.type ? l->vlan.type : eth_type_of(l + 1));
		break;
	case LAYER_ARP:
		write_arp(l, p);
		break;
	case LAYER_IP:
		write_ip(b, i, p);
		break;
	case LAYER_EXT:
		p[0] = proto_of(b, i + 1);
		p[1] = l->ext.units;
		p[3] = l->ext.segments_left;
		break;
	case LAYER_FRAG:
		p[0] = l->frag.proto ? l->frag.proto : proto_of(b, i + 1);
		put16(p + 2, l->frag.offset | (l->frag.more ? 1u : 0));
		put32(p + 4, l->frag.id);
		break;
	case LAYER_TCP:
		write_tcp(b, i, p);
		break;
	case LAYER_UDP:
		write_udp(b, i, p);
		break;
	case LAYER_SCTP:
		write_sctp(b, i, p);
		break;
	case LAYER_ICMP:
		write_icmp(b, i, p);
		break;
	case LAYER_VXLAN:
		put32(p, l->vxlan.flags ? l->vxlan.flags : 0x08000000);
		put32(p + 4, l->vxlan.vni << 8 | l->vxlan.reserved);
		break;
	case LAYER_ADDR:
		put_addr(p, l->addr);
		break;
	case LAYER_MAC_OPTION:
		mac = pkt_mac(l->mac_option.mac);
		p[0] = l->mac_option.type;
		p[1] = 1;
		memcpy(p + 2, mac.b, 6);
		break;
	case LAYER_DATA:
		for (unsigned at = 0; at < l->n; at++)
			p[at] = (uint8_t)(at * 7 + at / 256);
		break;
	case LAYER_RAW:
		memcpy(p, l->raw.bytes, l->raw.n);
		break;
	case LAYER_QUOTE:
		pkt_build(&quoted, l->quote.layers, 0);
		memcpy(p, quoted.bytes + 14 + l->quote.from, layer_size(l));
		break;
	default:
		break;
	}
}

void
pkt_build(struct frame *out, const struct layer *layers, uint16_t entropy)
{
	struct building b = { .layers = layers, .entropy = entropy, .out = out };
	unsigned len = 0, cut = 0;

	memset(out, 0, sizeof(*out));
	for (; layers[b.n].kind != LAYER_END; b.n++) {
		if (layers[b.n].kind == LAYER_PADDING)
			b.end = len;
		if (layers[b.n].kind == LAYER_CUT)
			cut = layers[b.n].n;
		if (b.n == LAYERS_MAX || len + layer_size(&layers[b.n]) > FRAME_MAX)
			abort();
		b.start[b.n] = len;
		len += layer_size(&layers[b.n]);
	}
	if (b.end == 0)
		b.end = len;
	for (unsigned i = b.n; i-- > 0;)
		write_layer(&b, i);
	out->len = (uint16_t)(len - cut);
}
