/* The names that are asked for most, in bounded memory (Space-Saving, Metwally et al. 2005): a name that has no entry takes that of
 * the least asked one, and the count that this had, as its error. So a name that makes up more than 1 / DNS_NAMES_ROOM of all is
 * never missing, and queries - error of it are certain. Control thread only. */
#ifndef RINGWAY_DNS_BOOK_NAMES_H
#define RINGWAY_DNS_BOOK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/dns/dns_name.h"

#define DNS_NAMES_ROOM 512
#define DNS_NAME_PODS 4 /* of a name, those that ask most */

struct dns_name_counts {
	uint64_t queries;
	uint64_t wasted;   /* of them, look-ups along a search list that had to go on */
	uint64_t nxdomain; /* that were told that it does not exist */
	uint64_t upstream; /* that upstream servers were asked for, or should have been */
	uint64_t limited;  /* that a limit kept from upstream */
};

struct dns_name_pod {
	uint32_t pod; /* the book's number */
	uint64_t queries;
};

struct dns_name_hitter {
	struct dns_name_counts counts;
	uint64_t error; /* of counts.queries, those that may be other names' */
	struct dns_name_pod pods[DNS_NAME_PODS];
	bool has_more_pods;
	uint8_t len;
	uint8_t name[DNS_NAME_MAX]; /* lower case, wire */
};

struct dns_names;

/* NULL if out of memory; takes some 200 KiB. */
struct dns_names *dns_names_new(void);
void dns_names_free(struct dns_names *n); /* NULL is fine */

void dns_names_clear(struct dns_names *n);

/* Counts are added to what there is. The name is in lower case. */
void dns_names_add(struct dns_names *n, const uint8_t *name, uint8_t len,
	const struct dns_name_counts *counts, uint32_t pod);

/* In no particular order; valid until the next change. */
size_t dns_names_count(const struct dns_names *n);
const struct dns_name_hitter *dns_names_at(const struct dns_names *n, size_t i);

/* NULL: it has no entry. */
const struct dns_name_hitter *dns_names_find(const struct dns_names *n, const uint8_t *name, uint8_t len);

/* Adds up what two tables have of the same name. */
void dns_name_join(struct dns_name_hitter *to, const struct dns_name_hitter *from);

#endif
