/* Answers a query from the zone, in place: the question stays as it was sent, with its letters (0x20), and records go behind it.
 *
 *   header     the client's id, opcode, RD and CD; QR, AA and RA (who answers under this address resolves all names)
 *   EDNS       OPT when the query had one (RFC 6891 section 6.1.1), DO copied (RFC 3225); a version other than 0: BADVERS
 *   size       what the client takes (512 without OPT), at most DNS_UDP_SIZE_MAX and what the caller says; when answers are left
 *              out, TC is set; records are left out whole. Glue that does not fit is left out silently (RFC 2181 section 9)
 *   negative   NODATA and NXDOMAIN with the SOA (RFC 2308); a name that exists, or has names below it, is never NXDOMAIN
 *              (RFC 8020)
 *   CNAME      followed inside the zone, up to DNS_CHAIN_MAX (RFC 1034 section 3.6.2); a loop ends where it closes. The result code
 *              is that of the last name (RFC 6604)
 *   ANY        one set of records (RFC 8482 section 4.1)
 *
 * Allocates nothing. Workers. */
#ifndef RINGWAY_DNS_ANSWER_H
#define RINGWAY_DNS_ANSWER_H

#include "dataplane/dns/dns_reply.h"
#include "dataplane/dns/dns_zone.h"

#define DNS_CHAIN_MAX 10

enum dns_verdict {
	DNS_PASS, /* not ours: a name outside of the zone, or a caller without room. The payload is untouched */
	DNS_ANSWERED, /* the payload is the reply */
	DNS_LEAVES, /* it is, but ends with a CNAME to a name outside, which the client expects to be looked up for it */
};

/* Payload: the query that was scanned, with room for 'room' bytes, which also bounds the reply (the path's MTU less the
 * headers). rotation: any number; the first record is chosen by it. */
enum dns_verdict dns_answer(const struct dns_zone *z, const struct dns_query *q, uint8_t *payload,
	size_t room, uint32_t rotation, struct dns_reply *out);

/* The same, with what dns_zone_fetch_node() returned for the name. */
enum dns_verdict dns_answer_guessed(const struct dns_zone *z, const struct dns_query *q,
	const struct dns_node *guess, uint8_t *payload, size_t room, uint32_t rotation,
	struct dns_reply *out);

/* Answers a query in the zone as if its name were an alias of the target's, in place: a CNAME with that TTL, which is the first record,
 * and what the target has. DNS_LEAVES: the target is outside, or leads there. DNS_PASS: there is no room for the alias, and the payload
 * is untouched. */
enum dns_verdict dns_answer_alias(const struct dns_zone *z, const struct dns_query *q,
	const struct dns_query *target, uint8_t *payload, size_t room, uint32_t ttl_s, uint32_t rotation,
	struct dns_reply *out);

/* Whether the name is ADDRESS.NAMESPACE.pod.ZONE of a namespace that exists: such names are there without being in a table. */
bool dns_answer_has_pod(const struct dns_zone *z, const struct dns_query *q);

#endif
