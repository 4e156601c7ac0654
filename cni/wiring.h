/* What the daemon wants a pod's links to be: its answer to /v1/cni/add. */
#ifndef RINGWAY_CNI_WIRING_H
#define RINGWAY_CNI_WIRING_H

#include <netinet/in.h>
#include <stdint.h>

#include "cni/netconf.h"

#define MAC_STRLEN 18
#define WIRING_ADDRS_MAX 2 /* one per family */

struct wiring_addr {
	int family; /* AF_INET, AF_INET6 */
	char addr[INET6_ADDRSTRLEN];
	char gateway[INET6_ADDRSTRLEN];
};

struct wiring {
	char link[IF_NAMESIZE]; /* the node's end; the pod's is netconf.ifname */
	uint8_t mac[6], node_mac[6];
	char mac_text[MAC_STRLEN], node_mac_text[MAC_STRLEN];
	unsigned mtu;
	unsigned n_addrs;
	struct wiring_addr addrs[WIRING_ADDRS_MAX]; /* /32 and /128 */
	const json_t *sysctls;      /* path below /proc/sys -> value, in the pod's namespace */
	const json_t *features_off; /* names of offloads (ethtool -k) to switch off at the pod's end */
	json_int_t attempt;         /* for commit, and DEL if we give up; 0: the daemon has no such numbers */
	bool is_attached;           /* by an earlier ADD that was repeated: links exist */
};

/* Reads the daemon's answer, which must outlive *w. */
enum cni_code wiring_decode(struct wiring *w, const json_t *reply, struct cni_error *e);

#endif
