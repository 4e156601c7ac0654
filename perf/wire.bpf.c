/* Traffic for the wire benchmark. 'generate' runs by BPF_PROG_RUN on live frames in the sending pod's
 * namespace: it writes the fields that vary into the frame and sends it by the pod's interface, at a third
 * of what a socket would cost, so that one core can saturate a forwarder on another. 'receive' sits at the
 * receiving pod's interface (tc ingress): counts, takes latency and judges a sample, and drops, so that
 * the pod's stack takes no part. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "perf/mix.h"
#include "perf/wire_bpf.h"

#define ETH_LEN 14
#define UDP_LEN 8
#define LATE_NS 1000000

struct wire_config config;
struct wire_counts counts;

/* The sender's clock: nanoseconds between packets (0: none), and when the next one is due. */
__u64 gap_ns, due_ns;

static __u16
fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __u32
add32(__u32 sum, __u32 word)
{
	return sum + (word & 0xffff) + (word >> 16);
}

/* Where the transport header begins, or NULL: an IPv4 frame without options, or an IPv6 one. */
static void *
transport(void *data, void *end)
{
	unsigned off = ETH_LEN + (config.l3_len == 40 ? 40 : 20);

	if (data + off + UDP_LEN + sizeof(struct wire_payload) > end)
		return NULL;
	return data + off;
}

#define SPINS_MAX 4096

/* Waits until the next packet is due; one that is late by much is not made up for. */
static void
keep_rate(void)
{
	__u64 now = bpf_ktime_get_ns();

	for (int i = 0; i < SPINS_MAX && now < due_ns; i++)
		now = bpf_ktime_get_ns();
	due_ns = now > due_ns + LATE_NS ? now + gap_ns : due_ns + gap_ns;
}

SEC("xdp")
int
generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *l4 = transport(data, end);
	unsigned flow, service = 0, low = 0;
	__u16 *udp = (void *)l4;
	struct wire_payload *payload;
	__u32 sum = config.udp_sum;

	if (l4 == NULL)
		return XDP_DROP;
	if (gap_ns != 0)
		keep_rate();
	flow = below(bpf_get_prandom_u32(), config.n_flows);
	payload = (void *)(l4 + UDP_LEN);
	if (config.n_services != 0) {
		service = mix_service(mix(flow), config.n_services, config.hot_percent, config.n_hot);
		low = bpf_htonl(config.service_base + service);
		*(__u32 *)(l4 - 4) = low; /* the destination's last 32 bits end where UDP begins */
		sum = add32(sum, low);
	}
	udp[0] = bpf_htons((__u16)(config.sport_first + flow % config.n_sports));
	payload->service = service;
	payload->sent_ns = counts.sent % WIRE_SAMPLE == 0 ? bpf_ktime_get_ns() : 0;
	sum = add32(add32(add32(sum + udp[0], service), (__u32)payload->sent_ns),
		(__u32)(payload->sent_ns >> 32));
	udp[3] = fold(sum);
	if (udp[3] == 0)
		udp[3] = 0xffff;
	if (config.l3_len == 20)
		*(__u16 *)(l4 - 10) = fold(add32(config.ip_sum, low));
	counts.sent++;
	return (int)bpf_redirect(config.ifindex, 0);
}

/* Eight bins per octave, from the first three bits after the leading one. */
static unsigned
latency_bin(__u64 ns)
{
	unsigned octave = 0;
	__u64 x = ns;

	if (ns < 8)
		return (unsigned)ns;
#pragma unroll
	for (int shift = 32; shift > 0; shift >>= 1) {
		if (x >> shift != 0) {
			x >>= shift;
			octave += (unsigned)shift;
		}
	}
	return ((octave - 2) << 3 | (unsigned)(ns >> (octave - 3) & 7)) & (WIRE_BINS - 1);
}

/* Is it for the backend, with the checksum that its fields call for: the payload is known, so it needs no
 * summing. */
static int
is_as_sent(__u8 *l4, const struct wire_payload *payload)
{
	__u16 *udp = (void *)l4;
	__u32 *low = (void *)(l4 - 4),
	      *high = (void *)(l4 - 16); /* of the destination, which ends where UDP begins */
	__u16 port =
		bpf_htons((__u16)(config.backend_port_first + payload->service % config.n_backend_ports));
	__u32 sum = add32(config.received_sum, config.backend[3]);

	if (*low != config.backend[3] || udp[1] != port)
		return 0;
	if (config.l3_len == 40) {
		if (high[0] != config.backend[0] || high[1] != config.backend[1] ||
			high[2] != config.backend[2])
			return 0;
		sum = add32(add32(add32(sum, high[0]), high[1]), high[2]);
	}
	sum = add32(sum + udp[0] + port, payload->service);
	sum = add32(add32(sum, (__u32)payload->sent_ns), (__u32)(payload->sent_ns >> 32));
	sum = fold(sum);
	return udp[3] == (sum == 0 ? 0xffff : sum);
}

SEC("tc")
int
receive(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 *l4 = transport(data, end);
	struct wire_payload *payload;

	if (l4 == NULL)
		return TC_ACT_OK;
	payload = (void *)(l4 + UDP_LEN);
	if (payload->magic != WIRE_MAGIC)
		return TC_ACT_OK;
	counts.received++;
	if (payload->sent_ns != 0) {
		counts.latency[latency_bin(bpf_ktime_get_ns() - payload->sent_ns)]++;
		if (config.n_backend_ports == 0)
			return TC_ACT_SHOT; /* a forwarder that does not translate */
		if (is_as_sent(l4, payload))
			counts.verified++;
		else
			counts.wrong++;
	}
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
