#include "control/offline/dns_message.h"

#include <stdio.h>

#include "control/offline/dns_cases.h"

#define TEXT_SIZE (2 * DNS_TEXT_SIZE + 128)

static uint8_t *
put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

size_t
dns_message_ask(uint8_t out[static DNS_QUERY_SIZE_MAX], const struct dns_wire *name, uint16_t type)
{
	static const uint8_t header[DNS_HEADER_SIZE] = { 0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	uint8_t *at = out + sizeof(header);

	memcpy(out, header, sizeof(header));
	memcpy(at, name->bytes, name->len);
	at = put_u16(at + name->len, type);
	at = put_u16(at, DNS_CLASS_IN);
	*at++ = 0;
	at = put_u16(at, DNS_TYPE_OPT);
	at = put_u16(at, DNS_ASKED_SIZE);
	memset(at, 0, 6);
	return (size_t)(at + 6 - out);
}

/* --- reading */

struct reader {
	const uint8_t *message;
	size_t size, at;
	bool is_bad;
};

struct record {
	char owner[DNS_TEXT_SIZE];
	uint16_t type;
	size_t data, end; /* in the message */
};

static unsigned
take_u16(struct reader *r)
{
	unsigned value;

	if (r->size - r->at < 2) {
		r->is_bad = true;
		return 0;
	}
	value = (unsigned)r->message[r->at] << 8 | r->message[r->at + 1];
	r->at += 2;
	return value;
}

static uint32_t
take_u32(struct reader *r)
{
	uint32_t high = take_u16(r);

	return high << 16 | take_u16(r);
}

/* Pointers lead backwards only, so they end. */
static void
take_name(struct reader *r, char text[static DNS_TEXT_SIZE])
{
	struct dns_wire name = { 0 };
	size_t at = r->at, end = 0, before = r->at;

	while (at < r->size && r->message[at] != 0) {
		uint8_t len = r->message[at];

		if (len >= 0xc0 && at + 1 < r->size) {
			size_t to = (size_t)(len & 0x3f) << 8 | r->message[at + 1];

			end = end == 0 ? at + 2 : end;
			if (to >= before)
				break;
			before = at = to;
		} else if (len > DNS_LABEL_MAX || r->size - at <= len || name.len + len + 2u > DNS_NAME_MAX) {
			break;
		} else {
			memcpy(name.bytes + name.len, r->message + at, len + 1u);
			name.len += len + 1u;
			at += len + 1u;
		}
	}
	r->is_bad |= at >= r->size || r->message[at] != 0;
	name.bytes[name.len] = 0;
	r->at = end == 0 ? at + 1 : end;
	dns_wire_format(name.bytes, text);
}

static void
take_record(struct reader *r, struct record *out)
{
	size_t len;

	take_name(r, out->owner);
	out->type = (uint16_t)take_u16(r);
	take_u16(r);
	take_u32(r);
	len = take_u16(r);
	if (r->is_bad || r->size - r->at < len) {
		r->is_bad = true;
		return;
	}
	out->data = r->at;
	out->end = r->at += len;
}

static void
write_addr(const struct reader *r, char *text, unsigned len)
{
	struct ip_addr addr;
	be32 v4;

	if (len == sizeof(v4)) {
		memcpy(&v4, r->message + r->at, sizeof(v4));
		addr = ip_addr_v4(v4);
	} else {
		addr = ip_addr_v6(r->message + r->at);
	}
	ip_addr_format(&addr, text);
}

/* Strings in quotes, one behind the other (RFC 1035 section 3.3.14). */
static void
write_strings(struct reader *r, size_t end, char *text)
{
	char *start = text;

	while (r->at < end && end - r->at > r->message[r->at]) {
		unsigned len = r->message[r->at];

		if ((size_t)(text - start) + len + 4 > TEXT_SIZE)
			break;
		text += sprintf(text, "%s\"%.*s\"", text == start ? "" : " ", (int)len,
			(const char *)r->message + r->at + 1);
		r->at += 1 + len;
	}
}

/* The data of the types that are in the zone; of others, nothing. */
static void
write_data(struct reader *r, const struct record *record, char text[static TEXT_SIZE])
{
	char first[DNS_TEXT_SIZE], second[DNS_TEXT_SIZE];
	unsigned numbers[3];
	size_t len = record->end - record->data;

	*text = '\0';
	r->at = record->data;
	switch (record->type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA:
		r->is_bad |= len != (record->type == DNS_TYPE_A ? 4 : 16);
		if (!r->is_bad)
			write_addr(r, text, (unsigned)len);
		break;
	case DNS_TYPE_NS:
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
		take_name(r, text);
		break;
	case DNS_TYPE_SRV:
		for (unsigned i = 0; i < 3; i++)
			numbers[i] = take_u16(r);
		take_name(r, first);
		snprintf(text, TEXT_SIZE, "%u %u %u %s", numbers[0], numbers[1], numbers[2], first);
		break;
	case DNS_TYPE_SOA:
		take_name(r, first);
		take_name(r, second);
		snprintf(text, TEXT_SIZE, "%s %s", first, second); /* the rest is no matter of names */
		break;
	case DNS_TYPE_TXT:
		write_strings(r, record->end, text);
		break;
	default:
		break;
	}
	r->at = record->end;
}

static void
take_section(struct reader *r, unsigned n, uint16_t asked, json_t *list)
{
	char data[TEXT_SIZE], text[TEXT_SIZE + DNS_TEXT_SIZE + 16];
	struct record record;

	while (n-- > 0 && !r->is_bad) {
		take_record(r, &record);
		if (r->is_bad || record.type == DNS_TYPE_OPT || list == NULL)
			continue;
		write_data(r, &record, data);
		if (asked == 0)
			snprintf(text, sizeof(text), "%s %s %s", record.owner, dns_type_name(record.type),
				data);
		else if (asked == record.type)
			snprintf(text, sizeof(text), "%s", data);
		else
			snprintf(text, sizeof(text), "%s %s", dns_type_name(record.type), data);
		json_array_append_new(list, json_string(text));
	}
}

bool
dns_message_read(const uint8_t *message, size_t size, uint16_t asked, json_t **answers, json_t **additional)
{
	struct reader r = { .message = message, .size = size, .at = 4 };
	char name[DNS_TEXT_SIZE];
	unsigned counts[4];

	*answers = json_array();
	*additional = json_array();
	for (unsigned i = 0; i < 4; i++)
		counts[i] = take_u16(&r);
	for (unsigned i = 0; i < counts[0] && !r.is_bad; i++) {
		take_name(&r, name);
		take_u32(&r);
	}
	take_section(&r, counts[1], asked, *answers);
	take_section(&r, counts[2], 0, NULL);
	take_section(&r, counts[3], 0, *additional);
	return !r.is_bad && r.at == size && *answers != NULL && *additional != NULL;
}
