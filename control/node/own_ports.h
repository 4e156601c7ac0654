/* Node ports and host ports for this node's own processes. What they send to an address of the node goes over lo, where
 * nobody translates it; routing rules bring it to the host port instead (netdev_set_detours()), as far as it is for an
 * exposed frontend. It has the source that calls of services have, the address reserved for the stack, unless the process
 * bound its socket to another one. 127.0.0.1 and ::1 stay the kernel's, as with kube-proxy in nftables mode.
 *
 * A rule costs every packet that the node itself begins to send, so there are few: of many ports, those that lie closest
 * together share one, and what is for a port between them that is no frontend's comes back from the host port as it is. (A
 * datagram server there which is bound to no address then answers with another one than it was asked at.)
 * The rules stay when the daemon ends. Control thread only. */
#ifndef RINGWAY_NODE_OWN_PORTS_H
#define RINGWAY_NODE_OWN_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OWN_PORTS_ERROR_SIZE 256

/* Of an address and a protocol. */
#define OWN_PORTS_RANGES_MAX 16

struct exposed;
struct netdev;
struct own_ports;

struct port_range {
	uint16_t first, last; /* host byte order */
};

/* The ranges that cover these ports, sorted and each once, with as few others as so many ranges leave. How many they are;
 * n > 0. */
size_t own_ports_cover(const uint16_t *ports, size_t n, struct port_range out[static OWN_PORTS_RANGES_MAX]);

/* The netdev is the caller's. NULL if out of memory. */
struct own_ports *own_ports_new(struct netdev *netdev);
void own_ports_free(struct own_ports *o);

/* Brings the rules in line with what is exposed (version 0: what a former process left stays). Cheap when that is what it was;
 * is_due: looks at the rules themselves, which others may have removed. 0 or -errno with a message; the next call tries
 * again. */
int own_ports_follow(
	struct own_ports *o, const struct exposed *e, bool is_due, char error[static OWN_PORTS_ERROR_SIZE]);

#endif
