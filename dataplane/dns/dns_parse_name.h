/* Names in messages, compressed as they may be (RFC 1035 section 4.1.4), and where they are in records' data. The message is a
 * stranger's. Any thread; allocates nothing. */
#ifndef RINGWAY_DNS_PARSE_NAME_H
#define RINGWAY_DNS_PARSE_NAME_H

#include "dataplane/dns/dns_parsed.h"

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

#endif
