#include "dataplane/dns/dns_parse_name.h"

#define POINTER 0xc0

/* One behind each label, and what is in no message that somebody made to be read: pointers to pointers. Without a bound one name takes
 * as long to read as a message has room for them. */
#define POINTERS_MAX (DNS_LABELS_MAX + 1)

size_t
dns_parse_name(const uint8_t *message, size_t size, size_t at, struct dns_full_name *out)
{
	size_t end = 0, before = at; /* a pointer leads to what is before the labels that it ends */
	unsigned n_pointers = 0;

	out->len = 0;
	while (at < size) {
		uint8_t len = message[at];

		if (len == 0) {
			out->bytes[out->len++] = 0;
			return end == 0 ? at + 1 : end;
		}
		if (len >= POINTER) {
			size_t to;

			if (size - at < 2)
				return 0;
			to = (size_t)(len & ~POINTER) << 8 | message[at + 1];
			if (to >= before || to < DNS_HEADER_SIZE || ++n_pointers > POINTERS_MAX)
				return 0;
			end = end == 0 ? at + 2 : end;
			before = at = to;
		} else if (len > DNS_LABEL_MAX || size - at <= len || out->len + len + 2u > DNS_NAME_MAX) {
			return 0;
		} else {
			memcpy(out->bytes + out->len, message + at, len + 1u);
			out->len += len + 1u;
			at += len + 1u;
		}
	}
	return 0;
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool
dns_full_name_equal(const struct dns_full_name *a, const struct dns_full_name *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (lower(a->bytes[i]) != lower(b->bytes[i])) /* a length byte is no letter */
			return false;
	return true;
}

/* --- data */

/* RFC 1035 section 3.3; RFC 1183, 2163, 2230, 2782, 3403, 6672 */
static const struct dns_layout layouts[] = {
	{ DNS_TYPE_NS, .n_names = 1, .may_compress = true },
	{ 3 /* MD */, .n_names = 1, .may_compress = true },
	{ 4 /* MF */, .n_names = 1, .may_compress = true },
	{ DNS_TYPE_CNAME, .n_names = 1, .may_compress = true },
	{ DNS_TYPE_SOA, .n_names = 2, .n_after = 20, .may_compress = true },
	{ 7 /* MB */, .n_names = 1, .may_compress = true },
	{ 8 /* MG */, .n_names = 1, .may_compress = true },
	{ 9 /* MR */, .n_names = 1, .may_compress = true },
	{ DNS_TYPE_PTR, .n_names = 1, .may_compress = true },
	{ 14 /* MINFO */, .n_names = 2, .may_compress = true },
	{ 15 /* MX */, .n_before = 2, .n_names = 1, .may_compress = true },
	{ 17 /* RP */, .n_names = 2 },
	{ 18 /* AFSDB */, .n_before = 2, .n_names = 1 },
	{ 21 /* RT */, .n_before = 2, .n_names = 1 },
	{ 26 /* PX */, .n_before = 2, .n_names = 2 },
	{ DNS_TYPE_SRV, .n_before = 6, .n_names = 1 },
	{ 35 /* NAPTR */, .n_before = 4, .n_strings = 3, .n_names = 1 },
	{ 36 /* KX */, .n_before = 2, .n_names = 1 },
	{ DNS_TYPE_DNAME, .n_names = 1 },
};

const struct dns_layout *
dns_layout_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

size_t
dns_layout_names(const struct dns_layout *layout, const uint8_t *message, const struct dns_record *record)
{
	size_t at = record->data + layout->n_before, end = (size_t)record->data + record->data_len;

	for (unsigned i = 0; i < layout->n_strings && at < end; i++)
		at += 1u + message[at];
	return at;
}
