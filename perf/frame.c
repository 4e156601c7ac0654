#include "perf/frame.h"

static uint64_t
sum_bytes(uint64_t sum, const uint8_t *at, unsigned len)
{
	for (; len >= 4; at += 4, len -= 4) {
		uint32_t word;

		memcpy(&word, at, 4);
		sum += word;
	}
	if (len >= 2) {
		uint16_t half;

		memcpy(&half, at, 2);
		sum += half;
		at += 2;
		len -= 2;
	}
	return len == 0 ? sum : sum + *at;
}

/* The one's complement of the folded sum, in wire order. RFC 1071 */
static uint16_t
fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint64_t
pseudo_sum(const uint8_t *addrs, unsigned addrs_len, uint8_t proto, unsigned len)
{
	return sum_bytes(0, addrs, addrs_len) + __builtin_bswap16(proto) + __builtin_bswap16((uint16_t)len);
}

static uint8_t *
write_ip(uint8_t *at, const struct frame *f, unsigned l4_len)
{
	if (ip_addr_is_v4(&f->src)) {
		struct ipv4_hdr ip = {
			.version_ihl = 0x45,
			.total_len = be16_from((uint16_t)(sizeof(ip) + l4_len)),
			.frag = be16_from(IPV4_DONT_FRAGMENT),
			.ttl = f->ttl,
			.proto = f->proto,
			.src = ip_addr_to_v4(&f->src),
			.dst = ip_addr_to_v4(&f->dst),
		};

		ip.checksum.raw = fold(sum_bytes(0, (const uint8_t *)&ip, sizeof(ip)));
		memcpy(at, &ip, sizeof(ip));
		return at + sizeof(ip);
	}
	struct ipv6_hdr ip = {
		.version_class_flow = be32_from(0x60000000),
		.payload_len = be16_from((uint16_t)l4_len),
		.next = f->proto,
		.hop_limit = f->ttl,
	};

	memcpy(ip.src, f->src.b, 16);
	memcpy(ip.dst, f->dst.b, 16);
	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

static uint16_t
l4_checksum(const uint8_t *l4, unsigned l4_len, const struct frame *f)
{
	bool v4 = ip_addr_is_v4(&f->src);
	uint64_t sum = v4 ? pseudo_sum(f->src.b + 12, 4, f->proto, l4_len) + sum_bytes(0, f->dst.b + 12, 4)
			  : pseudo_sum(f->src.b, 16, f->proto, l4_len) + sum_bytes(0, f->dst.b, 16);

	return fold(sum_bytes(sum, l4, l4_len));
}

static void
write_l4(uint8_t *at, unsigned l4_len, const struct frame *f)
{
	be32 tag = be32_from(f->tag);

	if (f->proto == PROTO_TCP) {
		struct tcp_hdr tcp = {
			.sport = be16_from(f->sport),
			.dport = be16_from(f->dport),
			.seq = be32_from(1),
			.ack = be32_from(1),
			.data_off = 5 << 4,
			.flags = TCP_ACK | TCP_PSH,
			.window = be16_from(512),
		};

		memcpy(at, &tcp, sizeof(tcp));
		memcpy(at + sizeof(tcp), &tag, sizeof(tag));
		tcp.checksum.raw = l4_checksum(at, l4_len, f);
		memcpy(at, &tcp, sizeof(tcp));
		return;
	}
	struct udp_hdr udp = {
		.sport = be16_from(f->sport),
		.dport = be16_from(f->dport),
		.len = be16_from((uint16_t)l4_len),
	};

	memcpy(at, &udp, sizeof(udp));
	memcpy(at + sizeof(udp), &tag, sizeof(tag));
	udp.checksum.raw = l4_checksum(at, l4_len, f);
	if (udp.checksum.raw == 0)
		udp.checksum.raw = 0xffff;
	memcpy(at, &udp, sizeof(udp));
}

void
frame_write(uint8_t *at, const struct frame *f)
{
	bool v4 = ip_addr_is_v4(&f->src);
	struct eth_hdr eth = {
		.dst = f->eth_dst, .src = f->eth_src, .type = be16_from(v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6)
	};
	unsigned l4_len = f->size - (unsigned)sizeof(eth) -
			  (unsigned)(v4 ? sizeof(struct ipv4_hdr) : sizeof(struct ipv6_hdr));

	memcpy(at, &eth, sizeof(eth));
	write_l4(write_ip(at + sizeof(eth), f, l4_len), l4_len, f);
}

uint8_t *
tunnel_write(uint8_t *inner, uint16_t inner_size, const struct tunnel *t, uint16_t sport)
{
	struct vxlan_hdr vxlan = { .flags = be32_from(VXLAN_FLAG_VNI), .vni = be32_from(t->vni << 8) };
	struct udp_hdr udp = {
		.sport = be16_from(sport),
		.dport = be16_from(t->port),
		.len = be16_from((uint16_t)(sizeof(udp) + sizeof(vxlan) + inner_size)),
	};
	struct eth_hdr eth = { .dst = t->eth_dst, .src = t->eth_src, .type = be16_from(ETH_TYPE_IPV4) };
	struct frame outer = { .src = t->src, .dst = t->dst, .ttl = FRAME_TTL, .proto = PROTO_UDP };
	uint8_t *at = inner - VXLAN_OUTER_V4;

	memcpy(at, &eth, sizeof(eth));
	write_ip(at + sizeof(eth), &outer, (unsigned)be16_host(udp.len));
	memcpy(inner - sizeof(vxlan) - sizeof(udp), &udp, sizeof(udp));
	memcpy(inner - sizeof(vxlan), &vxlan, sizeof(vxlan));
	return at;
}

/* Reads the IP header at 'at' into f; *l4_len receives what the packet holds behind it. NULL, or what is
 * wrong. */
static const char *
read_ip(const uint8_t *at, unsigned len, be16 type, struct frame *f, unsigned *l4_len)
{
	struct ipv4_hdr ip4;
	struct ipv6_hdr ip6;

	if (be16_host(type) == ETH_TYPE_IPV4) {
		if (len < sizeof(ip4))
			return "IPv4 header cut off";
		memcpy(&ip4, at, sizeof(ip4));
		if (ip4.version_ihl != 0x45)
			return "not an IPv4 header of 20 bytes";
		if (fold(sum_bytes(0, at, sizeof(ip4))) != 0)
			return "IPv4 header checksum";
		if (be16_host(ip4.total_len) != len)
			return "IPv4 length";
		f->src = ip_addr_v4(ip4.src);
		f->dst = ip_addr_v4(ip4.dst);
		f->proto = ip4.proto;
		f->ttl = ip4.ttl;
		*l4_len = len - (unsigned)sizeof(ip4);
		return NULL;
	}
	if (be16_host(type) != ETH_TYPE_IPV6)
		return "neither IPv4 nor IPv6";
	if (len < sizeof(ip6))
		return "IPv6 header cut off";
	memcpy(&ip6, at, sizeof(ip6));
	if (at[0] >> 4 != 6)
		return "not an IPv6 header";
	if (be16_host(ip6.payload_len) != len - sizeof(ip6))
		return "IPv6 length";
	f->src = ip_addr_v6(ip6.src);
	f->dst = ip_addr_v6(ip6.dst);
	f->proto = ip6.next;
	f->ttl = ip6.hop_limit;
	*l4_len = len - (unsigned)sizeof(ip6);
	return NULL;
}

static const char *
read_l4(const uint8_t *at, unsigned l4_len, struct frame *f)
{
	unsigned header = f->proto == PROTO_TCP ? sizeof(struct tcp_hdr) : sizeof(struct udp_hdr);
	be16 ports[2];
	be32 tag;

	if (f->proto != PROTO_TCP && f->proto != PROTO_UDP)
		return "neither TCP nor UDP";
	if (l4_len < header + sizeof(tag))
		return "transport header cut off";
	if (f->proto == PROTO_UDP && (at[4] << 8 | at[5]) != (int)l4_len)
		return "UDP length";
	if (l4_checksum(at, l4_len, f) != 0)
		return f->proto == PROTO_TCP ? "TCP checksum" : "UDP checksum";
	memcpy(ports, at, sizeof(ports));
	memcpy(&tag, at + header, sizeof(tag));
	f->sport = be16_host(ports[0]);
	f->dport = be16_host(ports[1]);
	f->tag = be32_host(tag);
	return NULL;
}

const char *
frame_read(const uint8_t *at, unsigned len, struct frame *f)
{
	struct eth_hdr eth;
	unsigned l4_len;
	const char *wrong;

	if (len < sizeof(eth))
		return "Ethernet header cut off";
	memcpy(&eth, at, sizeof(eth));
	f->eth_dst = eth.dst;
	f->eth_src = eth.src;
	f->size = (uint16_t)len;
	wrong = read_ip(at + sizeof(eth), len - (unsigned)sizeof(eth), eth.type, f, &l4_len);
	return wrong != NULL ? wrong : read_l4(at + len - l4_len, l4_len, f);
}

const char *
tunnel_read(const uint8_t *at, unsigned len, struct tunnel *t)
{
	struct frame outer = { 0 };
	struct eth_hdr eth;
	struct udp_hdr udp;
	struct vxlan_hdr vxlan;
	unsigned udp_len;
	const char *wrong;

	if (len < VXLAN_OUTER_V4)
		return "outer headers cut off";
	memcpy(&eth, at, sizeof(eth));
	if (be16_host(eth.type) != ETH_TYPE_IPV4)
		return "outer header is not IPv4";
	wrong = read_ip(at + sizeof(eth), len - (unsigned)sizeof(eth), eth.type, &outer, &udp_len);
	if (wrong != NULL)
		return wrong;
	memcpy(&udp, at + len - udp_len, sizeof(udp));
	memcpy(&vxlan, at + len - udp_len + sizeof(udp), sizeof(vxlan));
	if (outer.proto != PROTO_UDP || be16_host(udp.len) != udp_len)
		return "outer header is not UDP of that length";
	if (udp.checksum.raw != 0 && l4_checksum(at + len - udp_len, udp_len, &outer) != 0)
		return "outer UDP checksum";
	if (be32_host(vxlan.flags) != VXLAN_FLAG_VNI || (be32_host(vxlan.vni) & 0xff) != 0)
		return "VXLAN flags or reserved bits";
	*t = (struct tunnel){
		.eth_dst = eth.dst,
		.eth_src = eth.src,
		.src = outer.src,
		.dst = outer.dst,
		.port = be16_host(udp.dport),
		.vni = be32_host(vxlan.vni) >> 8,
	};
	return NULL;
}
