/* Reads what an upstream replied (RFC 1035 section 4.1): a stranger's bytes. Everything is checked: lengths, names (pointers lead
 * backwards only, RFC 1035 section 4.1.4), the data of all types that have names in it, the end. Then it says what the reply means
 * and which of its records belong to it: the chain of CNAMEs from the question on and what it leads to, in this order, or the SOA
 * that denies it (RFC 2308, RFC 6604), with their signatures. All else is not used, since nobody asked for it: other names in the
 * answer section, authority and additional records. Any thread; allocates nothing. */
#ifndef RINGWAY_DNS_PARSE_H
#define RINGWAY_DNS_PARSE_H

#include "dataplane/dns/dns_parsed.h"

/* Whether the message is the reply to what was sent: its id and, but for the letters' size, its one question. Look at this before all
 * else: what is not may be anybody's. */
bool dns_parse_is_reply(const uint8_t *message, size_t size, const uint8_t *sent, size_t sent_size);

/* Fills *out, as far as out->kind says; returns that. */
enum dns_kind dns_parse(const uint8_t *message, size_t size, struct dns_parsed *out);

/* "referral or loop": in words, for people. */
const char *dns_kind_text(enum dns_kind kind);

#endif
