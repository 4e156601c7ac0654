/* How a program is attached to an interface, asked of the interface itself. */
#ifndef RINGWAY_XDP_MODE_H
#define RINGWAY_XDP_MODE_H

#include "xdp/loader.h"

/* Leaves *mode as it is when nothing is attached. 0 or -errno. */
int xdp_query_mode(unsigned ifindex, enum xdp_mode *mode);

#endif
