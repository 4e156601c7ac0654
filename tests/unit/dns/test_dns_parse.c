/* Replies of upstreams: what they mean, which of their records are used and for how long; what is malformed, and half a million that
 * chance changed. libknot reads them, too, and what becomes of them in the cache. */
#include "dataplane/dns/dns_cache_make.h"
#include "dataplane/dns/dns_parse_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/dns_messages.h"
#include "tests/support/knot.h"

#define SEED UINT64_C(0x1234567890abcdef)
#define START UINT64_C(1000000000000)

/* Which records: "SECTION OWNER TTL TYPE DATA", the next one behind a semicolon. SOA's data is its minimum, RRSIG's the type it is of;
 * of types without a text form it is the bytes. */
struct reply {
	const char *name;
	const char *question; /* of type A unless type says another one */
	uint16_t type;
	unsigned flags; /* with the result code; 0: QR, RD, RA */
	const char *records;
	enum dns_kind kind;
	uint32_t ttl;
	const char *taken; /* which of them, from 0, in order; additional ones do not count */
};

#define NXDOMAIN (MESSAGE_REPLY | DNS_RCODE_NXDOMAIN)
#define WWW "www.example.com"

#define MX 15
#define HTTPS 65

static const struct reply replies[] = {
	/* answers */
	{ "an address", WWW, 0, 0, "an www.example.com 60 A 192.0.2.1", DNS_KIND_ANSWER, 60, "0" },
	{ "in other letters", "wWw.example.com", 0, 0, "an Www.EXAMPLE.com 60 A 192.0.2.1", DNS_KIND_ANSWER,
		60, "0" },
	{ "the least TTL counts", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; an www.example.com 20 A 192.0.2.2", DNS_KIND_ANSWER, 20,
		"0 1" },
	{ "no longer than a day", WWW, 0, 0, "an www.example.com 604800 A 192.0.2.1", DNS_KIND_ANSWER, 86400,
		"0" },
	{ "TTL 0", WWW, 0, 0, "an www.example.com 0 A 192.0.2.1", DNS_KIND_ANSWER, 0, "0" },
	{ "a TTL with its top bit (RFC 8767 section 4)", WWW, 0, 0,
		"an www.example.com 2147483648 A 192.0.2.1", DNS_KIND_ANSWER, 0, "0" },
	{ "the largest TTL", WWW, 0, 0, "an www.example.com 2147483647 A 192.0.2.1", DNS_KIND_ANSWER, 86400,
		"0" },
	{ "IPv6", WWW, DNS_TYPE_AAAA, 0, "an www.example.com 60 AAAA 2001:db8::1", DNS_KIND_ANSWER, 60, "0" },
	{ "a name for an address", "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 0,
		"an 1.2.0.192.in-addr.arpa 60 PTR www.example.com", DNS_KIND_ANSWER, 60, "0" },
	{ "mail, without the addresses", "example.com", MX, 0,
		"an example.com 60 MX mail.example.com; ad mail.example.com 5 A 192.0.2.9", DNS_KIND_ANSWER,
		60, "0" },
	{ "services, without the addresses", "_x._tcp.example.com", DNS_TYPE_SRV, 0,
		"an _x._tcp.example.com 60 SRV a.example.com; an _x._tcp.example.com 60 SRV b.example.com; "
		"ad a.example.com 5 A 192.0.2.9",
		DNS_KIND_ANSWER, 60, "0 1" },
	{ "a type nobody knew", WWW, HTTPS, 0, "an www.example.com 60 65 x", DNS_KIND_ANSWER, 60, "0" },
	{ "ANY takes all of the name", "example.com", DNS_TYPE_ANY, 0,
		"an example.com 60 A 192.0.2.1; an example.com 50 MX mail.example.com; an other.com 9 A "
		"192.0.2.1",
		DNS_KIND_ANSWER, 50, "0 1" },
	{ "ANY does not follow", WWW, DNS_TYPE_ANY, 0,
		"an www.example.com 60 CNAME a.example.com; an a.example.com 5 A 192.0.2.1", DNS_KIND_ANSWER,
		60, "0" },
	{ "the root's servers", ".", DNS_TYPE_NS, 0, "an . 60 NS a.root-servers.net", DNS_KIND_ANSWER, 60,
		"0" },
	{ "the server of the zone and its address are not used", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; au example.com 5 NS ns.example.com; ad ns.example.com 5 "
		"A 192.0.2.2",
		DNS_KIND_ANSWER, 60, "0" },
	{ "OPT is no record", WWW, 0, 0, "an www.example.com 60 A 192.0.2.1; ad . 32768 OPT", DNS_KIND_ANSWER,
		60, "0" },
	{ "AA without RA", WWW, 0, MESSAGE_QR | MESSAGE_AA, "an www.example.com 60 A 192.0.2.1",
		DNS_KIND_ANSWER, 60, "0" },

	/* chains */
	{ "a CNAME and what it leads to", WWW, 0, 0,
		"an www.example.com 60 CNAME web.example.net; an web.example.net 30 A 192.0.2.1",
		DNS_KIND_ANSWER, 30, "0 1" },
	{ "the CNAME's TTL counts", WWW, 0, 0,
		"an www.example.com 10 CNAME web.example.net; an web.example.net 30 A 192.0.2.1",
		DNS_KIND_ANSWER, 10, "0 1" },
	{ "the chain is put in order", WWW, 0, 0,
		"an c.example.com 60 A 192.0.2.1; an b.example.com 60 CNAME c.example.com; an "
		"www.example.com 60 CNAME "
		"b.example.com",
		DNS_KIND_ANSWER, 60, "2 1 0" },
	{ "a CNAME is what was asked for", WWW, DNS_TYPE_CNAME, 0,
		"an www.example.com 60 CNAME b.example.com; an b.example.com 60 CNAME c.example.com",
		DNS_KIND_ANSWER, 60, "0" },
	{ "of two CNAMEs the first", WWW, 0, 0,
		"an www.example.com 60 CNAME a.example.com; an www.example.com 60 CNAME b.example.com; an "
		"b.example.com 60 A "
		"192.0.2.2; an a.example.com 60 A 192.0.2.1",
		DNS_KIND_ANSWER, 60, "0 3" },
	{ "a DNAME goes with the CNAME that it made", "www.old.example.com", 0, 0,
		"an old.example.com 60 DNAME new.example.com; an www.old.example.com 60 CNAME "
		"www.new.example.com; an "
		"www.new.example.com 60 A 192.0.2.1",
		DNS_KIND_ANSWER, 60, "0 1 2" },
	{ "a loop", WWW, 0, 0,
		"an www.example.com 60 CNAME b.example.com; an b.example.com 60 CNAME www.example.com",
		DNS_KIND_LAME, 0, NULL },
	{ "a loop of one", WWW, 0, 0, "an www.example.com 60 CNAME www.example.com", DNS_KIND_LAME, 0, NULL },
	{ "sixteen CNAMEs", "a0", 0, 0,
		"an a0 9 CNAME a1; an a1 9 CNAME a2; an a2 9 CNAME a3; an a3 9 CNAME a4; an a4 9 CNAME a5; "
		"an a5 9 CNAME "
		"a6; an a6 9 CNAME a7; an a7 9 CNAME a8; an a8 9 CNAME a9; an a9 9 CNAME a10; an a10 9 CNAME "
		"a11; an a11 "
		"9 CNAME a12; an a12 9 CNAME a13; an a13 9 CNAME a14; an a14 9 CNAME a15; an a15 9 CNAME "
		"a16; an a16 9 A "
		"192.0.2.1",
		DNS_KIND_ANSWER, 9, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16" },
	{ "seventeen", "a0", 0, 0,
		"an a0 9 CNAME a1; an a1 9 CNAME a2; an a2 9 CNAME a3; an a3 9 CNAME a4; an a4 9 CNAME a5; "
		"an a5 9 CNAME "
		"a6; an a6 9 CNAME a7; an a7 9 CNAME a8; an a8 9 CNAME a9; an a9 9 CNAME a10; an a10 9 CNAME "
		"a11; an a11 "
		"9 CNAME a12; an a12 9 CNAME a13; an a13 9 CNAME a14; an a14 9 CNAME a15; an a15 9 CNAME "
		"a16; an a16 9 "
		"CNAME a17; an a17 9 A 192.0.2.1",
		DNS_KIND_LAME, 0, NULL },

	/* poison (RFC 5452 section 6) */
	{ "other names in the answer", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; an bank.example.net 5 A 203.0.113.1; an example.com 5 NS "
		"evil.example.net",
		DNS_KIND_ANSWER, 60, "0" },
	{ "only other names", WWW, 0, 0, "an bank.example.net 60 A 203.0.113.1", DNS_KIND_NODATA, 0, "" },
	{ "a chain that nobody asked for", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; an bank.example.net 60 CNAME evil.example.net; an "
		"evil.example.net 60 A "
		"203.0.113.1",
		DNS_KIND_ANSWER, 60, "0" },
	{ "another type of the name", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; an www.example.com 5 AAAA 2001:db8::1", DNS_KIND_ANSWER,
		60, "0" },
	{ "another class", WWW, 0, 0, "an www.example.com 60 A/3 192.0.2.1", DNS_KIND_NODATA, 0, "" },
	{ "answers in the wrong section", WWW, 0, 0, "au www.example.com 60 A 192.0.2.1", DNS_KIND_NODATA, 0,
		"" },

	/* negative (RFC 2308) */
	{ "no data", WWW, 0, 0, "au example.com 600 SOA 300", DNS_KIND_NODATA, 300, "0" },
	{ "the SOA's TTL counts", WWW, 0, 0, "au example.com 100 SOA 300", DNS_KIND_NODATA, 100, "0" },
	{ "minimum 0", WWW, 0, 0, "au example.com 100 SOA 0", DNS_KIND_NODATA, 0, "0" },
	{ "no such name", WWW, 0, NXDOMAIN, "au example.com 600 SOA 300", DNS_KIND_NXDOMAIN, 300, "0" },
	{ "SOA and NS", WWW, 0, NXDOMAIN, "au example.com 600 NS a.example.com; au example.com 600 SOA 300",
		DNS_KIND_NXDOMAIN, 300, "1" },
	{ "of the root", "nosuch", 0, NXDOMAIN, "au . 86400 SOA 86400", DNS_KIND_NXDOMAIN, 86400, "0" },
	{ "of the name itself", "example.com", 0, 0, "au example.com 600 SOA 300", DNS_KIND_NODATA, 300,
		"0" },
	{ "an SOA of a zone elsewhere", WWW, 0, NXDOMAIN, "au example.net 600 SOA 300", DNS_KIND_NXDOMAIN, 0,
		"" },
	{ "an SOA of a name that only ends alike", "www.badexample.com", 0, NXDOMAIN,
		"au example.com 600 SOA 300", DNS_KIND_NXDOMAIN, 0, "" },
	{ "an SOA below the name", "example.com", 0, 0, "au www.example.com 600 SOA 300", DNS_KIND_NODATA, 0,
		"" },
	{ "no SOA, no such name", WWW, 0, NXDOMAIN, "", DNS_KIND_NXDOMAIN, 0, "" },
	{ "no SOA, no data", WWW, 0, 0, "", DNS_KIND_NODATA, 0, "" },
	{ "no data behind a CNAME", WWW, 0, 0,
		"an www.example.com 60 CNAME web.example.net; au example.net 600 SOA 300", DNS_KIND_NODATA,
		60, "0 1" },
	{ "no such name behind a CNAME (RFC 6604)", WWW, 0, NXDOMAIN,
		"an www.example.com 600 CNAME web.example.net; au example.net 600 SOA 30", DNS_KIND_NXDOMAIN,
		30, "0 1" },
	{ "the SOA of the CNAME's zone says nothing of where it leads", WWW, 0, NXDOMAIN,
		"an www.example.com 60 CNAME web.example.net; au example.com 600 SOA 300", DNS_KIND_NXDOMAIN,
		0, "0" },
	{ "a chain without end", WWW, 0, 0, "an www.example.com 60 CNAME web.example.net", DNS_KIND_NODATA, 0,
		"0" },

	/* signatures (RFC 4035) */
	{ "signed", WWW, 0, 0, "an www.example.com 60 A 192.0.2.1; an www.example.com 60 RRSIG 1",
		DNS_KIND_ANSWER, 60, "0 1" },
	{ "a signature of another type", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; an www.example.com 5 RRSIG 28", DNS_KIND_ANSWER, 60,
		"0" },
	{ "a signature alone", WWW, 0, 0, "an www.example.com 60 RRSIG 1", DNS_KIND_NODATA, 0, "" },
	{ "a signed chain", WWW, 0, 0,
		"an www.example.com 60 CNAME a.example.com; an www.example.com 60 RRSIG 5; an a.example.com "
		"60 A 192.0.2.1; an "
		"a.example.com 60 RRSIG 1",
		DNS_KIND_ANSWER, 60, "0 1 2 3" },
	{ "from a wildcard, with its proof", WWW, 0, 0,
		"an www.example.com 60 A 192.0.2.1; an www.example.com 60 RRSIG 1; au b.example.com 40 NSEC "
		"z.example.com; au b.example.com 60 RRSIG 47; au example.com 5 NS ns.example.com; au "
		"example.com 5 RRSIG 2",
		DNS_KIND_ANSWER, 40, "0 1 2 3" },
	{ "a denial with its proof", WWW, 0, NXDOMAIN,
		"au example.com 600 SOA 300; au example.com 600 RRSIG 6; au a.example.com 200 NSEC "
		"z.example.com; au "
		"a.example.com 600 RRSIG "
		"47",
		DNS_KIND_NXDOMAIN, 200, "0 1 2 3" },

	/* nobody's answer */
	{ "SERVFAIL", WWW, 0, MESSAGE_REPLY | 2, "", DNS_KIND_ERROR, 0, NULL },
	{ "REFUSED", WWW, 0, MESSAGE_REPLY | 5, "", DNS_KIND_ERROR, 0, NULL },
	{ "SERVFAIL with an answer", WWW, 0, MESSAGE_REPLY | 2, "an www.example.com 60 A 192.0.2.1",
		DNS_KIND_ERROR, 0, NULL },
	{ "BADVERS", WWW, 0, 0, "ad . 16777216 OPT", DNS_KIND_ERROR, 0, NULL },
	{ "NXDOMAIN with an answer", WWW, 0, NXDOMAIN, "an www.example.com 60 A 192.0.2.1", DNS_KIND_LAME, 0,
		NULL },
	{ "a referral", WWW, 0, MESSAGE_QR,
		"au example.com 60 NS ns.example.com; ad ns.example.com 60 A 192.0.2.1", DNS_KIND_LAME, 0,
		NULL },
	{ "a referral upwards, by who would recurse", WWW, 0, 0, "au . 60 NS a.root-servers.net",
		DNS_KIND_LAME, 0, NULL },
	{ "nothing by who does not recurse", WWW, 0, MESSAGE_QR, "", DNS_KIND_LAME, 0, NULL },
	{ "nothing by who knows", WWW, 0, MESSAGE_QR | MESSAGE_AA, "", DNS_KIND_NODATA, 0, "" },
	{ "TC", WWW, 0, MESSAGE_REPLY | MESSAGE_TC, "an www.example.com 60 A 192.0.2.1", DNS_KIND_TRUNCATED,
		0, NULL },

	/* malformed */
	{ "a query", WWW, 0, MESSAGE_RD, "", DNS_KIND_MALFORMED, 0, NULL },
	{ "of another opcode", WWW, 0, MESSAGE_REPLY | 0x2000, "", DNS_KIND_MALFORMED, 0, NULL },
	{ "an address of three bytes", WWW, 0, 0, "an www.example.com 60 1 abc", DNS_KIND_MALFORMED, 0,
		NULL },
	{ "an IPv6 address of four", WWW, DNS_TYPE_AAAA, 0, "an www.example.com 60 28 abcd",
		DNS_KIND_MALFORMED, 0, NULL },
	{ "an empty name in the data", WWW, 0, 0, "an www.example.com 60 5 ", DNS_KIND_MALFORMED, 0, NULL },
	{ "a name that ends before its data", WWW, 0, 0, "an www.example.com 60 5 \2ab", DNS_KIND_MALFORMED,
		0, NULL },
	{ "a name that does not end in its data", WWW, 0, 0, "an www.example.com 60 5 \5ab",
		DNS_KIND_MALFORMED, 0, NULL },
	{ "an SOA without numbers", WWW, 0, 0, "au example.com 60 6 \1a", DNS_KIND_MALFORMED, 0, NULL },
	{ "two OPTs", WWW, 0, 0, "ad . 0 OPT; ad . 0 OPT", DNS_KIND_MALFORMED, 0, NULL },
	{ "OPT of a name", WWW, 0, 0, "ad example.com 0 OPT", DNS_KIND_MALFORMED, 0, NULL },
	{ "OPT in the answer", WWW, 0, 0, "an . 0 OPT", DNS_KIND_MALFORMED, 0, NULL },
};

/* --- writing them */

static void
write_data(struct message *m, unsigned type, const char *data)
{
	unsigned of = (unsigned)strtoul(data, NULL, 10);

	switch (type) {
	case DNS_TYPE_RRSIG:
		message_u16(m, of);
		message_bytes(m, (const uint8_t[16]){ 13, 2 }, 16);
		message_name(m, "example.com");
		message_bytes(m, "signature", 9);
		break;
	case DNS_TYPE_SOA:
		message_name(m, "ns.example.com");
		message_name(m, "admin.example.com");
		message_bytes(m, (const uint8_t[16]){ 0 }, 16);
		message_u32(m, of);
		break;
	case DNS_TYPE_NSEC:
		message_name(m, data);
		message_bytes(m, "\0\1\x40", 3);
		break;
	case DNS_TYPE_SRV:
		message_u32(m, 10);
		/* fall through */
	case MX:
		message_u16(m, 80);
		/* fall through */
	default:
		message_name(m, data);
	}
}

static unsigned
type_number(const char *name)
{
	static const struct {
		const char *name;
		unsigned type;
	} types[] = { { "A", DNS_TYPE_A }, { "A/3", DNS_TYPE_A }, { "NS", DNS_TYPE_NS },
		{ "CNAME", DNS_TYPE_CNAME }, { "SOA", DNS_TYPE_SOA }, { "PTR", DNS_TYPE_PTR }, { "MX", MX },
		{ "AAAA", DNS_TYPE_AAAA }, { "SRV", DNS_TYPE_SRV }, { "DNAME", DNS_TYPE_DNAME },
		{ "OPT", DNS_TYPE_OPT }, { "NSEC", DNS_TYPE_NSEC }, { "RRSIG", DNS_TYPE_RRSIG } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return (unsigned)strtoul(name, NULL, 10);
}

static void
write_record(struct message *m, const char *text)
{
	char section[4], owner[64], type[16], data[64] = "";
	enum message_section where;
	unsigned long ttl;
	size_t at;

	assert_true(sscanf(text, "%3s %63s %lu %15[^ ;] %63[^;]", section, owner, &ttl, type, data) >= 4);
	where = strcmp(section, "an") == 0   ? SECTION_ANSWER
		: strcmp(section, "au") == 0 ? SECTION_AUTHORITY
					     : SECTION_ADDITIONAL;
	if ((strcmp(type, "A") == 0 || strcmp(type, "AAAA") == 0)) {
		message_addr(m, where, owner, (uint32_t)ttl, data);
		return;
	}
	at = message_record(m, where, owner, (uint16_t)type_number(type), (uint32_t)ttl);
	if (strcmp(type, "A/3") == 0) {
		m->bytes[at - 7] = 3;
		message_u32(m, 1);
	} else if (type[0] >= '0' && type[0] <= '9') {
		message_bytes(m, data, strlen(data));
	} else if (strcmp(type, "OPT") == 0) {
		m->bytes[at - 8] = DNS_UDP_SIZE_MAX >> 8;
		m->bytes[at - 7] = DNS_UDP_SIZE_MAX & 0xff;
	} else {
		write_data(m, type_number(type), data);
	}
	message_end(m, at);
}

static void
write_reply(struct message *m, const struct reply *r)
{
	const char *text = r->records;

	message_begin(m, r->flags == 0 ? MESSAGE_REPLY : r->flags, r->question,
		r->type == 0 ? DNS_TYPE_A : r->type);
	while (text != NULL && *text != '\0') {
		write_record(m, text);
		text = strchr(text, ';');
		text = text == NULL ? NULL : text + 2;
	}
}

/* --- reading them */

/* On a copy without a byte to spare, so that reading outside is found; the caller frees it. */
static uint8_t *
parse(const uint8_t *bytes, size_t size, struct dns_parsed *out)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	dns_parse(copy, size, out);
	return copy;
}

static void
list_taken(const struct dns_parsed *p, char text[static 128])
{
	int at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < p->n_answers + p->n_authorities; i++)
		at += snprintf(text + at, 128 - (size_t)at, i == 0 ? "%u" : " %u", p->taken[i]);
}

static void
check_reply(const struct reply *r, const struct dns_parsed *p)
{
	char taken[128];

	if (p->kind != r->kind)
		fail_msg("%s: %s, not %s", r->name, dns_kind_text(p->kind), dns_kind_text(r->kind));
	if (p->ttl_s != r->ttl)
		fail_msg("%s: for %u s, not %u s", r->name, p->ttl_s, r->ttl);
	list_taken(p, taken);
	if (r->taken != NULL && strcmp(taken, r->taken) != 0)
		fail_msg("%s: takes %s, not %s", r->name, taken, r->taken);
}

static void
replies_are_what_they_are(void **state)
{
	static struct dns_parsed p;
	static struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		uint8_t *copy;
		knot_pkt_t *pkt;

		write_reply(&m, &replies[i]);
		copy = parse(m.bytes, m.size, &p);
		check_reply(&replies[i], &p);
		free(copy);
		pkt = knot_read(m.bytes, m.size);
		if (replies[i].kind != DNS_KIND_MALFORMED && pkt == NULL)
			fail_msg("%s: libknot does not read it", replies[i].name);
		knot_done(pkt);
	}
}

/* Ends inside of what it announces, or has something behind its end. */
static void
a_cut_reply_is_malformed(void **state)
{
	static struct dns_parsed p;
	static struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		if (replies[i].kind == DNS_KIND_TRUNCATED)
			continue;
		write_reply(&m, &replies[i]);
		for (size_t size = 0; size <= m.size + 1; size++) {
			uint8_t *copy = parse(m.bytes, size, &p);

			if (size != m.size)
				assert_int_equal(p.kind, DNS_KIND_MALFORMED);
			free(copy);
		}
	}
}

/* Pointers lead backwards, so they end; what they lead to is a name of at most 255 bytes. */
static void
names_end(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t size, at;
		unsigned len; /* 0: malformed */
	} names[] = {
#define N(text, bytes, at, len) { text, "............" bytes, 12 + sizeof(bytes) - 1, 12 + (at), len }
		N("in full", "\3www\0", 0, 5),
		N("a pointer", "\3www\0\xc0\x0c", 5, 5),
		N("a label and a pointer", "\3com\0\3www\xc0\x0c", 5, 9),
		N("two pointers", "\3com\0\1a\xc0\x0c\1b\xc0\x11", 9, 9),
		N("to itself", "\xc0\x0c", 0, 0),
		N("to its own label", "\1a\xc0\x0c", 0, 0),
		N("forwards", "\xc0\x0e\0", 0, 0),
		N("into the header", "\xc0\x0b", 0, 0),
		N("in a circle", "\1a\xc0\x10\1b\xc0\x0c", 4, 0),
		N("half a pointer", "\3www\xc0", 0, 0),
		N("a label of another type", "\x41\1\0", 0, 0),
		N("without end", "\3www", 0, 0),
#undef N
	};
	struct dns_full_name name;
	uint8_t long_name[12 + 256] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t end =
			dns_parse_name((const uint8_t *)names[i].bytes, names[i].size, names[i].at, &name);

		if (names[i].len == 0 ? end != 0 : end != names[i].size || name.len != names[i].len)
			fail_msg("%s: %zu, %u bytes", names[i].name, end, name.len);
	}
	for (unsigned at = 12; at < 12 + 254; at += 2)
		long_name[at] = 1;
	assert_int_equal(dns_parse_name(long_name, sizeof(long_name), 12, &name), 12 + 255);
	assert_int_equal(name.len, 255);
	long_name[12] = 2; /* and all labels one byte later */
	memmove(long_name + 15, long_name + 14, 253);
	assert_int_equal(dns_parse_name(long_name, sizeof(long_name), 12, &name), 0);
}

/* A label and a pointer, over and over, is a name; pointers to pointers are there to keep whoever reads them busy. */
static void
pointers_are_bounded(void **state)
{
	static uint8_t message[16384];
	struct dns_full_name name;
	size_t at = 13; /* behind the root's label */

	(void)state;
	for (unsigned i = 0, last = 12; i < 127; i++, last = (unsigned)at, at += 4)
		memcpy(message + at, (const uint8_t[]){ 1, 'a', (uint8_t)(0xc0 | last >> 8), (uint8_t)last },
			4);
	assert_int_equal(dns_parse_name(message, at, at - 4, &name), at);
	assert_int_equal(name.len, 255);
	memset(message, 0, sizeof(message));
	for (at = 13; at + 2 <= sizeof(message); at += 2) {
		size_t last = at == 13 ? 12 : at - 2;

		memcpy(message + at, (const uint8_t[]){ (uint8_t)(0xc0 | last >> 8), (uint8_t)last }, 2);
	}
	assert_int_equal(dns_parse_name(message, at, 13 + 2 * 127, &name), 13 + 2 * 128);
	assert_int_equal(dns_parse_name(message, at, at - 2, &name), 0);
}

static void
only_the_reply_to_what_was_sent_is_one(void **state)
{
	static struct message sent, m;

	(void)state;
	message_begin(&sent, MESSAGE_RD, "wWw.example.com", DNS_TYPE_A);
	message_opt(&sent, 1232, 0);
#define IS_REPLY() dns_parse_is_reply(m.bytes, m.size, sent.bytes, sent.size)
	message_begin(&m, MESSAGE_REPLY, "www.example.com", DNS_TYPE_A);
	assert_true(IS_REPLY());
	m.bytes[1] ^= 1;
	assert_false(IS_REPLY());
	message_begin(&m, MESSAGE_REPLY, "www.example.com", DNS_TYPE_AAAA);
	assert_false(IS_REPLY());
	message_begin(&m, MESSAGE_REPLY, "ww2.example.com", DNS_TYPE_A);
	assert_false(IS_REPLY());
	message_begin(&m, MESSAGE_REPLY, "www.example.com.net", DNS_TYPE_A);
	assert_false(IS_REPLY());
	message_begin(&m, MESSAGE_RD, "www.example.com", DNS_TYPE_A);
	assert_false(IS_REPLY());
	message_begin(&m, MESSAGE_REPLY, "www.example.com", DNS_TYPE_A);
	m.bytes[5] = 0;
	assert_false(IS_REPLY());
	m.bytes[5] = 1;
	for (size_t size = 0; size < m.size; size++)
		assert_false(dns_parse_is_reply(m.bytes, size, sent.bytes, sent.size));
}

/* --- what becomes of them */

/* The reply that a client gets who asked the same; its size, or 0: what was asked is no query that anybody answers. */
static size_t
tell(const struct dns_parsed *p, uint8_t payload[static 2048])
{
	static const struct dns_entry_limits limits = { .negative_max_s = DNS_TTL_MAX_S, .stale_max_s = 1 };
	static struct dns_entry_room room;
	const struct dns_entry *e;
	struct dns_reply reply;
	struct dns_cache_key key;
	struct dns_query q;

	memcpy(payload, p->message, p->question_end);
	memcpy(payload + DNS_FLAGS_AT, (const uint8_t[10]){ 1, 0, 0, 1 }, 10);
	if (dns_query_scan(payload, p->question_end, SEED, &q) != DNS_SCAN_QUERY)
		return 0;
	q.udp_size = DNS_UDP_SIZE_MAX;
	key = dns_cache_key_of(&q, payload);
	e = dns_entry_make(&room, &key, p, &limits, START);
	assert_true(e->size <= DNS_ENTRY_SIZE_MAX && e->size % DNS_CACHE_UNIT == 0);
	assert_true(dns_entry_answer(e, &q, payload, 2048, dns_entry_ttl(e, START), 0, DNS_EDE_NONE, &reply));
	return reply.size;
}

/* Whoever reads what we tell reads the same as we did. */
static void
check_told(const char *name, const struct dns_parsed *p)
{
	static struct dns_parsed again;
	static uint8_t payload[2048];
	size_t size = tell(p, payload);
	knot_pkt_t *pkt;

	if (size == 0)
		return;
	pkt = knot_read(payload, size);
	if (pkt == NULL)
		fail_msg("%s: libknot does not read what is told", name);
	knot_done(pkt);
	dns_parse(payload, size, &again);
	if (again.kind == DNS_KIND_TRUNCATED)
		return;
	if (again.kind != p->kind || again.ttl_s != p->ttl_s || again.rcode != p->rcode ||
		again.n_answers != p->n_answers || again.n_authorities != p->n_authorities)
		fail_msg("%s: %s was told as %s", name, dns_kind_text(p->kind), dns_kind_text(again.kind));
}

static void
what_is_told_is_what_was_read(void **state)
{
	static struct dns_parsed p;
	static struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		if (replies[i].kind > DNS_KIND_NXDOMAIN)
			continue;
		write_reply(&m, &replies[i]);
		dns_parse(m.bytes, m.size, &p);
		check_told(replies[i].name, &p);
	}
}

/* Names that end alike are written once, those in the data of newer types in full (RFC 3597 section 4). */
static void
names_are_compressed(void **state)
{
	static struct dns_parsed p;
	static struct message m;
	uint8_t payload[2048];

	(void)state;
	message_begin(&m, MESSAGE_REPLY, "example.com", MX);
	for (unsigned i = 0; i < 5; i++)
		write_record(&m, "an example.com 60 MX mail.example.com");
	dns_parse(m.bytes, m.size, &p);
	assert_int_equal(tell(&p, payload), 12 + 17 + (12 + 2 + 7) + 4 * (12 + 2 + 2));
	message_begin(&m, MESSAGE_REPLY, "example.com", DNS_TYPE_SRV);
	for (unsigned i = 0; i < 5; i++)
		write_record(&m, "an example.com 60 SRV a.example.com");
	dns_parse(m.bytes, m.size, &p);
	assert_int_equal(tell(&p, payload), 12 + 17 + 5 * (12 + 6 + 15));
}

/* More records than are looked at, and more than fit. */
static void
large_replies_are_told_as_truncated(void **state)
{
	static struct dns_parsed p;
	static struct message m;
	uint8_t payload[2048];

	(void)state;
	for (unsigned n = 70; n < 2000; n += 185) {
		message_begin(&m, MESSAGE_REPLY, WWW, DNS_TYPE_A);
		for (unsigned i = 0; i < n; i++)
			message_addr(&m, SECTION_ANSWER, WWW, 100 + i, "192.0.2.1");
		assert_int_equal(dns_parse(m.bytes, m.size, &p), DNS_KIND_ANSWER);
		assert_int_equal(p.ttl_s, 100);
		assert_int_equal(p.is_oversized, n > DNS_RECORDS_MAX);
		tell(&p, payload);
		assert_int_equal((payload[2] & DNS_FLAG_TC) != 0, n > 74);
	}
}

/* --- chance */

static uint64_t
chance(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1;
	return *seed >> 33;
}

/* Types whose data both read; libknot knows more of some than we have to, and of additional records. */
static bool
is_knots_business(const struct dns_parsed *p)
{
	for (unsigned i = 0; i < p->n_records; i++)
		if (dns_layout_find(p->records[i].type) == NULL && p->records[i].type != DNS_TYPE_A &&
			p->records[i].type != DNS_TYPE_AAAA)
			return true;
	return false;
}

static void
chance_finds_nothing(void **state)
{
	static struct dns_parsed p;
	static struct message m;
	uint64_t seed = 1;
	unsigned n_whole = 0;

	(void)state;
	for (unsigned i = 0; i < 500000; i++) {
		const struct reply *r = &replies[i % (sizeof(replies) / sizeof(replies[0]))];
		knot_pkt_t *pkt;
		uint8_t *copy;

		write_reply(&m, r);
		for (unsigned n = 1 + chance(&seed) % 3; n > 0; n--) {
			uint8_t *byte = &m.bytes[2 + chance(&seed) % (m.size - 2)];

			*byte = chance(&seed) % 4 == 0 ? 0xc0 : (uint8_t)chance(&seed);
		}
		copy = parse(m.bytes, m.size, &p);
		if (p.kind <= DNS_KIND_NXDOMAIN) {
			n_whole++;
			pkt = knot_read(m.bytes, m.size);
			if (pkt == NULL && m.bytes[11] == 0 && !is_knots_business(&p))
				fail_msg("change %u of %s: libknot does not read it", i, r->name);
			knot_done(pkt);
			if (!is_knots_business(&p))
				check_told(r->name, &p);
		}
		free(copy);
	}
	assert_true(n_whole > 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_what_they_are),
		cmocka_unit_test(a_cut_reply_is_malformed),
		cmocka_unit_test(names_end),
		cmocka_unit_test(pointers_are_bounded),
		cmocka_unit_test(only_the_reply_to_what_was_sent_is_one),
		cmocka_unit_test(what_is_told_is_what_was_read),
		cmocka_unit_test(names_are_compressed),
		cmocka_unit_test(large_replies_are_told_as_truncated),
		cmocka_unit_test(chance_finds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
