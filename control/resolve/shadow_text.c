#include "control/resolve/shadow_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_wire.h"
#include "dataplane/dns/dns_parse.h"
#include "dataplane/dns/dns_parse_name.h"
#include "dataplane/dns/dns_reply.h"

/* Of one record. */
#define PART_SIZE 100

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
write_record(const struct dns_parsed *m, const struct dns_record *record, char out[static PART_SIZE])
{
	char data[PART_SIZE] = "", type[SHADOW_TYPE_SIZE];

	write_data(m, record, data, sizeof(data));
	snprintf(out, PART_SIZE, "%s %.80s", shadow_type_text(record->type, type), data);
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

const char *
shadow_text(const uint8_t *message, size_t size, char buf[static SHADOW_TEXT_SIZE])
{
	char parts[DNS_RECORDS_MAX][PART_SIZE], rcode[16];
	struct dns_parsed m;
	unsigned n = 0;

	dns_parse(message, size, &m);
	if (m.kind == DNS_KIND_MALFORMED || m.kind == DNS_KIND_TRUNCATED) {
		snprintf(buf, SHADOW_TEXT_SIZE, "%s", dns_kind_text(m.kind));
		return buf;
	}
	snprintf(buf, SHADOW_TEXT_SIZE, "%s%s", rcode_text(m.rcode, rcode),
		m.is_authoritative ? "" : ", not authoritative");
	for (unsigned i = 0; i < m.n_in_answer; i++)
		write_record(&m, &m.records[i], parts[n++]);
	qsort(parts, n, sizeof(parts[0]), compare_parts);
	for (unsigned i = 0; i < n; i++)
		append(buf, i == 0 ? ": " : ", ", parts[i]);
	return buf;
}
