/* What tunnels were found to take when underlay routers said that our packets are too big (RFC 1191, RFC 8201). Such news
 * ages: after PATH_MTU_LIFETIME_NS the uplink's MTU is tried again. Bounded. Control thread only. */
#ifndef RINGWAY_NODE_PATH_MTU_H
#define RINGWAY_NODE_PATH_MTU_H

#include "dataplane/net/ip_addr.h"

#define PATH_MTU_LIFETIME_NS (10 * 60 * UINT64_C(1000000000)) /* RFC 1191 section 6.3 */

struct path_mtus;

struct path_mtus *path_mtus_new(void);
void path_mtus_free(struct path_mtus *p);

/* Notes what a tunnel takes, in bytes of the inner packet; more than is known already is no news (RFC 8201 section 4). True
 * when that changes something. */
bool path_mtu_learn(struct path_mtus *p, const struct ip_addr *vtep, uint16_t mtu, uint64_t now_ns);

/* What is known of a tunnel, or 0. */
uint16_t path_mtu_of(const struct path_mtus *p, const struct ip_addr *vtep);

/* Forgets what has aged. True when there was such. */
bool path_mtus_expire(struct path_mtus *p, uint64_t now_ns);

#endif
