/* Reads what an upstream replied (RFC 1035 section 4.1): a stranger's bytes. Everything is checked: lengths, names (pointers lead
 * backwards only, RFC 1035 section 4.1.4), the data of all types that have names in it, the end. Then it says what the reply means
 * and which of its records belong to it: the chain of CNAMEs from the question on and what it leads to, in this order, or the SOA
 * that denies it (RFC 2308, RFC 6604), with their signatures. All else is not used, since nobody asked for it: other names in the
 * answer section, authority and additional records. Any thread; allocates nothing. */
#ifndef RINGWAY_DNS_PARSE_H
#define RINGWAY_DNS_PARSE_H

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

/* Whether the message is the reply to what was sent: its id and, but for the letters' size, its one question. Look at this before all
 * else: what is not may be anybody's. */
bool dns_parse_is_reply(const uint8_t *message, size_t size, const uint8_t *sent, size_t sent_size);

/* Fills *out, as far as out->kind says; returns that. */
enum dns_kind dns_parse(const uint8_t *message, size_t size, struct dns_parsed *out);

/* "referral or loop": in words, for people. */
const char *dns_kind_text(enum dns_kind kind);

/* --- for who writes records anew */

/* A name in full. */
struct dns_full_name {
	unsigned len;                /* with the root label */
	uint8_t bytes[DNS_NAME_MAX]; /* with the letters as they are */
};

/* Reads the name at 'at'. Returns what is behind it, or 0: it is malformed, or has more pointers than a name may have labels. */
size_t dns_parse_name(const uint8_t *message, size_t size, size_t at, struct dns_full_name *out);

/* Without regard to the letters' size (RFC 4343). */
bool dns_full_name_equal(const struct dns_full_name *a, const struct dns_full_name *b);

/* How the data of a type with names is laid out. */
struct dns_layout {
	uint16_t type;
	uint8_t n_before, n_strings, n_names, n_after; /* bytes, then strings, then names, then bytes */
	bool may_compress; /* names in data that is as old as RFC 1035 (RFC 3597 section 4) */
};

/* NULL: of this type, data is just bytes. */
const struct dns_layout *dns_layout_find(uint16_t type);

/* Where the names begin in a record's data that was parsed. */
size_t dns_layout_names(
	const struct dns_layout *layout, const uint8_t *message, const struct dns_record *record);

/* Finds what belongs to the question, sets what is about it in *p; records are read. dns_parse() calls it. */
enum dns_kind dns_parse_chain(struct dns_parsed *p);

#endif
