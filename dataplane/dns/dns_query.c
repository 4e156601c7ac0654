#include "dataplane/dns/dns_query.h"

#include "dataplane/net/byteorder.h"

/* RFC 1035 section 4.1.1 */
struct dns_header {
	be16 id, flags, n_questions, n_answers, n_authorities, n_additionals;
} __attribute__((packed));

#define FLAG_QR 0x8000
#define FLAG_TC 0x0200
#define OPCODE_MASK 0x7800

/* RFC 6891 section 6.1.2, from the type on. */
struct opt_record {
	be16 type, udp_size;
	uint8_t extended_rcode, version;
	be16 flags, options_len;
} __attribute__((packed));

#define OPT_FLAG_DO 0x8000

/* Bytes behind a question's name: type and class. */
#define BEHIND 4u

static uint16_t
read_u16(const uint8_t *at)
{
	be16 value;

	memcpy(&value, at, sizeof(value));
	return be16_host(value);
}

/* Where the labels are, and the name's end. */
static enum dns_scan
walk_labels(const uint8_t *name, size_t size, struct dns_query *q)
{
	size_t limit = size < DNS_NAME_MAX ? size : DNS_NAME_MAX, at = 0;
	unsigned labels = 0;

	while (at < limit && name[at] - 1u < DNS_LABEL_MAX) {
		q->label_at[labels++] = (uint8_t)at;
		at += 1u + name[at];
	}
	if (at >= limit)
		return at >= DNS_NAME_MAX ? DNS_SCAN_NAME : DNS_SCAN_TRUNCATED;
	if (name[at] != 0) /* a pointer, or a type of label that never came to be */
		return DNS_SCAN_NAME;
	q->labels = (uint8_t)labels;
	q->len = (uint8_t)(at + 1);
	return DNS_SCAN_QUERY;
}

/* The first n bytes of the 'n' + BEHIND that there are at 'from', at most a chunk, the rest zero. A chunk may be read that ends with
 * them: a question has a header in front. */
static __m128i
load_last(const uint8_t *from, size_t n)
{
	static const uint8_t shift[2 * DNS_CHUNK] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const uint8_t window[2 * DNS_CHUNK] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255 };
	size_t there = n + BEHIND < DNS_CHUNK ? n + BEHIND : DNS_CHUNK;
	__m128i chunk = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(from + there - DNS_CHUNK)),
		_mm_loadu_si128((const __m128i *)(shift + DNS_CHUNK - there)));

	/* the window slides over the edge between what is the name's and what is not */
	return _mm_and_si128(chunk, _mm_loadu_si128((const __m128i *)(window + DNS_CHUNK - n)));
}

static uint64_t
take_chunk(struct dns_query *q, unsigned at, __m128i chunk, uint64_t hash)
{
	chunk = dns_lower_chunk(chunk);
	_mm_store_si128((__m128i *)(q->name + at), chunk);
	return dns_hash_chunk(hash, chunk);
}

/* Lower case, hash and padding in one go. Type and class are behind the name, a header before it. */
static void
take_name(struct dns_query *q, const uint8_t *name, uint64_t seed)
{
	unsigned len = q->len, at = 0;
	uint64_t hash = seed;

	for (; at + DNS_CHUNK <= len; at += DNS_CHUNK)
		hash = take_chunk(q, at, _mm_loadu_si128((const __m128i *)(name + at)), hash);
	if (at < len)
		hash = take_chunk(q, at, load_last(name + at, len - at), hash);
	q->hash = dns_hash_end(hash, len);
}

/* The one additional record that a query may have. Options are skipped: none changes an answer of ours. */
static enum dns_scan
take_opt(struct dns_query *q, const uint8_t *at, size_t left)
{
	struct opt_record opt;

	if (left < 1 + sizeof(opt))
		return DNS_SCAN_TRUNCATED;
	memcpy(&opt, at + 1, sizeof(opt));
	if (at[0] != 0 || be16_host(opt.type) != DNS_TYPE_OPT)
		return DNS_SCAN_ADDITIONAL;
	left -= 1 + sizeof(opt);
	if (left != be16_host(opt.options_len))
		return left < be16_host(opt.options_len) ? DNS_SCAN_TRUNCATED : DNS_SCAN_TRAILING;
	q->has_opt = true;
	q->edns_version = opt.version;
	q->wants_dnssec = (be16_host(opt.flags) & OPT_FLAG_DO) != 0;
	/* less than 512 counts as 512 (RFC 6891 section 6.2.3) */
	if (be16_host(opt.udp_size) > DNS_UDP_SIZE_MIN)
		q->udp_size = be16_host(opt.udp_size);
	return DNS_SCAN_QUERY;
}

static enum dns_scan
check_header(const struct dns_header *h)
{
	uint16_t flags = be16_host(h->flags);

	if (flags & (FLAG_QR | FLAG_TC))
		return DNS_SCAN_RESPONSE;
	if (flags & OPCODE_MASK)
		return DNS_SCAN_OPCODE;
	if (be16_host(h->n_questions) != 1 || h->n_answers.raw != 0 || h->n_authorities.raw != 0 ||
		be16_host(h->n_additionals) > 1)
		return DNS_SCAN_COUNTS;
	return DNS_SCAN_QUERY;
}

static enum dns_scan
take_question(struct dns_query *q, const uint8_t *at, size_t left, uint64_t seed)
{
	enum dns_scan scan = walk_labels(at, left, q);
	unsigned len = q->len;
	uint16_t class;

	if (scan != DNS_SCAN_QUERY)
		return scan;
	if (left < len + BEHIND)
		return DNS_SCAN_TRUNCATED;
	q->type = read_u16(at + len);
	class = read_u16(at + len + 2);
	if (class != DNS_CLASS_IN && class != DNS_CLASS_ANY)
		return DNS_SCAN_CLASS;
	if (q->type == DNS_TYPE_OPT || (q->type >= DNS_TYPE_META && q->type < DNS_TYPE_ANY))
		return DNS_SCAN_TYPE;
	q->end = (uint16_t)(DNS_HEADER_SIZE + len + BEHIND);
	take_name(q, at, seed);
	return DNS_SCAN_QUERY;
}

enum dns_scan
dns_query_scan(const uint8_t *payload, size_t size, uint64_t seed, struct dns_query *out)
{
	struct dns_header header;
	enum dns_scan scan;

	if (size < sizeof(header))
		return DNS_SCAN_TRUNCATED;
	memcpy(&header, payload, sizeof(header));
	scan = check_header(&header);
	if (scan == DNS_SCAN_QUERY)
		scan = take_question(out, payload + sizeof(header), size - sizeof(header), seed);
	if (scan != DNS_SCAN_QUERY)
		return scan;
	out->has_opt = out->wants_dnssec = false;
	out->edns_version = 0;
	out->udp_size = DNS_UDP_SIZE_MIN;
	if (header.n_additionals.raw != 0)
		return take_opt(out, payload + out->end, size - out->end);
	return size == out->end ? DNS_SCAN_QUERY : DNS_SCAN_TRAILING;
}

const char *
dns_scan_text(enum dns_scan scan)
{
	static const char *const texts[N_DNS_SCANS] = {
		[DNS_SCAN_QUERY] = "a query",
		[DNS_SCAN_TRUNCATED] = "truncated",
		[DNS_SCAN_RESPONSE] = "no query",
		[DNS_SCAN_OPCODE] = "another opcode",
		[DNS_SCAN_COUNTS] = "not one question, or records beside it",
		[DNS_SCAN_NAME] = "a name that is compressed or too long",
		[DNS_SCAN_TYPE] = "a meta type",
		[DNS_SCAN_CLASS] = "another class",
		[DNS_SCAN_ADDITIONAL] = "an additional record other than OPT",
		[DNS_SCAN_TRAILING] = "bytes behind its end",
	};

	return scan < N_DNS_SCANS ? texts[scan] : "";
}
