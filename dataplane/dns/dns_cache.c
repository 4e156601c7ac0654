#include "dataplane/dns/dns_cache.h"

#include "dataplane/net/byteorder.h"

#define TAG_SHIFT 32
#define LINE_SLOTS (DNS_CACHE_WAYS / 2) /* of the bucket's two cache lines */

/* Of a body's record, from where its TTL is: behind it are the length and the data. */
#define TTL_SIZE 4

static unsigned
padded(unsigned len)
{
	return (len + DNS_CHUNK - 1) / DNS_CHUNK * DNS_CHUNK;
}

/* Offsets in the body: of TTLs, then of pointers. */
static const uint16_t *
entry_offsets(const struct dns_entry *e)
{
	return (const uint16_t *)(e->name + padded(e->len));
}

static unsigned
n_records(const struct dns_entry *e)
{
	return (unsigned)e->n_answers + e->n_authorities;
}

static const uint8_t *
entry_body(const struct dns_entry *e)
{
	return (const uint8_t *)e + e->body_at;
}

/* --- finding */

/* Both are padded, so whole chunks are compared. */
static bool
names_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	for (unsigned at = 0; at < len; at += DNS_CHUNK) {
		__m128i equal = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(a + at)),
			_mm_loadu_si128((const __m128i *)(b + at)));

		if (_mm_movemask_epi8(equal) != 0xffff)
			return false;
	}
	return true;
}

static bool
is_of_key(const struct dns_entry *e, const struct dns_cache_key *key, unsigned flags, uint64_t hash)
{
	return e->hash == hash && e->type == key->type && e->len == key->len &&
	       (e->flags & (DNS_ENTRY_DNSSEC | DNS_ENTRY_CD)) == flags &&
	       names_equal(e->name, key->name, key->len);
}

/* Which of a line's slots have the tag, by bits: which one it is nobody can predict, so there is no branch for each. */
static unsigned
match_line(const uint64_t *line, uint64_t hash)
{
	unsigned fits = 0;

	for (unsigned i = 0; i < LINE_SLOTS; i++) {
		uint64_t slot = __atomic_load_n(&line[i], __ATOMIC_RELAXED);

		fits |= (unsigned)(slot >> TAG_SHIFT == hash >> TAG_SHIFT) << i;
	}
	return fits;
}

/* What is in a slot; NULL: it is free. */
static const struct dns_entry *
entry_in(const struct dns_cache *c, const uint64_t *at)
{
	uint64_t place = (uint32_t)__atomic_load_n(at, __ATOMIC_ACQUIRE);

	return place == 0 ? NULL : (const struct dns_entry *)(c->entries + (place - 1) * DNS_CACHE_UNIT);
}

const struct dns_entry *
dns_cache_find(const struct dns_cache *c, const struct dns_cache_key *key)
{
	unsigned flags = dns_cache_key_flags(key);
	uint64_t hash = dns_cache_hash(key->hash, key->type, flags);
	const uint64_t *line = c->slots + (hash & c->bucket_mask) * DNS_CACHE_WAYS;

	for (const uint64_t *end = line + DNS_CACHE_WAYS; line < end; line += LINE_SLOTS) {
		for (unsigned fits = match_line(line, hash); fits != 0; fits &= fits - 1) {
			const struct dns_entry *e = entry_in(c, &line[__builtin_ctz(fits)]);

			if (e != NULL && is_of_key(e, key, flags, hash))
				return e;
		}
	}
	return NULL;
}

const struct dns_entry *
dns_cache_find_guessed(
	const struct dns_cache *c, const struct dns_cache_key *key, const struct dns_entry *guess)
{
	unsigned flags = dns_cache_key_flags(key);

	if (guess != NULL && is_of_key(guess, key, flags, dns_cache_hash(key->hash, key->type, flags)))
		return guess;
	return dns_cache_find(c, key);
}

const struct dns_entry *
dns_cache_prefetch_entry(const struct dns_cache *c, const struct dns_cache_key *key)
{
	uint64_t hash = dns_cache_hash(key->hash, key->type, dns_cache_key_flags(key));
	const uint64_t *line = c->slots + (hash & c->bucket_mask) * DNS_CACHE_WAYS;
	unsigned fits = match_line(line, hash);
	const struct dns_entry *e = fits == 0 ? NULL : entry_in(c, &line[__builtin_ctz(fits)]);

	if (e == NULL) {
		__builtin_prefetch(line + LINE_SLOTS);
		return NULL;
	}
	__builtin_prefetch(e);
	__builtin_prefetch(e->name);
	return e;
}

/* --- use */

bool
dns_entry_use(const struct dns_entry *e, uint64_t now_ns)
{
	struct dns_entry *entry = (struct dns_entry *)e; /* these marks are the readers' */

	if (!__atomic_load_n(&entry->is_used, __ATOMIC_RELAXED)) {
		__atomic_store_n(&entry->is_used, 1, __ATOMIC_RELAXED);
		return false;
	}
	/* a tenth of a second has 1e8 ns */
	return now_ns < e->expires_ns && e->expires_ns - now_ns < e->life_s * UINT64_C(100000000) &&
	       !__atomic_load_n(&entry->is_prefetch_asked, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&entry->is_prefetch_asked, 1, __ATOMIC_RELAXED);
}

/* --- answering */

static void
put_u16(uint8_t *at, unsigned value)
{
	be16 wire = be16_from((uint16_t)value);

	memcpy(at, &wire, sizeof(wire));
}

static unsigned
get_u16(const uint8_t *at)
{
	be16 wire;

	memcpy(&wire, at, sizeof(wire));
	return be16_host(wire);
}

/* Those from the first one on, then those before it. */
static void
copy_rotated(const struct dns_entry *e, uint8_t *to, uint32_t rotation)
{
	const uint8_t *body = entry_body(e);
	size_t first = (size_t)((uint64_t)rotation * e->rotate_n >> 32) * e->rotate_stride;
	size_t all = (size_t)e->rotate_n * e->rotate_stride, end = e->rotate_at + all;

	memcpy(to, body, e->rotate_at);
	memcpy(to + e->rotate_at, body + e->rotate_at + first, all - first);
	memcpy(to + end - first, body + e->rotate_at, first);
	memcpy(to + end, body + end, e->body_len - end);
}

/* Names that are in the question have moved, and so has the body. */
struct shift {
	unsigned question, body;
};

static void
shift_pointers(const struct dns_entry *e, uint8_t *body, struct shift shift)
{
	const uint16_t *pointers = entry_offsets(e) + n_records(e);
	unsigned question_end = DNS_HEADER_SIZE + e->len;

	for (unsigned i = 0; i < e->n_pointers; i++) {
		unsigned pointer = get_u16(body + pointers[i]);
		bool is_question = (pointer & 0x3fff) < question_end;

		put_u16(body + pointers[i], pointer + (is_question ? shift.question : shift.body));
	}
}

static void
copy_body(const struct dns_entry *e, uint8_t *to, uint32_t ttl_s, uint32_t rotation, struct shift shift)
{
	const uint16_t *ttls = entry_offsets(e);
	be32 ttl = be32_from(ttl_s);

	if (e->rotate_n > 1)
		copy_rotated(e, to, rotation);
	else
		memcpy(to, entry_body(e), e->body_len);
	for (unsigned i = 0; i < n_records(e); i++)
		memcpy(to + ttls[i], &ttl, sizeof(ttl));
	if ((shift.question | shift.body) != 0)
		shift_pointers(e, to, shift);
}

/* The first records, as many as fit. Returns their bytes. */
static unsigned
copy_some(const struct dns_entry *e, uint8_t *to, size_t room, const uint8_t *body,
	struct dns_reply_parts *parts)
{
	const uint16_t *ttls = entry_offsets(e);
	unsigned size = 0;

	for (unsigned i = 0; i < n_records(e); i++) {
		unsigned end = ttls[i] + TTL_SIZE + 2 + get_u16(body + ttls[i] + TTL_SIZE);

		if (end > room)
			break;
		size = end;
		if (i < e->n_answers)
			parts->n_answers++;
		else
			parts->n_authorities++;
	}
	memcpy(to, body, size);
	return size;
}

/* Writes the body from payload + at on, and the reply's frame. */
static void
put_entry(const struct dns_entry *e, const struct dns_query *q, uint8_t *payload, size_t at, size_t limit,
	uint32_t ttl_s, uint32_t rotation, struct shift shift, struct dns_reply_parts *parts,
	struct dns_reply *out)
{
	size_t room = limit - at - (q->has_opt ? DNS_OPT_SIZE : 0);

	if (e->body_len <= room) {
		copy_body(e, payload + at, ttl_s, rotation, shift);
		at += e->body_len;
		parts->n_answers = (uint16_t)(parts->n_answers + e->n_answers);
		parts->n_authorities = e->n_authorities;
		out->is_truncated = (e->flags & DNS_ENTRY_TRUNCATED) != 0;
	} else {
		uint8_t body[DNS_UDP_SIZE_MAX];

		copy_body(e, body, ttl_s, rotation, shift);
		at += copy_some(e, payload + at, room, body, parts);
		out->is_truncated = true;
	}
	out->rcode = e->rcode;
	dns_reply_finish(q, payload, payload + at, limit, parts, out);
}

bool
dns_entry_answer(const struct dns_entry *e, const struct dns_query *q, uint8_t *payload, size_t room,
	uint32_t ttl_s, uint32_t rotation, uint16_t ede, struct dns_reply *out)
{
	struct dns_reply_parts parts = { .ede = ede };
	size_t limit = dns_reply_limit(q, room);
	unsigned below = (unsigned)q->len - e->len; /* by so much is a cut's question longer */

	if (limit < q->end + (q->has_opt ? DNS_OPT_SIZE : 0u))
		return false;
	out->outside = 0;
	put_entry(e, q, payload, q->end, limit, ttl_s, rotation, (struct shift){ below, below }, &parts, out);
	return true;
}

bool
dns_entry_continue(const struct dns_entry *e, const struct dns_query *q, uint8_t *payload, size_t room,
	uint32_t ttl_s, uint32_t rotation, uint16_t ede, struct dns_reply *out)
{
	struct dns_reply_parts parts = { .ede = ede,
		.n_answers = (uint16_t)get_u16(payload + DNS_ANSWERS_AT),
		.aa = payload[DNS_FLAGS_AT] & DNS_FLAG_AA };
	size_t limit = dns_reply_limit(q, room), at = (size_t)out->outside + e->len;
	/* the name is the last thing that was written; no type and class are behind it as in a question */
	struct shift shift = { .question = out->outside - DNS_HEADER_SIZE,
		.body = out->outside - DNS_HEADER_SIZE - 4u };

	if (limit < at + (q->has_opt ? DNS_OPT_SIZE : 0u))
		return false;
	put_entry(e, q, payload, at, limit, ttl_s, rotation, shift, &parts, out);
	return true;
}
