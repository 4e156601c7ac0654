/* What the BPF programs and their loader share. */
#ifndef RINGWAY_XDP_STEER_H
#define RINGWAY_XDP_STEER_H

#include <linux/types.h>

/* Name of each program's map of sockets, by receive queue. */
#define STEER_SOCKETS "sockets"

/* Name of an uplink's map of frontends that are reachable from outside: struct steer_frontend to anything. */
#define STEER_EXPOSED "exposed"
#define STEER_EXPOSED_MAX 131072

/* Datagrams in fragments that an uplink's program follows at once. */
#define STEER_DATAGRAMS_MAX 8192

/* Network byte order; addresses as below. */
struct steer_frontend {
	__u32 addr[4];
	__u16 port;
	__u8 proto;
	__u8 pad; /* 0 */
};

/* What an uplink's program looks for; constants of the program, set before it is loaded. Network byte order.
 * Addresses are 128 bits, IPv4 as v4-mapped. */
struct steer_uplink {
	__u32 vtep[4];
	__u16 vxlan_port;
	__u8 is_v4;
	__u8 takes_pods;     /* what is addressed to pods outside a tunnel */
	__u32 masquerade_v4; /* this node's, by which the outside knows its pods; 0: none */
	__u32 masquerade_v6[4];
	__u32 pods_v4, pods_v4_mask; /* this node's pod networks */
	__u32 pods_v6[4], pods_v6_mask[4];
	__u64 ports
		[1024]; /* of these addresses, and identifiers of echoes: those of masqueraded flows, a bit each, host order */
};

#endif
