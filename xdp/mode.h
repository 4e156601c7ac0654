/* How a program is attached to an interface, asked of the interface itself. */
#ifndef RINGWAY_XDP_MODE_H
#define RINGWAY_XDP_MODE_H

enum xdp_mode {
	XDP_MODE_NATIVE,
	/* Generic: the driver has no XDP. It sees packets after GRO, so GRO must be off on the interface, and
	 * the sender's segmentation offload too: what exceeds one frame is dropped. */
	XDP_MODE_SKB,
};

/* Which of them is wanted. AUTO: native, and skb where the driver has no XDP. */
enum xdp_choice {
	XDP_CHOICE_AUTO,
	XDP_CHOICE_NATIVE,
	XDP_CHOICE_SKB,
};

/* "native", "skb"; static storage. */
const char *xdp_mode_label(enum xdp_mode mode);

/* Leaves *mode as it is when nothing is attached. 0 or -errno. */
int xdp_query_mode(unsigned ifindex, enum xdp_mode *mode);

#endif
