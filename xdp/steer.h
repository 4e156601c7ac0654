/* What the BPF programs and their loader share. */
#ifndef RINGWAY_XDP_STEER_H
#define RINGWAY_XDP_STEER_H

#include <linux/types.h>

/* Name of each program's map of sockets, by receive queue. */
#define STEER_SOCKETS "sockets"

/* What an uplink's program looks for; constants of the program, set before it is loaded. Network byte order.
 * Addresses are 128 bits, IPv4 as v4-mapped. */
struct steer_uplink {
	__u32 vtep[4];
	__u16 vxlan_port;
	__u8 is_v4;
};

#endif
