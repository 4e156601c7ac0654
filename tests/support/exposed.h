/* Services that are reachable from outside, for packet tables and unit tests, in both families: node ports on the
 * fixture's node, a load balancer's address, an external IP, a host port. Clients come from behind a router. */
#ifndef TESTS_SUPPORT_EXPOSED_H
#define TESTS_SUPPORT_EXPOSED_H

#include "tests/support/fixtures.h"

#define CLIENT_V4 "203.0.113.7"
#define CLIENT_V6 "2001:db8:ffff::7"
#define INBOUND_V4 "10.244.1.5"
#define INBOUND_V6 "fd00:10:244:1::5"
#define BALANCER_V4 "198.51.100.100" /* TCP and UDP port 80 at pod2, for clients of one network only */
#define BALANCER_V6 "2001:db8:aaaa::100"
#define BALANCER_RANGE_V4 "203.0.113.0/24"
#define BALANCER_RANGE_V6 "2001:db8:ffff::/64"

#define PORT_FOR_POD1 81 /* of that address: for pod1 only */
#define PORT_FOR_NODE 82 /* for this node's own address only */
#define EXPOSED_AFFINITY_S 600

/* TCP and UDP ports of the node's address */
#define PORT_NEAR 30080      /* at pod2, port 8080 */
#define PORT_FAR 30081       /* at another node's pod, port 8080 */
#define PORT_LOCAL 30082     /* at pod2, port 8080, with the client's address; elsewhere, too */
#define PORT_NOT_HERE 30083  /* with the client's address, but at another node's pod only */
#define PORT_EMPTY 30084     /* no backend anywhere */
#define PORT_ON_HOST 30085   /* at the host's stack, port 9000, and would keep the client's address */
#define PORT_HIDDEN 30086    /* not for outside */
#define PORT_LOCAL_TOO 30087 /* the same as PORT_LOCAL: another frontend of its backend */
#define PORT_BEYOND 30088    /* at another node's own address, port 9000 */
#define PORT_OF_TUNNEL 30089 /* at another node's tunnel end */
#define PORT_STICKY 30090    /* at pod2, with the client's address and session affinity; at pod1, too */
#define PORT_OF_POD1 31000   /* pod1's hostPort, for its port 8080 */

/* Puts them in place of those that the fixture has. */
void exposed_services(struct fixture *f);

#endif
