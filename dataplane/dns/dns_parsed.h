/* What dns_parse() makes of an upstream's reply. */
#ifndef RINGWAY_DNS_PARSED_H
#define RINGWAY_DNS_PARSED_H

#include "dataplane/dns/dns_query.h"

/* More, without the additional ones, do not fit any reply over UDP that we give. */
#define DNS_RECORDS_MAX 256

#define DNS_PARSE_CHAIN_MAX 16 /* CNAMEs one behind the other */

#define DNS_TTL_MAX_S 86400

enum dns_kind {
	DNS_KIND_ANSWER,    /* records of the type that was asked for */
	DNS_KIND_NODATA,    /* the name exists */
	DNS_KIND_NXDOMAIN,  /* it does not; with CNAMEs the last name */
	DNS_KIND_TRUNCATED, /* TC: ask again over TCP. Nothing behind the question was read */
	DNS_KIND_ERROR,     /* SERVFAIL, REFUSED and the like: see rcode */
	DNS_KIND_LAME,      /* no answer by someone who should know: a referral, a loop, a contradiction */
	DNS_KIND_MALFORMED,
	N_DNS_KINDS,
};

struct dns_record {
	uint16_t owner, data; /* where in the message */
	uint16_t data_len;
	uint16_t type, class;
	uint32_t ttl_s; /* with the top bit set: 0 (RFC 8767 section 4) */
	bool is_taken;
};

struct dns_parsed {
	const uint8_t *message; /* the caller's, who keeps it as long as this */
	uint16_t size;
	enum dns_kind kind;
	uint16_t rcode;       /* with OPT's upper bits */
	uint16_t type, class; /* of the question */
	uint16_t question_end;
	bool is_authoritative, is_recursive; /* AA, RA */
	bool is_oversized; /* DNS_KIND_ANSWER of more records than are looked at: none is taken */

	/* What a client is to be given: indexes of records. */
	uint16_t n_answers, n_authorities; /* in taken; the answers come first */
	uint16_t taken[DNS_RECORDS_MAX];

	/* For how long, up to DNS_TTL_MAX_S: the least of the records' TTLs, and of a negative answer's SOA its minimum. 0: for those
	 * who wait, and not to be kept; so it is without SOA. */
	uint32_t ttl_s;

	uint16_t last; /* where the name is that the chain ends with: in the question if there is none */

	uint16_t n_in_answer, n_records; /* in the sections; without the additional one */
	struct dns_record records[DNS_RECORDS_MAX];
};

#endif
