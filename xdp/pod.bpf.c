/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* On the node's end of a pod's veth, and on the host port: everything goes to the socket. While there is none,
 * packets are dropped: the kernel knows nothing of the translation, and would forward or reset what it must not.
 *
 * Each interface has a map of its own rather than an entry in a common one: nothing has to be allocated, and
 * what is left of a pod that is gone is one directory of pins. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "xdp/steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1); /* queues; the loader sets it */
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

/* "xdp", not "xdp.frags": the kernel then turns the pod's segmentation offload off, so that no packet comes in
 * several buffers. */
SEC("xdp")
int
steer_pod(struct xdp_md *ctx)
{
	return (int)bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
}

const char dual_license[] SEC("license") = "Dual BSD/GPL";
