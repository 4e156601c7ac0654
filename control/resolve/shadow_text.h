/* An answer in a line, for people: "NOERROR: A 10.96.0.10", "NXDOMAIN, not authoritative". Pure; any thread. */
#ifndef RINGWAY_RESOLVE_SHADOW_TEXT_H
#define RINGWAY_RESOLVE_SHADOW_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define SHADOW_TEXT_SIZE 240

/* "SRV", "TYPE64". Returns a text, or buf with one. */
#define SHADOW_TYPE_SIZE 16
const char *shadow_type_text(uint16_t type, char buf[static SHADOW_TYPE_SIZE]);

/* Records in the order of their texts, so that rotated answers read the same; what does not fit is "...". Returns buf. */
const char *shadow_text(const uint8_t *message, size_t size, char buf[static SHADOW_TEXT_SIZE]);

/* Ours, as far as it fit, and the DNS service's, or NULL for "no answer". If these texts would be the same, since they have no room for
 * what differs, or leave it out, they say which records only one of them has, with owners and the SOA: "NXDOMAIN, only here: cluster.local.
 * SOA ns.dns.cluster.local. hostmaster.cluster.local. 7200 1800 86400". */
void shadow_texts(const uint8_t *ours, size_t ours_size, const uint8_t *theirs, size_t theirs_size,
	char own[static SHADOW_TEXT_SIZE], char other[static SHADOW_TEXT_SIZE]);

#endif
