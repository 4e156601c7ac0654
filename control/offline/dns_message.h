/* DNS messages as texts, for people and their tests. Pure; any thread. */
#ifndef RINGWAY_OFFLINE_DNS_MESSAGE_H
#define RINGWAY_OFFLINE_DNS_MESSAGE_H

#include <jansson.h>

#include "control/build/dns_wire.h"
#include "dataplane/dns/dns_query.h"

/* What EDNS clients say that they take, glibc's and dig's alike. */
#define DNS_ASKED_SIZE 1232
#define DNS_QUERY_SIZE_MAX (DNS_HEADER_SIZE + DNS_NAME_MAX + 4 + 11)

/* A query as stub resolvers send it, with RD and OPT. Returns its size. */
size_t dns_message_ask(uint8_t out[static DNS_QUERY_SIZE_MAX], const struct dns_wire *name, uint16_t type);

/* The records of a reply's answers, and of what is additional but OPT, as lists of texts; see dns_cases.h. False: the message is
 * malformed, or out of memory; *answers and *additional are to be released in any case. */
bool dns_message_read(
	const uint8_t *message, size_t size, uint16_t asked, json_t **answers, json_t **additional);

#endif
