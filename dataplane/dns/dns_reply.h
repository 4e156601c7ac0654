/* The frame of a reply that is written in place of its query: flags, counts, OPT with an extended error. Workers and the resolver. */
#ifndef RINGWAY_DNS_REPLY_H
#define RINGWAY_DNS_REPLY_H

#include "dataplane/dns/dns_query.h"

/* What passes every path without being cut (DNS flag day 2020). */
#define DNS_UDP_SIZE_MAX 1232

/* Result codes (RFC 1035 section 4.1.1, RFC 6891 section 9). */
enum dns_rcode {
	DNS_RCODE_NOERROR = 0,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_BADVERS = 16,
};

/* Where the flags and counts are in the header (RFC 1035 section 4.1.1). */
#define DNS_FLAGS_AT 2
#define DNS_ANSWERS_AT 6
#define DNS_AUTHORITIES_AT 8
#define DNS_ADDITIONALS_AT 10

/* In the first byte of the flags ... */
#define DNS_FLAG_QR 0x80
#define DNS_FLAG_AA 0x04
#define DNS_FLAG_TC 0x02
#define DNS_FLAG_RD 0x01
/* ... and in the second one. */
#define DNS_FLAG_RA 0x80
#define DNS_FLAG_CD 0x10 /* RFC 4035 section 3.1.6 */

#define DNS_OPT_SIZE 11 /* without options */

/* Extended errors (RFC 8914 section 4). */
enum dns_ede {
	DNS_EDE_OTHER = 0,
	DNS_EDE_STALE = 3,
	DNS_EDE_CACHED_ERROR = 13,
	DNS_EDE_NOT_READY = 14,
	DNS_EDE_STALE_NXDOMAIN = 19,
	DNS_EDE_NO_REACHABLE = 22, /* no upstream answered */
	DNS_EDE_NETWORK = 23,
	DNS_EDE_NONE = 0xffff, /* nothing is told */
};

struct dns_reply {
	uint16_t size; /* bytes of the payload */
	uint8_t rcode; /* enum dns_rcode */
	bool is_truncated;
	uint16_t outside; /* DNS_LEAVES: where in the payload the name is that is outside, in full */
};

/* How large the reply may be. */
static inline size_t
dns_reply_limit(const struct dns_query *q, size_t room)
{
	size_t limit = q->udp_size < DNS_UDP_SIZE_MAX ? q->udp_size : DNS_UDP_SIZE_MAX;

	return limit < room ? limit : room;
}

/* What has been written between the question and OPT. */
struct dns_reply_parts {
	uint16_t n_answers, n_authorities, n_additionals;
	uint8_t aa; /* DNS_FLAG_AA or 0 */
	uint16_t ede;
	const char *text; /* for people, with ede; NULL: none. Static */
};

/* Writes the header and, at 'at', OPT if the query had one, with ede and its text as far as limit allows. *out has
 * the result code and whether it is truncated, and gets the size. There is room for DNS_OPT_SIZE. */
void dns_reply_finish(const struct dns_query *q, uint8_t *payload, uint8_t *at, size_t limit,
	const struct dns_reply_parts *parts, struct dns_reply *out);

/* Makes the query's payload a reply without records: SERVFAIL, BADVERS. False: no room, and the payload is untouched. */
bool dns_reply_error(const struct dns_query *q, uint8_t *payload, size_t room, uint8_t rcode, uint16_t ede,
	const char *text, struct dns_reply *out);

#endif
