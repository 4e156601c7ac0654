/* Reads a DNS query out of a UDP payload (RFC 1035 section 4, RFC 6891 for OPT). It takes what stub resolvers send, one question
 * with or without EDNS, and says of everything else why it is to be passed on: somebody else answers it, as he would without us.
 * The payload is a stranger's: nothing is read outside of it. Allocates nothing. Workers. */
#ifndef RINGWAY_DNS_QUERY_H
#define RINGWAY_DNS_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/dns/dns_name.h"

#define DNS_HEADER_SIZE 12
#define DNS_UDP_SIZE_MIN 512 /* what every client takes (RFC 1035 section 4.2.1) */

/* Types that somebody here looks at; IANA's numbers. */
enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_RRSIG = 46,
	DNS_TYPE_NSEC = 47,
	DNS_TYPE_NSEC3 = 50,
	DNS_TYPE_META = 128, /* from here to 255: transfers, signatures, and ... */
	DNS_TYPE_ANY = 255,  /* ... this, which is answered */
};

#define DNS_CLASS_IN 1
#define DNS_CLASS_ANY 255

/* Whether a payload is a query as we know them, and if not, the first thing that is odd. */
enum dns_scan {
	DNS_SCAN_QUERY,
	DNS_SCAN_TRUNCATED,  /* ends inside what it announces */
	DNS_SCAN_RESPONSE,   /* QR or TC is set */
	DNS_SCAN_OPCODE,     /* not QUERY */
	DNS_SCAN_COUNTS,     /* not one question, or records that no plain query has */
	DNS_SCAN_NAME,       /* compressed, of an unknown label type, or too long */
	DNS_SCAN_TYPE,       /* a transfer or another meta type */
	DNS_SCAN_CLASS,      /* neither IN nor ANY */
	DNS_SCAN_ADDITIONAL, /* its one additional record is no OPT */
	DNS_SCAN_TRAILING,   /* there are bytes behind the end */
	N_DNS_SCANS,
};

struct dns_query {
	uint64_t hash;              /* of name, dns_name_hash() */
	uint16_t type;              /* of the question */
	uint16_t end;               /* of the question: bytes from the payload's start */
	uint8_t len;                /* of name, with the root label */
	uint8_t labels;             /* without it */
	bool has_opt, wants_dnssec; /* DO (RFC 3225) */
	uint8_t edns_version;
	uint16_t udp_size; /* the largest reply that the client takes; 512 without OPT */
	uint8_t label_at[DNS_LABELS_MAX +
			 1]; /* where each label begins in name; one spare, for one that is too many */
	_Alignas(DNS_CHUNK) uint8_t name[DNS_NAME_ROOM]; /* lower case, padded */
};

/* Fills *out when it is DNS_SCAN_QUERY; otherwise *out is void. */
enum dns_scan dns_query_scan(const uint8_t *payload, size_t size, uint64_t seed, struct dns_query *out);

/* "several questions": what is odd, in words. */
const char *dns_scan_text(enum dns_scan scan);

#endif
