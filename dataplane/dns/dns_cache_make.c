#include "dataplane/dns/dns_cache_make.h"

#include "dataplane/dns/dns_parse_name.h"
#include "dataplane/net/byteorder.h"

#define POINTER 0xc000

/* Names that later ones can point into; what comes behind is written in full. */
#define NAMES_MAX 24
#define POINTERS_MAX 255

#define NS_PER_S UINT64_C(1000000000)

/* A body fills a reply and a record has 11 bytes at least. */
#define BODY_MAX (DNS_UDP_SIZE_MAX - DNS_HEADER_SIZE - 5 - DNS_OPT_SIZE)
#define BODY_RECORDS_MAX (BODY_MAX / 11)

static_assert(BODY_RECORDS_MAX <= UINT8_MAX, "counts of an entry are bytes");
static_assert(sizeof(struct dns_entry) + DNS_NAME_ROOM + 2 * (BODY_RECORDS_MAX + POINTERS_MAX) + BODY_MAX <=
		      DNS_ENTRY_SIZE_MAX,
	"the largest entry fits");

/* A name that was written, and where its labels are in the message; those behind n are a pointer. */
struct written {
	struct dns_full_name name;
	unsigned at; /* of the first label */
	unsigned n;  /* bytes in full */
};

struct composer {
	const struct dns_parsed *reply;
	unsigned base; /* where the body begins in the message */
	unsigned at, limit;
	bool is_full;
	unsigned n_names, n_pointers, n_ttls;
	struct written names[NAMES_MAX];
	uint16_t ttls[BODY_RECORDS_MAX], pointers[POINTERS_MAX];
	uint8_t body[BODY_MAX];
};

static bool
has_room(struct composer *c, size_t n)
{
	if (c->limit - c->at < n)
		c->is_full = true;
	return !c->is_full;
}

static void
put_bytes(struct composer *c, const uint8_t *from, size_t n)
{
	if (!has_room(c, n))
		return;
	memcpy(c->body + c->at, from, n);
	c->at += (unsigned)n;
}

static void
put_u16(struct composer *c, unsigned value)
{
	be16 wire = be16_from((uint16_t)value);

	put_bytes(c, (const uint8_t *)&wire, sizeof(wire));
}

static void
put_pointer(struct composer *c, unsigned to)
{
	if (c->n_pointers == POINTERS_MAX)
		c->is_full = true;
	if (!has_room(c, 2))
		return;
	c->pointers[c->n_pointers++] = (uint16_t)c->at;
	put_u16(c, POINTER | to);
}

/* --- names */

static void
remember(struct composer *c, const struct dns_full_name *name, unsigned at, unsigned n)
{
	struct written *w;

	if (n == 0 || c->n_names == NAMES_MAX)
		return;
	w = &c->names[c->n_names++];
	w->name.len = name->len;
	memcpy(w->name.bytes, name->bytes, name->len);
	w->at = at;
	w->n = n;
}

static bool
equal_suffix(const struct dns_full_name *a, unsigned a_at, const struct dns_full_name *b, unsigned b_at)
{
	struct dns_full_name left = { .len = a->len - a_at }, right = { .len = b->len - b_at };

	memcpy(left.bytes, a->bytes + a_at, left.len);
	memcpy(right.bytes, b->bytes + b_at, right.len);
	return dns_full_name_equal(&left, &right);
}

/* Where the labels of the name from 'at' on have been written; 0: nowhere. */
static unsigned
find_written(const struct composer *c, const struct dns_full_name *name, unsigned at)
{
	for (unsigned i = 0; i < c->n_names; i++) {
		const struct written *w = &c->names[i];
		unsigned label = 0;

		while (label < w->n && w->name.len - label > name->len - at)
			label += 1u + w->name.bytes[label];
		if (label < w->n && w->name.len - label == name->len - at &&
			equal_suffix(&w->name, label, name, at))
			return w->at + label;
	}
	return 0;
}

static void
put_name(struct composer *c, const struct dns_full_name *name, bool may_compress)
{
	unsigned at = 0, start = c->base + c->at, to = 0;

	while (name->bytes[at] != 0) {
		to = may_compress ? find_written(c, name, at) : 0;
		if (to != 0)
			break;
		at += 1u + name->bytes[at];
	}
	put_bytes(c, name->bytes, at);
	if (to != 0)
		put_pointer(c, to);
	else
		put_bytes(c, (const uint8_t[]){ 0 }, 1);
	if (!c->is_full)
		remember(c, name, start, at);
}

static size_t
copy_name(struct composer *c, size_t from, bool may_compress)
{
	struct dns_full_name name;
	size_t end = dns_parse_name(c->reply->message, c->reply->size, from, &name);

	put_name(c, &name, may_compress);
	return end;
}

/* --- records */

static void
put_data(struct composer *c, const struct dns_record *record)
{
	const struct dns_layout *layout = dns_layout_find(record->type);
	const uint8_t *message = c->reply->message;
	size_t end = (size_t)record->data + record->data_len, names;

	if (layout == NULL) {
		put_bytes(c, message + record->data, record->data_len);
		return;
	}
	names = dns_layout_names(layout, message, record);
	put_bytes(c, message + record->data, names - record->data);
	for (unsigned i = 0; i < layout->n_names; i++)
		names = copy_name(c, names, layout->may_compress);
	put_bytes(c, message + names, end - names);
}

static void
put_record(struct composer *c, const struct dns_record *record)
{
	unsigned len_at;
	be16 len;

	copy_name(c, record->owner, true);
	put_u16(c, record->type);
	put_u16(c, record->class);
	if (!has_room(c, 6))
		return;
	c->ttls[c->n_ttls++] = (uint16_t)c->at;
	memset(c->body + c->at, 0, 6);
	c->at += 6;
	len_at = c->at - 2;
	put_data(c, record);
	len = be16_from((uint16_t)(c->at - len_at - 2));
	memcpy(c->body + len_at, &len, sizeof(len));
}

/* Addresses one behind the other and of one length can change places. */
static void
note_address(struct dns_entry *e, unsigned from, unsigned size)
{
	if (e->rotate_n == 0) {
		e->rotate_at = (uint16_t)from;
		e->rotate_stride = size <= UINT8_MAX ? (uint8_t)size : 0;
	}
	if (e->rotate_stride == size && from == e->rotate_at + (unsigned)e->rotate_n * size)
		e->rotate_n++;
}

static void
put_records(struct composer *c, struct dns_entry *e)
{
	const struct dns_parsed *reply = c->reply;
	unsigned n = (unsigned)reply->n_answers + reply->n_authorities;

	c->is_full = reply->is_oversized;
	for (unsigned i = 0; i < n && !c->is_full; i++) {
		const struct dns_record *record = &reply->records[reply->taken[i]];
		unsigned from = c->at;

		put_record(c, record);
		if (record->type == e->type && (record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA))
			note_address(e, from, c->at - from);
	}
}

/* --- the entry */

static void
set_times(struct dns_entry *e, const struct dns_parsed *reply, const struct dns_entry_limits *limits,
	uint64_t now_ns)
{
	e->life_s = reply->ttl_s;
	if (reply->kind != DNS_KIND_ANSWER && e->life_s > limits->negative_max_s)
		e->life_s = limits->negative_max_s;
	e->expires_ns = now_ns + e->life_s * NS_PER_S;
	e->stale_s = limits->stale_max_s;
}

/* Behind the name: offsets, then the body. */
static void
assemble(struct dns_entry *e, const struct composer *c)
{
	unsigned at = (unsigned)sizeof(*e) + (e->len + DNS_CHUNK - 1u) / DNS_CHUNK * DNS_CHUNK;
	uint8_t *to = (uint8_t *)e;

	memcpy(to + at, c->ttls, c->n_ttls * sizeof(c->ttls[0]));
	at += c->n_ttls * (unsigned)sizeof(c->ttls[0]);
	memcpy(to + at, c->pointers, c->n_pointers * sizeof(c->pointers[0]));
	at += c->n_pointers * (unsigned)sizeof(c->pointers[0]);
	e->body_at = (uint16_t)at;
	e->body_len = (uint16_t)c->at;
	memcpy(to + at, c->body, c->at);
	e->n_pointers = (uint8_t)c->n_pointers;
	at += c->at;
	e->size = (uint16_t)((at + DNS_CACHE_UNIT - 1) / DNS_CACHE_UNIT * DNS_CACHE_UNIT);
	memset(to + at, 0, e->size - at);
}

const struct dns_entry *
dns_entry_make(struct dns_entry_room *room, const struct dns_cache_key *key, const struct dns_parsed *reply,
	const struct dns_entry_limits *limits, uint64_t now_ns)
{
	struct dns_entry *e = (struct dns_entry *)room->bytes;
	unsigned flags = dns_cache_key_flags(key);
	struct dns_full_name question = { .len = key->len };
	struct composer c;

	*e = (struct dns_entry){ .hash = dns_cache_hash(key->hash, key->type, flags),
		.type = key->type,
		.len = key->len,
		.rcode = (uint8_t)reply->rcode,
		.n_answers = (uint8_t)reply->n_answers,
		.n_authorities = (uint8_t)reply->n_authorities,
		.flags = (uint8_t)(flags | (reply->kind == DNS_KIND_ANSWER ? 0 : DNS_ENTRY_NEGATIVE)) };
	memset(e->name, 0, DNS_NAME_ROOM);
	memcpy(e->name, key->name, key->len);
	set_times(e, reply, limits, now_ns);
	c.reply = reply;
	c.base = DNS_HEADER_SIZE + key->len + 4u;
	c.limit = DNS_UDP_SIZE_MAX - c.base - DNS_OPT_SIZE;
	c.at = c.n_names = c.n_pointers = c.n_ttls = 0;
	memcpy(question.bytes, key->name, key->len);
	remember(&c, &question, DNS_HEADER_SIZE, key->len - 1u);
	put_records(&c, e);
	if (c.is_full) {
		c.at = c.n_ttls = c.n_pointers = 0;
		e->n_answers = e->n_authorities = e->rotate_n = 0;
		e->flags |= DNS_ENTRY_TRUNCATED;
	}
	assemble(e, &c);
	return e;
}
