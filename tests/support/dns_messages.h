/* DNS messages for tests, record by record, without compression unless a test wants it. */
#ifndef RINGWAY_TESTS_DNS_MESSAGES_H
#define RINGWAY_TESTS_DNS_MESSAGES_H

#include <arpa/inet.h>
#include <stdlib.h>

#include "dataplane/dns/dns_query.h"

struct message {
	uint8_t bytes[65535];
	size_t size;
};

enum message_section { SECTION_QUESTION, SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

/* Of the header's second 16 bits. */
#define MESSAGE_QR 0x8000
#define MESSAGE_AA 0x0400
#define MESSAGE_TC 0x0200
#define MESSAGE_RD 0x0100
#define MESSAGE_RA 0x0080
#define MESSAGE_CD 0x0010
#define MESSAGE_REPLY (MESSAGE_QR | MESSAGE_RD | MESSAGE_RA)

static inline void
message_bytes(struct message *m, const void *bytes, size_t n)
{
	if (m->size + n > sizeof(m->bytes))
		abort();
	memcpy(m->bytes + m->size, bytes, n);
	m->size += n;
}

static inline void
message_u16(struct message *m, unsigned value)
{
	message_bytes(m, (const uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static inline void
message_u32(struct message *m, uint32_t value)
{
	message_u16(m, value >> 16);
	message_u16(m, value & 0xffff);
}

/* "www.example.com", or "." */
static inline void
message_name(struct message *m, const char *name)
{
	while (*name != '\0' && *name != '.') {
		const char *dot = strchr(name, '.');
		size_t len = dot == NULL ? strlen(name) : (size_t)(dot - name);

		message_bytes(m, &(uint8_t){ (uint8_t)len }, 1);
		message_bytes(m, name, len);
		name += len + (dot != NULL);
	}
	message_bytes(m, "", 1);
}

static inline void
message_count(struct message *m, enum message_section section)
{
	uint8_t *at = m->bytes + 4 + 2 * section;
	unsigned n = ((unsigned)at[0] << 8 | at[1]) + 1;

	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

/* Header and question; id 0x1234. */
static inline void
message_begin(struct message *m, unsigned flags, const char *name, uint16_t type)
{
	m->size = 0;
	message_u16(m, 0x1234);
	message_u16(m, flags);
	message_bytes(m, (const uint8_t[8]){ 0 }, 8);
	message_count(m, SECTION_QUESTION);
	message_name(m, name);
	message_u16(m, type);
	message_u16(m, DNS_CLASS_IN);
}

/* A record's head; its data comes next and ends with message_end(). Returns what that takes. */
static inline size_t
message_record(
	struct message *m, enum message_section section, const char *owner, uint16_t type, uint32_t ttl)
{
	message_count(m, section);
	message_name(m, owner);
	message_u16(m, type);
	message_u16(m, DNS_CLASS_IN);
	message_u32(m, ttl);
	message_u16(m, 0);
	return m->size;
}

static inline void
message_end(struct message *m, size_t data)
{
	m->bytes[data - 2] = (uint8_t)((m->size - data) >> 8);
	m->bytes[data - 1] = (uint8_t)(m->size - data);
}

static inline void
message_addr(
	struct message *m, enum message_section section, const char *owner, uint32_t ttl, const char *addr)
{
	bool is_v6 = strchr(addr, ':') != NULL;
	uint8_t bytes[16];
	size_t data = message_record(m, section, owner, is_v6 ? DNS_TYPE_AAAA : DNS_TYPE_A, ttl);

	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, addr, bytes) != 1)
		abort();
	message_bytes(m, bytes, is_v6 ? 16 : 4);
	message_end(m, data);
}

/* NS, CNAME, PTR, DNAME */
static inline void
message_target(struct message *m, enum message_section section, const char *owner, uint16_t type,
	uint32_t ttl, const char *target)
{
	size_t data = message_record(m, section, owner, type, ttl);

	message_name(m, target);
	message_end(m, data);
}

static inline void
message_soa(struct message *m, const char *owner, uint32_t ttl, uint32_t minimum)
{
	size_t data = message_record(m, SECTION_AUTHORITY, owner, DNS_TYPE_SOA, ttl);

	message_name(m, "ns.example.com");
	message_name(m, "admin.example.com");
	for (unsigned i = 1; i <= 4; i++)
		message_u32(m, i);
	message_u32(m, minimum);
	message_end(m, data);
}

/* Any data. */
static inline void
message_raw(struct message *m, enum message_section section, const char *owner, uint16_t type, uint32_t ttl,
	const void *bytes, size_t n)
{
	size_t data = message_record(m, section, owner, type, ttl);

	message_bytes(m, bytes, n);
	message_end(m, data);
}

/* A signature of records of that type: what it says does not matter here. */
static inline void
message_rrsig(struct message *m, enum message_section section, const char *owner, uint16_t of, uint32_t ttl)
{
	size_t data = message_record(m, section, owner, DNS_TYPE_RRSIG, ttl);

	message_u16(m, of);
	message_bytes(m, (const uint8_t[16]){ 13, 2 }, 16);
	message_name(m, "example.com");
	message_bytes(m, "signature", 9);
	message_end(m, data);
}

static inline void
message_opt(struct message *m, uint16_t size, uint32_t ttl)
{
	message_count(m, SECTION_ADDITIONAL);
	message_name(m, ".");
	message_u16(m, DNS_TYPE_OPT);
	message_u16(m, size);
	message_u32(m, ttl);
	message_u16(m, 0);
}

#endif
