#include "control/resolve/shadow_compare.h"

#include <string.h>

#include "dataplane/dns/dns_parse.h"
#include "dataplane/dns/dns_parse_name.h"
#include "dataplane/dns/dns_reply.h"

/* A SOA's data begins, behind the names, with the serial, and ends with the TTL of negative answers. */
#define SOA_SERIAL 4
#define SOA_MINIMUM 4

/* FNV-1a's; who could make two records collide could have said the right thing as well. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)
#define HASH_STEP UINT64_C(0x100000001b3)

/* Records, by what they say; each once. */
struct records {
	unsigned n;
	uint64_t hashes[DNS_RECORDS_MAX];
};

static uint64_t
hash_bytes(uint64_t hash, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * HASH_STEP;
	return hash;
}

/* In small letters. Moves *at behind the name, which was parsed before. */
static uint64_t
hash_name(uint64_t hash, const struct dns_parsed *m, size_t *at)
{
	struct dns_full_name name;

	*at = dns_parse_name(m->message, m->size, *at, &name);
	for (unsigned i = 0; i < name.len; i++)
		if (name.bytes[i] >= 'A' && name.bytes[i] <= 'Z')
			name.bytes[i] = (uint8_t)(name.bytes[i] - 'A' + 'a');
	return hash_bytes(hash, name.bytes, name.len);
}

static uint64_t
hash_data(uint64_t hash, const struct dns_parsed *m, const struct dns_record *record)
{
	const struct dns_layout *layout = dns_layout_find(record->type);
	size_t at = record->data, end = at + record->data_len, names;

	if (layout == NULL)
		return hash_bytes(hash, m->message + at, record->data_len);
	names = dns_layout_names(layout, m->message, record);
	hash = hash_bytes(hash, m->message + at, names - at);
	at = names;
	for (unsigned i = 0; i < layout->n_names; i++)
		hash = hash_name(hash, m, &at);
	if (record->type == DNS_TYPE_SOA && end - at >= SOA_SERIAL + SOA_MINIMUM) {
		at += SOA_SERIAL;
		end -= SOA_MINIMUM;
	}
	return hash_bytes(hash, m->message + at, end - at);
}

static bool
has(const struct records *all, uint64_t hash)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->hashes[i] == hash)
			return true;
	return false;
}

static void
add(struct records *all, const struct dns_parsed *m, const struct dns_record *record, uint8_t section)
{
	const uint8_t head[] = { section, (uint8_t)(record->type >> 8), (uint8_t)record->type };
	uint64_t hash = hash_bytes(HASH_BEGIN, head, sizeof(head));
	size_t owner = record->owner;

	hash = hash_data(hash_name(hash, m, &owner), m, record);
	if (!has(all, hash))
		all->hashes[all->n++] = hash;
}

static void
collect(struct records *all, const struct dns_parsed *m)
{
	all->n = 0;
	for (unsigned i = 0; i < m->n_records; i++) {
		bool is_answer = i < m->n_in_answer;

		if (is_answer || m->records[i].type == DNS_TYPE_SOA)
			add(all, m, &m->records[i], !is_answer);
	}
}

/* Whether some of a are not in b. */
static bool
has_more(const struct records *a, const struct records *b)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!has(b, a->hashes[i]))
			return true;
	return false;
}

static bool
is_comparable(const struct dns_parsed *theirs, enum shadow_extent extent)
{
	if (theirs->kind == DNS_KIND_MALFORMED || theirs->kind == DNS_KIND_TRUNCATED)
		return false;
	return extent != SHADOW_LEAVES || theirs->kind != DNS_KIND_ERROR;
}

enum shadow_kind
shadow_compare(const uint8_t *ours, size_t ours_size, enum shadow_extent extent, const uint8_t *theirs,
	size_t theirs_size)
{
	uint8_t copy[DNS_UDP_SIZE_MAX];
	struct dns_parsed a, b;
	struct records own, other;

	if (ours_size < DNS_HEADER_SIZE || ours_size > sizeof(copy))
		return SHADOW_NO_ANSWER;
	memcpy(copy, ours, ours_size);
	copy[DNS_FLAGS_AT] &= (uint8_t)~DNS_FLAG_TC; /* what is there is to be read */
	dns_parse(copy, ours_size, &a);
	dns_parse(theirs, theirs_size, &b);
	if (a.kind == DNS_KIND_MALFORMED || !is_comparable(&b, extent))
		return SHADOW_NO_ANSWER;
	collect(&own, &a);
	collect(&other, &b);
	if (extent != SHADOW_LEAVES && a.rcode != b.rcode)
		return SHADOW_RCODE;
	if (extent == SHADOW_WHOLE && has_more(&other, &own))
		return SHADOW_MISSING;
	if (!b.is_oversized && has_more(&own, &other))
		return SHADOW_EXTRA;
	if (extent != SHADOW_LEAVES && a.is_authoritative != b.is_authoritative)
		return SHADOW_AUTHORITY;
	return SHADOW_SAME;
}

const char *
shadow_kind_text(enum shadow_kind kind)
{
	static const char *const texts[N_SHADOW_KINDS] = {
		[SHADOW_SAME] = "same",
		[SHADOW_NO_ANSWER] = "no_answer",
		[SHADOW_RCODE] = "rcode",
		[SHADOW_MISSING] = "missing",
		[SHADOW_EXTRA] = "extra",
		[SHADOW_AUTHORITY] = "authority",
	};

	return kind < N_SHADOW_KINDS ? texts[kind] : "";
}
