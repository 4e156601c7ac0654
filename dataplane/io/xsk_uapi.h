/* AF_XDP constants that are newer than the headers we build with (Debian's are of Linux 6.1), each with the
 * kernel that brought it. An older kernel refuses an option it does not know with ENOPROTOOPT. */
#ifndef RINGWAY_IO_XSK_UAPI_H
#define RINGWAY_IO_XSK_UAPI_H

#include <linux/if_xdp.h>

#ifndef AF_XDP
#define AF_XDP 44 /* 4.18 */
#endif
#ifndef SOL_XDP
#define SOL_XDP 283 /* 4.18 */
#endif

/* Bind flag, 6.6: packets in several buffers are wanted. Not to be repeated by a shared bind. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif

/* Descriptor option, 6.6: the packet goes on in the next descriptor. */
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

/* Socket option, 6.17: how many packets one sendto() may send in copy mode; 32 without it. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

#endif
