/* The slot in a source port (DESIGN section 5.2). Pods take their client ports from 33792 to 49151, which all
 * begin with the bits 10; a slot of 1 to 3 changes these two bits, so that a backend's answer says by itself
 * which of its frontends it is for:
 *
 *     slot 0   33792-49151   the client's own port, as it is
 *     slot 1   50176-65535
 *     slot 2    1024-16383
 *     slot 3   17408-32767
 *
 * Between them lie ports that no slot ever makes of a client port: 16384-17407 serve exceptions whose own
 * port is taken. Ports in host byte order. Any thread. */
#ifndef RINGWAY_SERVICE_SLOT_H
#define RINGWAY_SERVICE_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#define SLOTS 4 /* slot 0: none, an exception; 1..3 are encoded in the client's port or address */

/* What the shim sets in each pod: net.ipv4.ip_local_port_range */
#define CLIENT_PORT_FIRST 33792
#define CLIENT_PORT_LAST 49151

#define EXCEPTION_PORT_FIRST 16384
#define EXCEPTION_PORT_LAST 17407

#define SLOT_SHIFT 14

static inline bool
slot_is_client_port(uint16_t port)
{
	return port >= CLIENT_PORT_FIRST && port <= CLIENT_PORT_LAST;
}

/* The port on the wire for a client port (slot_is_client_port()) and a slot of 0..3. */
static inline uint16_t
slot_encode(uint16_t client_port, unsigned slot)
{
	return (uint16_t)(client_port ^ slot << SLOT_SHIFT);
}

/* The slot that a port on the wire would belong to, and in *client_port what the client would have sent; -1
 * when no slot makes such a port. */
static inline int
slot_decode(uint16_t wire_port, uint16_t *client_port)
{
	unsigned slot = (unsigned)wire_port >> SLOT_SHIFT ^ CLIENT_PORT_FIRST >> SLOT_SHIFT;

	*client_port = (uint16_t)(wire_port ^ slot << SLOT_SHIFT);
	return slot_is_client_port(*client_port) ? (int)slot : -1;
}

#endif
