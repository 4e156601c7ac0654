/* A small zone for packet tables and the fuzzer, and DNS on the fixture's node, asked at the service's addresses (services.h) and
 * at link-local ones. Answers have a TTL of 30 seconds.
 *
 *	api.shop.svc.cluster.local      A 10.96.0.7, AAAA fd00:10:96::7
 *	many.shop.svc.cluster.local     100 A, all the same: 10.97.0.1, so that their order does not show
 *	out.shop.svc.cluster.local      CNAME example.com
 */
#ifndef TESTS_SUPPORT_NAMES_H
#define TESTS_SUPPORT_NAMES_H

#include "tests/support/fixtures.h"

#define LOCAL_V4 "169.254.20.10" /* port 53, UDP and TCP, is the DNS service's, too, in slot 3 */
#define LOCAL_V6 "fd72:6e::10"

#define NAMES_TTL 30

/* Queries are answered from here on, by the policies of the service's one endpoint. */
void some_names(struct fixture *f);

/* The same, but the zone is not known yet. */
void no_names_yet(struct fixture *f);

/* And other names are asked of a resolver: the test takes misses and puts answers (dns_ring.h). The cache is empty, and knows the
 * zone's seed. After some_names(). */
void some_resolver(struct fixture *f);

/* By fixture_free(). */
void names_free(struct fixture *f);

#endif
