#include "control/resolve/shadow_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_wire.h"
#include "dataplane/dns/dns_parse.h"
#include "dataplane/dns/dns_parse_name.h"
#include "dataplane/dns/dns_reply.h"

/* Of one record. */
#define PART_SIZE 256
#define BRIEF_SIZE 100

/* A SOA's data behind the names: the serial, three times, the TTL of negative answers (RFC 1035 section 3.3.13). */
#define SOA_TIMES 4
#define SOA_SIZE 20

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{ DNS_TYPE_A, "A" },
	{ DNS_TYPE_NS, "NS" },
	{ DNS_TYPE_CNAME, "CNAME" },
	{ DNS_TYPE_SOA, "SOA" },
	{ DNS_TYPE_PTR, "PTR" },
	{ DNS_TYPE_TXT, "TXT" },
	{ DNS_TYPE_AAAA, "AAAA" },
	{ DNS_TYPE_SRV, "SRV" },
};

struct parts {
	unsigned n;
	char texts[DNS_RECORDS_MAX][PART_SIZE];
};

static const char *
rcode_text(unsigned rcode, char buf[static 16])
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED" };

	if (rcode < sizeof(names) / sizeof(names[0]))
		return names[rcode];
	snprintf(buf, 16, "RCODE%u", rcode & 0xfff);
	return buf;
}

static const char *
name_text(const struct dns_parsed *m, size_t at, char buf[static DNS_TEXT_SIZE])
{
	struct dns_full_name name;

	if (dns_parse_name(m->message, m->size, at, &name) == 0)
		return "?";
	return dns_wire_format(name.bytes, buf);
}

static unsigned
u16_at(const struct dns_parsed *m, size_t at)
{
	return (unsigned)m->message[at] << 8 | m->message[at + 1];
}

static unsigned
u32_at(const struct dns_parsed *m, size_t at)
{
	return u16_at(m, at) << 16 | u16_at(m, at + 2);
}

/* Bytes of a stranger: what is no plain character is a dot. */
static void
write_bytes(const uint8_t *bytes, size_t n, char *out, size_t room)
{
	size_t i;

	for (i = 0; i < n && i + 1 < room; i++)
		out[i] = bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '.';
	out[i] = '\0';
}

static void
write_data(const struct dns_parsed *m, const struct dns_record *record, char *out, size_t room)
{
	char name[DNS_TEXT_SIZE], addr[IP_ADDR_STRLEN];
	const uint8_t *data = m->message + record->data;
	struct ip_addr ip;
	be32 v4;

	switch (record->type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA:
		if (record->data_len == (record->type == DNS_TYPE_A ? 4 : 16)) {
			memcpy(&v4, data, sizeof(v4));
			ip = record->type == DNS_TYPE_A ? ip_addr_v4(v4) : ip_addr_v6(data);
			snprintf(out, room, "%s", ip_addr_format(&ip, addr));
		}
		break;
	case DNS_TYPE_NS:
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
	case DNS_TYPE_SOA:
		snprintf(out, room, "%s", name_text(m, record->data, name));
		break;
	case DNS_TYPE_SRV: /* whose data was parsed, so all of it is there */
		snprintf(out, room, "%u %u %u %s", u16_at(m, record->data), u16_at(m, record->data + 2u),
			u16_at(m, record->data + 4u), name_text(m, record->data + 6u, name));
		break;
	case DNS_TYPE_TXT:
		write_bytes(data + 1, record->data_len == 0 ? 0 : record->data_len - 1u, out, room);
		break;
	default:
		break;
	}
}

const char *
shadow_type_text(uint16_t type, char buf[static SHADOW_TYPE_SIZE])
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].name;
	snprintf(buf, SHADOW_TYPE_SIZE, "TYPE%u", type);
	return buf;
}

static void
write_brief(const struct dns_parsed *m, const struct dns_record *record, char out[static PART_SIZE])
{
	char data[BRIEF_SIZE] = "", type[SHADOW_TYPE_SIZE];

	write_data(m, record, data, sizeof(data));
	snprintf(out, PART_SIZE, "%s %.80s", shadow_type_text(record->type, type), data);
}

/* With its owner, and of a SOA all that is compared. */
static void
write_whole(const struct dns_parsed *m, const struct dns_record *record, char out[static PART_SIZE])
{
	char owner[DNS_TEXT_SIZE], name[DNS_TEXT_SIZE], data[PART_SIZE] = "", type[SHADOW_TYPE_SIZE];
	struct dns_full_name skipped;

	write_data(m, record, data, sizeof(data));
	if (record->type == DNS_TYPE_SOA) {
		size_t mailbox = dns_parse_name(m->message, m->size, record->data, &skipped);
		size_t times = (size_t)record->data + record->data_len - SOA_SIZE + SOA_TIMES,
		       len = strlen(data);

		snprintf(data + len, sizeof(data) - len, " %s %u %u %u", name_text(m, mailbox, name),
			u32_at(m, times), u32_at(m, times + 4), u32_at(m, times + 8));
	}
	snprintf(out, PART_SIZE, "%s %s %s", name_text(m, record->owner, owner),
		shadow_type_text(record->type, type), data);
}

static int
compare_parts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
append(char buf[static SHADOW_TEXT_SIZE], const char *before, const char *text)
{
	static const char more[] = " ...";
	size_t len = strlen(buf), n = strlen(before) + strlen(text);

	if (strcmp(buf + (len < sizeof(more) ? 0 : len - sizeof(more) + 1), more) == 0)
		return;
	if (len + n + sizeof(more) > SHADOW_TEXT_SIZE)
		snprintf(buf + len, SHADOW_TEXT_SIZE - len, "%s", more);
	else
		snprintf(buf + len, SHADOW_TEXT_SIZE - len, "%s%s", before, text);
}

/* Its head. False: there are no records to speak of. */
static bool
begin(const uint8_t *message, size_t size, struct dns_parsed *m, char buf[static SHADOW_TEXT_SIZE])
{
	char rcode[16];

	dns_parse(message, size, m);
	if (m->kind == DNS_KIND_MALFORMED || m->kind == DNS_KIND_TRUNCATED) {
		snprintf(buf, SHADOW_TEXT_SIZE, "%s", dns_kind_text(m->kind));
		return false;
	}
	snprintf(buf, SHADOW_TEXT_SIZE, "%s%s", rcode_text(m->rcode, rcode),
		m->is_authoritative ? "" : ", not authoritative");
	return true;
}

const char *
shadow_text(const uint8_t *message, size_t size, char buf[static SHADOW_TEXT_SIZE])
{
	struct dns_parsed m;
	struct parts p;

	p.n = 0;
	if (!begin(message, size, &m, buf))
		return buf;
	for (unsigned i = 0; i < m.n_in_answer; i++)
		write_brief(&m, &m.records[i], p.texts[p.n++]);
	qsort(p.texts, p.n, sizeof(p.texts[0]), compare_parts);
	for (unsigned i = 0; i < p.n; i++)
		append(buf, i == 0 ? ": " : ", ", p.texts[i]);
	return buf;
}

/* --- what differs */

/* Those that are compared. */
static void
collect(const struct dns_parsed *m, struct parts *p)
{
	p->n = 0;
	for (unsigned i = 0; i < m->n_records; i++)
		if (i < m->n_in_answer || m->records[i].type == DNS_TYPE_SOA)
			write_whole(m, &m->records[i], p->texts[p->n++]);
	qsort(p->texts, p->n, sizeof(p->texts[0]), compare_parts);
}

/* Those of a that are not among b's. */
static void
append_others(char buf[static SHADOW_TEXT_SIZE], const struct parts *a, const struct parts *b)
{
	const char *before = ", only here: ";

	for (unsigned i = 0; i < a->n; i++)
		if (bsearch(a->texts[i], b->texts, b->n, sizeof(b->texts[0]), compare_parts) == NULL) {
			append(buf, before, a->texts[i]);
			before = ", ";
		}
}

/* Texts of answers that read the same. */
static void
write_others(const uint8_t *ours, size_t ours_size, const uint8_t *theirs, size_t theirs_size,
	char own[static SHADOW_TEXT_SIZE], char other[static SHADOW_TEXT_SIZE])
{
	struct dns_parsed a, b;
	struct parts p, q;

	if (!begin(ours, ours_size, &a, own) || !begin(theirs, theirs_size, &b, other))
		return;
	collect(&a, &p);
	collect(&b, &q);
	append_others(own, &p, &q);
	append_others(other, &q, &p);
}

void
shadow_texts(const uint8_t *ours, size_t ours_size, const uint8_t *theirs, size_t theirs_size,
	char own[static SHADOW_TEXT_SIZE], char other[static SHADOW_TEXT_SIZE])
{
	uint8_t copy[DNS_UDP_SIZE_MAX] = { 0 };

	ours_size = ours_size < sizeof(copy) ? ours_size : sizeof(copy);
	memcpy(copy, ours, ours_size);
	copy[DNS_FLAGS_AT] &= (uint8_t)~DNS_FLAG_TC; /* what is there is to be read */
	shadow_text(copy, ours_size, own);
	if (theirs == NULL) {
		snprintf(other, SHADOW_TEXT_SIZE, "no answer");
		return;
	}
	shadow_text(theirs, theirs_size, other);
	if (strcmp(own, other) == 0)
		write_others(copy, ours_size, theirs, theirs_size, own, other);
}
