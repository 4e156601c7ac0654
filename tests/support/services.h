/* The services that packet tables and the fuzzer load, in both families; their pods are those of fixtures.h and
 * two of the peer node's. */
#ifndef TESTS_SUPPORT_SERVICES_H
#define TESTS_SUPPORT_SERVICES_H

#include "tests/support/fixtures.h"

#define WEB_V4 "10.96.0.10" /* port 80 at pod2, port 8080, in slot 1 */
#define WEB_V6 "fd00:10:96::10"
#define DNS_V4 "10.96.0.53" /* UDP port 53 at another node's pod, port 5353, in slot 2 */
#define DNS_V6 "fd00:10:96::53"
#define FAR_V4 "10.96.0.11" /* port 80 at another node's pod, port 8080, in slot 3; never at its sibling */
#define FAR_V6 "fd00:10:96::11"
#define SELF_V4 "10.96.0.12" /* port 80 at pod1, port 8080, in slot 1 */
#define SELF_V6 "fd00:10:96::12"
#define SELF0_V4 "10.96.0.13" /* port 80 at pod1, port 8081, without a slot */
#define SELF0_V6 "fd00:10:96::13"
#define FOURTH_V4 "10.96.0.14" /* port 80 at pod2, port 8080, without a slot */
#define FOURTH_V6 "fd00:10:96::14"
#define EMPTY_V4 "10.96.0.15" /* port 80, no backend */
#define EMPTY_V6 "fd00:10:96::15"
#define ELSEWHERE_V4 "10.96.0.40" /* port 80, internalTrafficPolicy Local, no backend on this node */
#define ELSEWHERE_V6 "fd00:10:96::40"
#define PAIR_V4 \
	"10.96.0.16" /* TCP and UDP port 80 at another node's pod, port 8082, in slot 3; never at pod2 */
#define PAIR_V6 "fd00:10:96::16"
#define TUNNEL_V4 "10.96.0.17" /* UDP ports 80 and 81 at the peer node's tunnel end and at this node's */
#define TUNNEL_V6 "fd00:10:96::17"
#define HERE_V4 "10.96.0.18" /* port 80 at this node itself, port 8080, without a slot */
#define HERE_V6 "fd00:10:96::18"
#define OUT_V4 "10.96.0.19" /* port 80 outside the cluster, port 8080, in slot 1 */
#define OUT_V6 "fd00:10:96::19"
#define SIBLING_V4 "10.244.2.21"
#define SIBLING_V6 "fd00:10:244:2::21"

/* Puts them in place of those that the fixture has. */
void some_services(struct fixture *f);

#endif
