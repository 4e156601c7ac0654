#include "control/admin/probe.h"

#include <string.h>
#include <strings.h>

#include "dataplane/net/checksum.h"

#define PROBE_WINDOW 64240 /* what Linux offers in a SYN over Ethernet */
#define PROBE_MSS_OPTION 4 /* kind, length, value (RFC 9293 section 3.2) */
#define VXLAN_SOURCE_PORT 49152

static const struct {
	const char *name;
	uint8_t flag;
} flag_names[] = {
	{ "SYN", TCP_SYN },
	{ "ACK", TCP_ACK },
	{ "FIN", TCP_FIN },
	{ "RST", TCP_RST },
	{ "PSH", TCP_PSH },
	{ "URG", TCP_URG },
};

#define N_FLAGS (sizeof(flag_names) / sizeof(flag_names[0]))

static unsigned
ip_header_len(const struct probe *p)
{
	return ip_addr_is_v4(&p->dst) ? sizeof(struct ipv4_hdr) : sizeof(struct ipv6_hdr);
}

static bool
has_mss(const struct probe *p)
{
	return (p->tcp_flags & TCP_SYN) != 0;
}

static unsigned
l4_header_len(const struct probe *p)
{
	switch (p->proto) {
	case PROTO_TCP:
		return sizeof(struct tcp_hdr) + (has_mss(p) ? PROBE_MSS_OPTION : 0);
	case PROTO_UDP:
		return sizeof(struct udp_hdr);
	case PROTO_SCTP:
		return sizeof(struct sctp_hdr);
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return sizeof(struct icmp_hdr);
	default:
		return 0;
	}
}

uint16_t
probe_least_size(const struct probe *p)
{
	unsigned l4 = l4_header_len(p);

	return (uint16_t)(l4 == 0 ? 0 : ip_header_len(p) + l4);
}

static void
build_ip(const struct probe *p, uint8_t *at, unsigned l4_len)
{
	if (ip_addr_is_v4(&p->dst)) {
		struct ipv4_hdr *ip = (struct ipv4_hdr *)at;

		*ip = (struct ipv4_hdr){
			.version_ihl = 0x45,
			.total_len = be16_from((uint16_t)(sizeof(*ip) + l4_len)),
			.frag = be16_from(IPV4_DONT_FRAGMENT),
			.ttl = PROBE_TTL,
			.proto = p->proto,
			.src = ip_addr_to_v4(&p->src),
			.dst = ip_addr_to_v4(&p->dst),
		};
		ip->checksum = checksum_ipv4(ip);
	} else {
		struct ipv6_hdr *ip = (struct ipv6_hdr *)at;

		*ip = (struct ipv6_hdr){
			.version_class_flow = be32_from(6u << 28),
			.payload_len = be16_from((uint16_t)l4_len),
			.next = p->proto,
			.hop_limit = PROBE_TTL,
		};
		memcpy(ip->src, p->src.b, sizeof(ip->src));
		memcpy(ip->dst, p->dst.b, sizeof(ip->dst));
	}
}

static void
build_tcp(const struct probe *p, uint8_t *at, unsigned l4_len, uint64_t sum)
{
	struct tcp_hdr *tcp = (struct tcp_hdr *)at;

	*tcp = (struct tcp_hdr){
		.sport = be16_from(p->sport),
		.dport = be16_from(p->dport),
		.seq = be32_from(1),
		.ack = be32_from((p->tcp_flags & TCP_ACK) != 0 ? 1 : 0),
		.data_off = (uint8_t)(l4_header_len(p) / 4 << 4),
		.flags = p->tcp_flags,
		.window = be16_from(PROBE_WINDOW),
	};
	if (has_mss(p)) {
		uint16_t mss = (uint16_t)(1500 - ip_header_len(p) - sizeof(*tcp));
		uint8_t *option = at + sizeof(*tcp);

		option[0] = 2;
		option[1] = PROBE_MSS_OPTION;
		option[2] = (uint8_t)(mss >> 8);
		option[3] = (uint8_t)mss;
	}
	tcp->checksum = checksum_finish(checksum_add(sum, at, l4_len));
}

static void
build_udp(const struct probe *p, uint8_t *at, unsigned l4_len, uint64_t sum)
{
	struct udp_hdr *udp = (struct udp_hdr *)at;

	*udp = (struct udp_hdr){
		.sport = be16_from(p->sport),
		.dport = be16_from(p->dport),
		.len = be16_from((uint16_t)l4_len),
	};
	udp->checksum = checksum_finish_udp(checksum_add(sum, at, l4_len));
}

static void
build_icmp(const struct probe *p, uint8_t *at, unsigned l4_len, uint64_t sum)
{
	struct icmp_hdr *icmp = (struct icmp_hdr *)at;

	*icmp = (struct icmp_hdr){
		.type = p->proto == PROTO_ICMP ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST,
		.echo = { .id = be16_from(p->sport), .seq = be16_from(1) },
	};
	/* ICMP, unlike ICMPv6, has no pseudo-header */
	icmp->checksum = checksum_finish(checksum_add(p->proto == PROTO_ICMP ? 0 : sum, at, l4_len));
}

static void
build_sctp(const struct probe *p, uint8_t *at, unsigned l4_len)
{
	struct sctp_hdr *sctp = (struct sctp_hdr *)at;

	*sctp = (struct sctp_hdr){ .sport = be16_from(p->sport), .dport = be16_from(p->dport) };
	sctp->crc32c.raw = checksum_sctp(at, l4_len);
}

uint16_t
probe_build(const struct probe *p, uint8_t *frame)
{
	struct eth_hdr *eth = (struct eth_hdr *)frame;
	bool is_v4 = ip_addr_is_v4(&p->dst);
	unsigned ip_len = ip_header_len(p), least = probe_least_size(p);
	unsigned size = p->size < least ? least : p->size;
	unsigned l4_len = size - ip_len;
	uint8_t *l4 = frame + sizeof(*eth) + ip_len;
	uint64_t sum = checksum_pseudo(&p->src, &p->dst, is_v4, p->proto, l4_len);

	*eth = (struct eth_hdr){ p->eth_dst, p->eth_src, be16_from(is_v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6) };
	build_ip(p, frame + sizeof(*eth), l4_len);
	memset(l4, 0, l4_len);
	switch (p->proto) {
	case PROTO_TCP:
		build_tcp(p, l4, l4_len, sum);
		break;
	case PROTO_UDP:
		build_udp(p, l4, l4_len, sum);
		break;
	case PROTO_SCTP:
		build_sctp(p, l4, l4_len);
		break;
	default:
		build_icmp(p, l4, l4_len, sum);
		break;
	}
	return (uint16_t)(sizeof(*eth) + size);
}

uint8_t *
probe_encap(const struct probe_tunnel *t, uint8_t *frame, uint16_t *len)
{
	struct vxlan_hdr *vxlan = (struct vxlan_hdr *)(frame - sizeof(*vxlan));
	struct udp_hdr *udp = (struct udp_hdr *)vxlan - 1;
	unsigned udp_len = *len + (unsigned)sizeof(*udp) + (unsigned)sizeof(*vxlan);
	bool is_v4 = ip_addr_is_v4(&t->dst);
	struct probe outer = { .src = t->src, .dst = t->dst, .proto = PROTO_UDP };
	uint8_t *ip = (uint8_t *)udp - ip_header_len(&outer);
	struct eth_hdr *eth = (struct eth_hdr *)ip - 1;

	*vxlan = (struct vxlan_hdr){ be32_from(VXLAN_FLAG_VNI), be32_from(t->vni << 8) };
	*udp = (struct udp_hdr){ be16_from(VXLAN_SOURCE_PORT), be16_from(t->port),
		be16_from((uint16_t)udp_len), { 0 } };
	if (!is_v4) /* RFC 8200 section 8.1; over IPv4, RFC 7348 wants none */
		udp->checksum = checksum_finish_udp(checksum_add(
			checksum_pseudo(&t->src, &t->dst, false, PROTO_UDP, udp_len), udp, udp_len));
	build_ip(&outer, ip, udp_len);
	*eth = (struct eth_hdr){ t->eth_dst, t->eth_src, be16_from(is_v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6) };
	*len = (uint16_t)(*len + (frame - (uint8_t *)eth));
	return (uint8_t *)eth;
}

bool
probe_parse_tcp_flags(const char *text, uint8_t *flags)
{
	*flags = 0;
	if (strcasecmp(text, "none") == 0)
		return true;
	for (;;) {
		size_t len = strcspn(text, ",+|"), i;

		for (i = 0; i < N_FLAGS; i++)
			if (len == strlen(flag_names[i].name) &&
				strncasecmp(text, flag_names[i].name, len) == 0)
				break;
		if (i == N_FLAGS)
			return false;
		*flags |= flag_names[i].flag;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

const char *
probe_format_tcp_flags(uint8_t flags, char buf[static PROBE_FLAGS_SIZE])
{
	size_t len = 0;

	for (size_t i = 0; i < N_FLAGS; i++)
		if ((flags & flag_names[i].flag) != 0) {
			if (len != 0)
				buf[len++] = ',';
			memcpy(buf + len, flag_names[i].name, 3);
			len += 3;
		}
	memcpy(buf + len, len == 0 ? "none" : "", len == 0 ? 5 : 1);
	return buf;
}
