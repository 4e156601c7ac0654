/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* On an uplink: only what is ours goes to the sockets, the rest passes to the host's stack, so that a node never
 * loses its own connectivity. Ours is VXLAN addressed to our VTEP, what answers to pods that the outside knows by this
 * node's address (ports and echoes), what is for a frontend that is exposed, ICMP errors about what we sent of all these, and
 * where pods are known to the outside by their own addresses, what is addressed to these. Of a datagram in fragments only the
 * first tells; later ones follow it, when they come behind it. While there is no socket, what is ours is dropped. This steers and
 * is no security boundary: user space parses everything again. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp/steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1); /* queues; the loader sets it */
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_EXPOSED_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct steer_frontend);
	__type(value, __u8);
} exposed SEC(".maps");

/* A datagram that comes in fragments. */
struct datagram {
	struct in6_addr src, dst; /* IPv4 as v4-mapped */
	__u32 id;
	__u32 proto; /* IPv4; IPv6 does not tell datagrams apart by it (RFC 8200 section 4.5) */
};

/* Those of ours whose first fragment has come, and when (bpf_ktime_get_ns()). When there are too many, the oldest goes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STEER_DATAGRAMS_MAX);
	__type(key, struct datagram);
	__type(value, __u64);
} datagrams SEC(".maps");

const volatile struct steer_uplink config;

#define FRAGMENT_OFFSET 0x1fff
#define FRAGMENTS_MORE 0x2000
#define FRAGMENT_OFFSET_V6 0xfff8
#define FRAGMENTS_MORE_V6 1

/* Identifiers come again; hosts give up a datagram after so long (RFC 8200 section 4.5: a minute; Linux: half of one). */
#define DATAGRAM_NS 30000000000ull

/* RFC 792 */
enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

/* RFC 4443 section 2.1: errors are 1 to 127, and these are those that routers and hosts send. */
enum {
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
};

/* The kernel's <linux/icmp.h> does not compile for BPF. Both families' errors and echoes begin like this. */
struct icmp_head {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;
	__be16 rest;
};

/* RFC 8200 section 4.5 */
struct fragment_head {
	__u8 next;
	__u8 reserved;
	__be16 offset_flags;
	__be32 id;
};

/* TCP, UDP and SCTP begin like this. */
struct ports {
	__be16 source, dest;
};

struct vlan_tag {
	__be16 tci;
	__be16 ethertype;
};

/* Where reading stands. */
struct cursor {
	void *at, *end;
};

/* The next size bytes, or NULL when the packet ends before. */
static __always_inline void *
take(struct cursor *c, __u32 size)
{
	void *here = c->at;

	if (here + size > c->end)
		return NULL;
	c->at = here + size;
	return here;
}

static __always_inline bool
is_vtep_v4(__be32 addr)
{
	return config.is_v4 && addr == config.vtep[3];
}

static __always_inline bool
is_vtep_v6(const struct in6_addr *a)
{
	return a->s6_addr32[0] == config.vtep[0] && a->s6_addr32[1] == config.vtep[1] &&
	       a->s6_addr32[2] == config.vtep[2] && a->s6_addr32[3] == config.vtep[3];
}

static __always_inline bool
is_same_v6(const struct in6_addr *a, const struct in6_addr *b)
{
	return a->s6_addr32[0] == b->s6_addr32[0] && a->s6_addr32[1] == b->s6_addr32[1] &&
	       a->s6_addr32[2] == b->s6_addr32[2] && a->s6_addr32[3] == b->s6_addr32[3];
}

static __always_inline bool
is_masquerade_v4(__be32 addr)
{
	return config.masquerade_v4 != 0 && addr == config.masquerade_v4;
}

static __always_inline bool
is_masquerade_v6(const struct in6_addr *a)
{
	return config.masquerade_v6[0] != 0 && a->s6_addr32[0] == config.masquerade_v6[0] &&
	       a->s6_addr32[1] == config.masquerade_v6[1] && a->s6_addr32[2] == config.masquerade_v6[2] &&
	       a->s6_addr32[3] == config.masquerade_v6[3];
}

static __always_inline bool
is_pod_v4(__be32 addr)
{
	return config.takes_pods && config.pods_v4_mask != 0 &&
	       (addr & config.pods_v4_mask) == config.pods_v4;
}

static __always_inline bool
is_pod_v6(const struct in6_addr *a)
{
	return config.takes_pods && config.pods_v6_mask[0] != 0 &&
	       (a->s6_addr32[0] & config.pods_v6_mask[0]) == config.pods_v6[0] &&
	       (a->s6_addr32[1] & config.pods_v6_mask[1]) == config.pods_v6[1] &&
	       (a->s6_addr32[2] & config.pods_v6_mask[2]) == config.pods_v6[2] &&
	       (a->s6_addr32[3] & config.pods_v6_mask[3]) == config.pods_v6[3];
}

/* Of a masqueraded flow; or the identifier of an echo, which is given out alike. */
static __always_inline bool
is_our_port(__be16 port)
{
	__u16 n = bpf_ntohs(port);

	return config.ports[n / 64] >> n % 64 & 1;
}

static __always_inline const struct ports *
take_ports(struct cursor *c, __u8 proto)
{
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP)
		return NULL;
	return take(c, sizeof(struct ports));
}

static __always_inline bool
is_vxlan(const struct ports *ports, __u8 proto)
{
	return proto == IPPROTO_UDP && ports->dest == config.vxlan_port;
}

static __always_inline bool
is_exposed_v4(__be32 addr, __be16 port, __u8 proto)
{
	struct steer_frontend key = { { 0, 0, bpf_htonl(0xffff), addr }, port, proto, 0 };

	return bpf_map_lookup_elem(&exposed, &key) != NULL;
}

static __always_inline bool
is_exposed_v6(const struct in6_addr *addr, __be16 port, __u8 proto)
{
	struct steer_frontend key = { .port = port, .proto = proto };

	__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	return bpf_map_lookup_elem(&exposed, &key) != NULL;
}

/* An IPv4 header and its options. */
static __always_inline const struct iphdr *
take_ipv4(struct cursor *c)
{
	const struct iphdr *ip = take(c, sizeof(*ip));

	if (ip == NULL || ip->version != 4 || ip->ihl < 5)
		return NULL;
	if (ip->ihl > 5 && take(c, (ip->ihl * 4u - sizeof(*ip)) & 0x3c) == NULL)
		return NULL;
	return ip;
}

/* Behind a datagram's first fragment: notes it when it is ours. Returns whether it is. */
static __always_inline bool
follow_datagram(const struct datagram *d, bool is_ours)
{
	__u64 now = bpf_ktime_get_ns();

	if (is_ours)
		bpf_map_update_elem(&datagrams, d, &now, BPF_ANY);
	else
		bpf_map_delete_elem(&datagrams, d);
	return is_ours;
}

/* Whether a later fragment's first was ours. */
static __always_inline bool
is_of_our_datagram(const struct datagram *d)
{
	const __u64 *since = bpf_map_lookup_elem(&datagrams, d);

	return since != NULL && bpf_ktime_get_ns() - *since < DATAGRAM_NS;
}

/* Whether a quoted packet is an echo of ours. */
static __always_inline bool
is_our_echo(struct cursor *c, __u8 request)
{
	const struct icmp_head *icmp = take(c, sizeof(*icmp));

	return icmp != NULL && icmp->type == request && is_our_port(icmp->id);
}

/* Whether it is an answer to an echo of ours, or an error that quotes what our VTEP sent into a tunnel or a masqueraded flow
 * sent. */
static __always_inline bool
is_icmp_for_us_v4(struct cursor *c, const struct iphdr *ip)
{
	const struct icmp_head *icmp = take(c, sizeof(*icmp));
	const struct iphdr *quoted;
	const struct ports *ports;

	if (icmp != NULL && icmp->type == ICMP_ECHO_REPLY)
		return is_masquerade_v4(ip->daddr) && is_our_port(icmp->id);
	if (icmp == NULL || (icmp->type != ICMP_UNREACHABLE && icmp->type != ICMP_TIME_EXCEEDED &&
				    icmp->type != ICMP_PARAMETER_PROBLEM))
		return false;
	quoted = take_ipv4(c);
	if (quoted == NULL || quoted->saddr != ip->daddr || quoted->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return false;
	if (quoted->protocol == IPPROTO_ICMP)
		return is_masquerade_v4(ip->daddr) && is_our_echo(c, ICMP_ECHO_REQUEST);
	ports = take_ports(c, quoted->protocol);
	if (ports == NULL)
		return false;
	return (is_vxlan(ports, quoted->protocol) && is_vtep_v4(ip->daddr)) ||
	       (is_our_port(ports->source) && is_masquerade_v4(ip->daddr)) ||
	       is_exposed_v4(ip->daddr, ports->source, quoted->protocol);
}

/* By what follows the IP header. */
static __always_inline bool
is_payload_ours_v4(struct cursor *c, const struct iphdr *ip)
{
	const struct ports *ports;

	if (ip->protocol == IPPROTO_ICMP)
		return is_icmp_for_us_v4(c, ip);
	ports = take_ports(c, ip->protocol);
	if (ports == NULL)
		return false;
	return (is_vxlan(ports, ip->protocol) && is_vtep_v4(ip->daddr)) ||
	       (is_our_port(ports->dest) && is_masquerade_v4(ip->daddr)) ||
	       is_exposed_v4(ip->daddr, ports->dest, ip->protocol);
}

static __always_inline bool
is_ours_v4(struct cursor *c)
{
	const struct iphdr *ip = take_ipv4(c);
	struct datagram d = {};

	if (ip == NULL)
		return false;
	if (is_pod_v4(ip->daddr))
		return true;
	if (!(ip->frag_off & bpf_htons(FRAGMENT_OFFSET | FRAGMENTS_MORE)))
		return is_payload_ours_v4(c, ip);
	d.src.s6_addr32[2] = d.dst.s6_addr32[2] = bpf_htonl(0xffff);
	d.src.s6_addr32[3] = ip->saddr;
	d.dst.s6_addr32[3] = ip->daddr;
	d.id = ip->id;
	d.proto = ip->protocol;
	if (ip->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return is_of_our_datagram(&d);
	return follow_datagram(&d, is_payload_ours_v4(c, ip));
}

/* The header behind a quoted IPv6 header's fragment header, if there is one: what we sent may have been the first part of a
 * datagram that its sender cut. Later ones have no ports: false. */
static __always_inline bool
skip_quoted_fragment(struct cursor *c, __u8 *proto)
{
	const struct fragment_head *fragment;

	if (*proto != IPPROTO_FRAGMENT)
		return true;
	fragment = take(c, sizeof(*fragment));
	if (fragment == NULL || fragment->offset_flags & bpf_htons(FRAGMENT_OFFSET_V6))
		return false;
	*proto = fragment->next;
	return true;
}

static __always_inline bool
is_icmp_for_us_v6(struct cursor *c, const struct ipv6hdr *ip)
{
	const struct icmp_head *icmp = take(c, sizeof(*icmp));
	const struct ipv6hdr *quoted;
	const struct ports *ports;
	__u8 proto;

	if (icmp != NULL && icmp->type == ICMPV6_ECHO_REPLY)
		return is_masquerade_v6(&ip->daddr) && is_our_port(icmp->id);
	if (icmp == NULL || icmp->type < ICMPV6_UNREACHABLE || icmp->type > ICMPV6_PARAMETER_PROBLEM)
		return false;
	quoted = take(c, sizeof(*quoted));
	if (quoted == NULL || !is_same_v6(&quoted->saddr, &ip->daddr))
		return false;
	proto = quoted->nexthdr;
	if (!skip_quoted_fragment(c, &proto))
		return false;
	if (proto == IPPROTO_ICMPV6)
		return is_masquerade_v6(&ip->daddr) && is_our_echo(c, ICMPV6_ECHO_REQUEST);
	ports = take_ports(c, proto);
	if (ports == NULL)
		return false;
	return (is_vxlan(ports, proto) && !config.is_v4 && is_vtep_v6(&ip->daddr)) ||
	       (is_our_port(ports->source) && is_masquerade_v6(&ip->daddr)) ||
	       is_exposed_v6(&ip->daddr, ports->source, proto);
}

/* By what follows the IP header and the fragment header, if there is one. */
static __always_inline bool
is_payload_ours_v6(struct cursor *c, const struct ipv6hdr *ip, __u8 proto)
{
	const struct ports *ports;

	if (proto == IPPROTO_ICMPV6)
		return is_icmp_for_us_v6(c, ip);
	ports = take_ports(c, proto);
	if (ports == NULL)
		return false;
	return (is_vxlan(ports, proto) && !config.is_v4 && is_vtep_v6(&ip->daddr)) ||
	       (is_our_port(ports->dest) && is_masquerade_v6(&ip->daddr)) ||
	       is_exposed_v6(&ip->daddr, ports->dest, proto);
}

static __always_inline bool
is_fragment_ours_v6(struct cursor *c, const struct ipv6hdr *ip)
{
	const struct fragment_head *fragment = take(c, sizeof(*fragment));
	struct datagram d = {};

	if (fragment == NULL)
		return false;
	if (!(fragment->offset_flags & bpf_htons(FRAGMENT_OFFSET_V6 | FRAGMENTS_MORE_V6)))
		return is_payload_ours_v6(c, ip, fragment->next); /* whole all the same (RFC 6946) */
	d.src = ip->saddr;
	d.dst = ip->daddr;
	d.id = fragment->id;
	if (fragment->offset_flags & bpf_htons(FRAGMENT_OFFSET_V6))
		return is_of_our_datagram(&d);
	return follow_datagram(&d, is_payload_ours_v6(c, ip, fragment->next));
}

/* Hardly anybody puts other extension headers in front of what is ours; what has some is the host's. */
static __always_inline bool
is_ours_v6(struct cursor *c)
{
	const struct ipv6hdr *ip = take(c, sizeof(*ip));

	if (ip == NULL)
		return false;
	if (is_pod_v6(&ip->daddr))
		return true;
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return is_fragment_ours_v6(c, ip);
	return is_payload_ours_v6(c, ip, ip->nexthdr);
}

static __always_inline bool
is_ours(struct cursor *c)
{
	const struct ethhdr *eth = take(c, sizeof(*eth));
	__be16 ethertype;

	if (eth == NULL)
		return false;
	ethertype = eth->h_proto;
	if (ethertype == bpf_htons(ETH_P_8021Q)) {
		const struct vlan_tag *tag = take(c, sizeof(*tag));

		if (tag == NULL)
			return false;
		ethertype = tag->ethertype;
	}
	if (ethertype == bpf_htons(ETH_P_IP))
		return is_ours_v4(c);
	return ethertype == bpf_htons(ETH_P_IPV6) && is_ours_v6(c);
}

SEC("xdp")
int
steer_uplink(struct xdp_md *ctx)
{
	struct cursor c = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };

	if (!is_ours(&c))
		return XDP_PASS;
	return (int)bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
}

const char dual_license[] SEC("license") = "Dual BSD/GPL";
