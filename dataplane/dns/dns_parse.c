#include "dataplane/dns/dns_parse.h"

#include "dataplane/dns/dns_parse_chain.h"
#include "dataplane/dns/dns_parse_name.h"
#include "dataplane/net/byteorder.h"

#define FLAG_QR 0x8000
#define FLAG_AA 0x0400
#define FLAG_TC 0x0200
#define FLAG_RA 0x0080
#define OPCODE_MASK 0x7800
#define RCODE_MASK 0x000f

#define RCODE_NXDOMAIN 3

/* A record from its type to its data's length (RFC 1035 section 4.1.3). */
#define RECORD_HEAD 10

struct reader {
	const uint8_t *message;
	size_t size, at;
	bool is_bad, has_opt;
};

static unsigned
u16_at(const uint8_t *at)
{
	be16 value;

	memcpy(&value, at, sizeof(value));
	return be16_host(value);
}

static unsigned
take_u16(struct reader *r)
{
	unsigned value;

	if (r->size - r->at < 2) {
		r->is_bad = true;
		return 0;
	}
	value = u16_at(r->message + r->at);
	r->at += 2;
	return value;
}

static uint32_t
take_u32(struct reader *r)
{
	uint32_t high = take_u16(r);

	return high << 16 | take_u16(r);
}

/* --- data */

static bool
is_data_whole(const struct reader *r, const struct dns_record *record)
{
	const struct dns_layout *layout = dns_layout_find(record->type);
	size_t at, end = (size_t)record->data + record->data_len;
	struct dns_full_name name;

	if (record->type == DNS_TYPE_A)
		return record->data_len == 4;
	if (record->type == DNS_TYPE_AAAA)
		return record->data_len == 16;
	if (layout == NULL)
		return true;
	at = dns_layout_names(layout, r->message, record);
	for (unsigned i = 0; i < layout->n_names; i++) {
		at = at < end ? dns_parse_name(r->message, end, at, &name) : 0;
		if (at == 0)
			return false;
	}
	return end - at == layout->n_after;
}

/* --- sections */

static void
take_record(struct reader *r, struct dns_record *out)
{
	struct dns_full_name owner;
	size_t end = dns_parse_name(r->message, r->size, r->at, &owner);

	out->owner = (uint16_t)r->at;
	if (end == 0 || r->size - end < RECORD_HEAD) {
		r->is_bad = true;
		return;
	}
	r->at = end;
	out->is_taken = false;
	out->type = (uint16_t)take_u16(r);
	out->class = (uint16_t)take_u16(r);
	out->ttl_s = take_u32(r);
	if (out->ttl_s > INT32_MAX && out->type != DNS_TYPE_OPT)
		out->ttl_s = 0;
	out->data_len = (uint16_t)take_u16(r);
	out->data = (uint16_t)r->at;
	if (r->size - r->at < out->data_len || !is_data_whole(r, out)) {
		r->is_bad = true;
		return;
	}
	r->at += out->data_len;
}

/* Records to use later; more than there is room for are read all the same. */
static void
take_section(struct reader *r, unsigned n, struct dns_parsed *out)
{
	struct dns_record unused;

	for (; n > 0 && !r->is_bad; n--) {
		bool has_room = out->n_records < DNS_RECORDS_MAX;
		struct dns_record *record = has_room ? &out->records[out->n_records] : &unused;

		take_record(r, record);
		if (r->is_bad)
			return;
		r->is_bad = record->type == DNS_TYPE_OPT; /* RFC 6891 section 6.1.1 */
		out->n_records += has_room;
		out->is_oversized |= !has_room;
		if (record->ttl_s < out->ttl_s)
			out->ttl_s = record->ttl_s;
	}
}

/* Nothing of it is used but OPT, of which there is one at most. */
static void
take_additional(struct reader *r, unsigned n, struct dns_parsed *out)
{
	struct dns_record record;

	for (; n > 0 && !r->is_bad; n--) {
		take_record(r, &record);
		if (r->is_bad || record.type != DNS_TYPE_OPT)
			continue;
		r->is_bad = r->has_opt || r->message[record.owner] != 0;
		r->has_opt = true;
		out->rcode |= (uint16_t)(record.ttl_s >> 24 << 4);
	}
}

static bool
take_question(struct reader *r, struct dns_parsed *out)
{
	struct dns_full_name name;
	size_t end = dns_parse_name(r->message, r->size, r->at, &name);

	if (end != DNS_HEADER_SIZE + name.len) /* no pointer: there is nothing before it */
		return false;
	r->at = end;
	out->type = (uint16_t)take_u16(r);
	out->class = (uint16_t)take_u16(r);
	out->question_end = (uint16_t)r->at;
	out->last = DNS_HEADER_SIZE;
	return !r->is_bad;
}

static enum dns_kind
parse(struct reader *r, struct dns_parsed *out)
{
	unsigned flags, counts[4];

	if (r->size < DNS_HEADER_SIZE || r->size > UINT16_MAX)
		return DNS_KIND_MALFORMED;
	r->at = 2;
	flags = take_u16(r);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = take_u16(r);
	out->rcode = (uint16_t)(flags & RCODE_MASK);
	out->is_authoritative = (flags & FLAG_AA) != 0;
	out->is_recursive = (flags & FLAG_RA) != 0;
	if (!(flags & FLAG_QR) || (flags & OPCODE_MASK) || counts[0] != 1 || !take_question(r, out))
		return DNS_KIND_MALFORMED;
	if (flags & FLAG_TC)
		return DNS_KIND_TRUNCATED;
	out->ttl_s = DNS_TTL_MAX_S;
	take_section(r, counts[1], out);
	out->n_in_answer = out->n_records;
	take_section(r, counts[2], out);
	take_additional(r, counts[3], out);
	if (r->is_bad || r->at != r->size)
		return DNS_KIND_MALFORMED;
	if (out->rcode != 0 && out->rcode != RCODE_NXDOMAIN)
		return DNS_KIND_ERROR;
	if (out->is_oversized)
		return DNS_KIND_ANSWER;
	return dns_parse_chain(out);
}

enum dns_kind
dns_parse(const uint8_t *message, size_t size, struct dns_parsed *out)
{
	struct reader r = { .message = message, .size = size };

	memset(out, 0, offsetof(struct dns_parsed, taken));
	out->n_in_answer = out->n_records = 0;
	out->ttl_s = 0;
	out->message = message;
	out->size = (uint16_t)size;
	out->kind = parse(&r, out);
	if (out->kind > DNS_KIND_NXDOMAIN)
		out->ttl_s = 0;
	return out->kind;
}

bool
dns_parse_is_reply(const uint8_t *message, size_t size, const uint8_t *sent, size_t sent_size)
{
	struct dns_full_name asked, told;
	size_t end = dns_parse_name(sent, sent_size, DNS_HEADER_SIZE, &asked);

	return end != 0 && dns_parse_name(message, size, DNS_HEADER_SIZE, &told) == end && end + 4 <= size &&
	       end + 4 <= sent_size && memcmp(message, sent, 2) == 0 &&
	       (u16_at(message + 2) & (FLAG_QR | OPCODE_MASK)) == FLAG_QR && u16_at(message + 4) == 1 &&
	       dns_full_name_equal(&asked, &told) && memcmp(message + end, sent + end, 4) == 0;
}

const char *
dns_kind_text(enum dns_kind kind)
{
	static const char *const texts[N_DNS_KINDS] = {
		[DNS_KIND_ANSWER] = "an answer",
		[DNS_KIND_NODATA] = "no data",
		[DNS_KIND_NXDOMAIN] = "no such name",
		[DNS_KIND_TRUNCATED] = "truncated",
		[DNS_KIND_ERROR] = "an error",
		[DNS_KIND_LAME] = "a referral, a loop or a contradiction",
		[DNS_KIND_MALFORMED] = "malformed",
	};

	return kind < N_DNS_KINDS ? texts[kind] : "";
}
