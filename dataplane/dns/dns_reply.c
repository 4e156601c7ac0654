#include "dataplane/dns/dns_reply.h"

#include "dataplane/net/byteorder.h"

#define OPTION_EDE 15
#define OPTION_HEADER 4

static uint8_t *
put_u16(uint8_t *at, unsigned value)
{
	be16 wire = be16_from((uint16_t)value);

	return (uint8_t *)memcpy(at, &wire, sizeof(wire)) + sizeof(wire);
}

/* RFC 8914 section 2; the text may be left out. */
static uint8_t *
put_ede(uint8_t *at, size_t room, uint16_t ede, const char *text)
{
	size_t left = room - OPTION_HEADER - 2;
	uint8_t *len_at;

	if (room < OPTION_HEADER + 2)
		return at;
	if (text == NULL || strlen(text) > left)
		text = "";
	len_at = put_u16(at, OPTION_EDE);
	at = put_u16(len_at + 2, ede);
	while (*text != '\0') /* which does not go with it (RFC 8914 section 2) */
		*at++ = (uint8_t)*text++;
	put_u16(len_at, (unsigned)(at - len_at - 2));
	return at;
}

/* RFC 6891 section 6.1.2 */
static uint8_t *
put_opt(const struct dns_query *q, uint8_t *at, size_t room, const struct dns_reply_parts *parts,
	uint8_t rcode)
{
	uint8_t *options_len;

	*at = 0; /* the root */
	at = put_u16(at + 1, DNS_TYPE_OPT);
	at = put_u16(at, DNS_UDP_SIZE_MAX);
	at = put_u16(at, (unsigned)(rcode >> 4) << 8);
	options_len = put_u16(at, q->wants_dnssec ? 0x8000 : 0);
	at = put_u16(options_len, 0);
	if (parts->ede != DNS_EDE_NONE) {
		at = put_ede(at, room - DNS_OPT_SIZE, parts->ede, parts->text);
		put_u16(options_len, (unsigned)(at - options_len - 2));
	}
	return at;
}

void
dns_reply_finish(const struct dns_query *q, uint8_t *payload, uint8_t *at, size_t limit,
	const struct dns_reply_parts *parts, struct dns_reply *out)
{
	uint8_t *flags = payload + DNS_FLAGS_AT;
	unsigned n_additionals = parts->n_additionals + (q->has_opt ? 1u : 0u);

	if (q->has_opt)
		at = put_opt(q, at, limit - (size_t)(at - payload), parts, out->rcode);
	flags[0] = (uint8_t)(DNS_FLAG_QR | parts->aa | (flags[0] & DNS_FLAG_RD) |
			     (out->is_truncated ? DNS_FLAG_TC : 0));
	flags[1] = (uint8_t)(DNS_FLAG_RA | (flags[1] & DNS_FLAG_CD) | (out->rcode & 15));
	put_u16(payload + DNS_ANSWERS_AT, parts->n_answers);
	put_u16(payload + DNS_AUTHORITIES_AT, parts->n_authorities);
	put_u16(payload + DNS_ADDITIONALS_AT, n_additionals);
	out->size = (uint16_t)(at - payload);
}

bool
dns_reply_error(const struct dns_query *q, uint8_t *payload, size_t room, uint8_t rcode, uint16_t ede,
	const char *text, struct dns_reply *out)
{
	const struct dns_reply_parts parts = { .ede = ede, .text = text };
	size_t limit = dns_reply_limit(q, room);

	if (limit < q->end + (q->has_opt ? DNS_OPT_SIZE : 0u))
		return false;
	*out = (struct dns_reply){ .rcode = rcode };
	dns_reply_finish(q, payload, payload + q->end, limit, &parts, out);
	return true;
}
