/* Search lists, gone along for who asked (dns.searchCompletion). With ndots:5 a pod in namespace X that wants B asks one after the
 * other for
 *
 *   B.X.svc.ZONE  B.svc.ZONE  B.ZONE  B.SUFFIX for each suffix of its node's  B.
 *
 * and each time for A and AAAA. The port says which pod asks, so when the first of them does not exist the answer is that of the first
 * one that does: a CNAME to it, and what it has (as CoreDNS's autopath does). That it is the first one has to be certain: all before
 * it are denied by the zone, or with NXDOMAIN in the cache, fresh, which knows nothing else of them for the other kind of address. A
 * name that exists ends the search, whatever it has of the type: so A and AAAA lead to the same name, and to one of which the cache
 * has neither stale nor too large for the client. When nothing exists, or something is not certain, nothing is completed: the client
 * hears that the first name does not exist and goes on itself.
 *
 * A later try of one search may be the first one of another: who looks for the service db.X, or db.X.svc.ZONE without a dot at its end,
 * asks for db.X.svc.ZONE in the end, as if for db, and must not be led to db.SUFFIX when the service is not there. So what could be a
 * name of the cluster is left alone: B of one label, or below a service of X. Nor can anybody tell a name with a dot at its end from
 * the same one on the way along a search list. Allocates nothing. Workers and the resolver. */
#ifndef RINGWAY_DNS_COMPLETE_H
#define RINGWAY_DNS_COMPLETE_H

#include "dataplane/dns/dns_answer.h"
#include "dataplane/dns/dns_table.h"

/* More names than that no search has behind its first one. */
#define DNS_STEPS_MAX (3 + DNS_SUFFIXES_MAX)

/* Completes a query of the port's pod, in place. There is a zone and a cache, whose seeds are the same.
 *
 * DNS_ANSWERED   with what the zone has
 * DNS_LEAVES     with an alias of a name outside, as dns_answer() says it: that is the one that exists, by the cache, or of which it
 *                is to be found out next whether it does
 * DNS_PASS       not completed; the payload is untouched */
enum dns_verdict dns_complete(const struct dns_table *t, uint16_t port, const struct dns_query *q,
	uint8_t *payload, size_t room, uint32_t rotation, uint64_t now_ns, struct dns_reply *out);

/* Of an answer that has been completed: the alias, which is its first record, has no longer a life than what it leads to. */
void dns_complete_limit(const struct dns_query *q, uint8_t *payload, uint32_t ttl_s);

#endif
