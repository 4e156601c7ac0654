/* The kernel's part: programs on interfaces, and the maps through which they find our sockets. All of an
 * instance is pinned below one directory on a bpffs, so that it stays in force while no daemon runs (packets
 * of pods are dropped then, never passed to a kernel that knows nothing of the translation), and the next one
 * finds it: <dir>/<name>/link, <dir>/<name>/sockets and for an uplink <dir>/<name>/exposed. Control thread only, in the
 * network namespace of the interfaces. */
#ifndef RINGWAY_XDP_LOADER_H
#define RINGWAY_XDP_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/ip_addr.h"
#include "xdp/error.h"
#include "xdp/mode.h"
#include "xdp/pinned.h"

struct xdp;

/* Mounts a bpffs at dir (made if missing) unless it is on one already, and removes pins of interfaces that
 * are gone. Raises RLIMIT_MEMLOCK where allowed. log (may be NULL) receives libbpf's
 * warnings. 0 or -errno. */
int xdp_open(
	struct xdp **out, const char *dir, void (*log)(const char *text), char error[static XDP_ERROR_SIZE]);

/* Closes our ends; all that is pinned stays in force. Accepts NULL. */
void xdp_close(struct xdp *x);

/* Puts the pod program on an interface: everything goes to the socket of its queue, and what has none is
 * dropped. Also for the host port. A link of that name which is still on this interface is kept as it is, with
 * the sockets it has and in the mode it has: without it, the pod's packets would reach the host's stack. One on
 * another interface is replaced. *mode (may be NULL) tells how. 0 or -errno. */
int xdp_attach_pod(struct xdp *x, unsigned ifindex, const char *name, enum xdp_choice choice,
	enum xdp_mode *mode, char error[static XDP_ERROR_SIZE]);

/* Ports, or identifiers of echoes: a bit each, the lowest of the first word for 0. */
#define XDP_PORT_WORDS 1024

/* What is ours on an uplink; the rest passes to the host's stack. */
struct xdp_uplink_config {
	struct ip_addr vtep;
	uint16_t vxlan_port; /* host byte order */
	uint32_t n_queues;   /* receive queues of the interface */

	/* this node's addresses by which the outside knows pods, IPv4 and IPv6, and the ports of them that are pods' */
	struct ip_addr masquerade[2];
	const uint64_t *ports; /* [XDP_PORT_WORDS]; NULL: none */

	/* this node's pod networks, when packets to pods may come outside of tunnels; len 0: not so */
	struct ip_prefix pods[2];
};

/* Puts the uplink program on an interface: VXLAN to our VTEP, answers to masqueraded flows, ICMP errors about what we
 * sent of both, and packets to pods, each as far as the config names them; and what is for an exposed frontend:
 * xdp_set_exposed(). Later fragments go where their first went.
 * If it is attached already, the program is exchanged without a gap, and sockets and frontends stay in place; in another mode
 * than the one chosen it is attached anew, and its sockets have to be set again. 0 or -errno. */
int xdp_attach_uplink(struct xdp *x, unsigned ifindex, const char *name,
	const struct xdp_uplink_config *config, enum xdp_choice choice, enum xdp_mode *mode,
	char error[static XDP_ERROR_SIZE]);

/* Names the socket that receives what arrives at that queue, and unnames it. A socket that closes is taken
 * out by the kernel itself. 0 or -errno: -ENOENT when nothing of that name is attached. */
int xdp_set_socket(struct xdp *x, const char *name, uint32_t queue, int socket);
int xdp_clear_socket(struct xdp *x, const char *name, uint32_t queue);

/* A frontend that is reachable from outside. */
struct xdp_frontend {
	struct ip_addr addr;
	uint16_t port; /* host byte order */
	uint8_t proto;
};

/* Has an uplink's program take packets for these frontends, and for no others. What is right already is not touched, also
 * when a former process set it. 0 or -errno: -ENOENT when nothing of that name is attached, -E2BIG when there are too
 * many. */
int xdp_set_exposed(struct xdp *x, const char *name, const struct xdp_frontend *frontends, size_t n);

/* Takes the program off and removes its pins; nothing if there is none of that name. The interface's traffic
 * goes to the host's stack from then on, so a pod's interface goes first, or is down. 0 or -errno. */
int xdp_detach(struct xdp *x, const char *name);

/* Calls fn for everything attached: ifindex is 0 when the interface is gone. fn may detach it. */
void xdp_each(struct xdp *x, void (*fn)(void *arg, const char *name, unsigned ifindex), void *arg);

/* Detaches everything, unmounts the bpffs if it was mounted for us, removes the directory. Closes x. */
int xdp_uninstall(struct xdp *x, char error[static XDP_ERROR_SIZE]);

#endif
