#include "dataplane/dns/dns_answer.h"

#include "dataplane/dns/dns_pod_name.h"

#define POINTER 0xc000

struct writer {
	const struct dns_zone *zone;
	const struct dns_query *q;
	uint8_t *payload, *at, *end; /* end: what OPT leaves */
	uint32_t rotation;
	uint16_t n_answers, n_authorities, n_additionals;
	uint16_t owner; /* where the name is whose records are written: behind a CNAME not the question's */
	bool is_full;
	struct dns_reply *reply;
};

static uint8_t *
put_u16(uint8_t *at, unsigned value)
{
	be16 wire = be16_from((uint16_t)value);

	return (uint8_t *)memcpy(at, &wire, sizeof(wire)) + sizeof(wire);
}

static bool
has_room(const struct writer *w, size_t n)
{
	return (size_t)(w->end - w->at) >= n;
}

/* --- records */

/* Copies records, or the first of them as far as they fit, and counts them. False: some did not. */
static bool
copy_records(struct writer *w, const uint8_t *from, unsigned len, unsigned n, uint16_t *count)
{
	if (has_room(w, len)) {
		memcpy(w->at, from, len);
		w->at += len;
		*count = (uint16_t)(*count + n);
		return true;
	}
	for (unsigned size; n > 0 && has_room(w, size = dns_rr_size(from)); n--, from += size) {
		memcpy(w->at, from, size);
		w->at += size;
		++*count;
	}
	return false;
}

/* Behind a CNAME, records have that one's name. */
static void
rename_records(struct writer *w, uint8_t *from)
{
	if (w->owner != DNS_HEADER_SIZE)
		for (; from < w->at; from += dns_rr_size(from))
			put_u16(from, POINTER | w->owner);
}

/* Records of one size lie one behind the other: those from 'first' on, then those before it. */
static void
put_strided(struct writer *w, const struct dns_node *node, const struct dns_set *set, uint32_t first)
{
	const uint8_t *records = dns_node_bytes(node, set->at);
	uint32_t n = set->n_units, tail;

	if (!has_room(w, (size_t)n * set->stride)) {
		n = (uint32_t)(w->end - w->at) / set->stride;
		w->is_full = true;
	}
	tail = n < set->n_units - first ? n : set->n_units - first;
	memcpy(w->at, records + (size_t)first * set->stride, (size_t)tail * set->stride);
	w->at += (size_t)tail * set->stride;
	if (n > tail) {
		memcpy(w->at, records, (size_t)(n - tail) * set->stride);
		w->at += (size_t)(n - tail) * set->stride;
	}
	w->n_answers = (uint16_t)(w->n_answers + n);
}

/* Glue is for those units that are in the answer. It points into the question, so behind a CNAME there is none. */
static void
put_units(struct writer *w, const struct dns_node *node, const struct dns_set *set, uint32_t first)
{
	const struct dns_unit *units = dns_set_units(node, set);
	uint32_t n = 0, i = first;

	for (; n < set->n_units && !w->is_full; n++) {
		w->is_full = !copy_records(
			w, dns_node_bytes(node, units[i].at), units[i].len, units[i].n, &w->n_answers);
		i = i + 1 == set->n_units ? 0 : i + 1;
	}
	if (w->is_full || w->owner != DNS_HEADER_SIZE)
		return;
	for (i = first; n > 0; n--) {
		if (!has_room(w, units[i].glue_len))
			return;
		copy_records(w, dns_node_bytes(node, units[i].at + units[i].len), units[i].glue_len,
			units[i].n_glue, &w->n_additionals);
		i = i + 1 == set->n_units ? 0 : i + 1;
	}
}

static void
put_set(struct writer *w, const struct dns_node *node, const struct dns_set *set)
{
	uint32_t first = (uint32_t)((uint64_t)w->rotation * set->n_units >> 32);
	uint8_t *from = w->at;

	if (set->stride != 0)
		put_strided(w, node, set, first);
	else
		put_units(w, node, set, first);
	rename_records(w, from);
}

/* Whose SOA: the zone's, or that of the reverse zone, which is the last two labels. */
static uint16_t
soa_owner(const struct writer *w, bool is_reverse)
{
	unsigned at = is_reverse ? w->q->label_at[w->q->labels - 2] : w->q->len - w->zone->len;

	return (uint16_t)(POINTER | (DNS_HEADER_SIZE + at));
}

static void
put_soa(struct writer *w, bool is_reverse, uint16_t *count)
{
	const struct dns_soa *soa = &w->zone->soa;

	if (!has_room(w, 2u + soa->len)) {
		w->is_full = true;
		return;
	}
	w->at = put_u16(w->at, soa_owner(w, is_reverse));
	memcpy(w->at, soa->bytes, soa->len);
	w->at += soa->len;
	++*count;
}

/* The address that a pod record's name says. */
static void
put_addr(struct writer *w, const struct ip_addr *addr)
{
	bool is_v4 = ip_addr_is_v4(addr);
	unsigned len = is_v4 ? 4 : 16;
	be32 ttl = be32_from(w->zone->ttl_s);

	if (!has_room(w, DNS_RR_HEADER + len)) {
		w->is_full = true;
		return;
	}
	w->at = put_u16(w->at, POINTER | w->owner);
	w->at = put_u16(w->at, is_v4 ? DNS_TYPE_A : DNS_TYPE_AAAA);
	w->at = put_u16(w->at, DNS_CLASS_IN);
	memcpy(w->at, &ttl, sizeof(ttl));
	w->at = put_u16(w->at + sizeof(ttl), len);
	memcpy(w->at, addr->b + 16 - len, len);
	w->at += len;
	w->n_answers++;
}

/* --- names */

static const struct dns_node *
find_suffix(const struct dns_zone *z, const struct dns_query *q, unsigned at)
{
	return dns_zone_get(z, q->name + at, q->len - at);
}

/* Whether the name is ADDRESS.NAMESPACE.pod.ZONE of a namespace that exists. */
static bool
find_pod(const struct dns_zone *z, const struct dns_query *q, struct ip_addr *out)
{
	const struct dns_node *namespace;

	if (q->labels != z->labels + 3 || memcmp(q->name + q->label_at[2], "\3pod", 4) != 0)
		return false;
	namespace = find_suffix(z, q, q->label_at[1]);
	return namespace != NULL && (namespace->flags & DNS_NODE_PODS) &&
	       dns_pod_name_parse(q->name + 1, q->name[0], out);
}

/* The records of a type, of one set if all are asked for; *at: whose they are. NULL: there are none. */
static const struct dns_set *
find_set(const struct writer *w, const struct dns_node **at)
{
	const struct dns_node *node = *at;
	const struct dns_set *set;

	if (w->q->type == DNS_TYPE_ANY)
		return node->n_sets == 0 ? NULL : dns_node_sets(node);
	set = dns_node_find(node, w->q->type);
	if (set != NULL || !(node->flags & DNS_NODE_PORT) || w->owner != DNS_HEADER_SIZE ||
		(w->q->type != DNS_TYPE_A && w->q->type != DNS_TYPE_AAAA))
		return set;
	*at = find_suffix(w->zone, w->q, node->prefix_len);
	return *at == NULL ? NULL : dns_node_find(*at, w->q->type);
}

/* What is asked of a name that exists. NULL: done; else the CNAME that is to be followed. */
static const struct dns_set *
answer_name(struct writer *w, const struct dns_node *node)
{
	const struct dns_node *at = node;
	const struct dns_set *set = find_set(w, &at);

	if (set != NULL) {
		put_set(w, at, set);
		return NULL;
	}
	if ((node->flags & DNS_NODE_APEX) && w->q->type == DNS_TYPE_SOA) {
		put_soa(w, false, &w->n_answers);
		return NULL;
	}
	set = dns_node_find(node, DNS_TYPE_CNAME);
	if (set == NULL)
		put_soa(w, node->flags & DNS_NODE_REVERSE, &w->n_authorities);
	return set;
}

static bool
is_within(const struct dns_zone *z, const uint8_t *name, unsigned len)
{
	unsigned at = 0;

	while (len - at > z->len)
		at += 1 + name[at];
	return len - at == z->len && memcmp(name + at, z->name, z->len) == 0;
}

/* The question and all that was followed from it. */
struct chain {
	const struct dns_node *nodes[DNS_CHAIN_MAX + 1];
	unsigned n;
};

static bool
chain_has(const struct chain *c, const struct dns_node *node)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->nodes[i] == node)
			return true;
	return false;
}

/* Writes the CNAME and looks at where it leads. NULL: no further. */
static const struct dns_node *
follow(struct writer *w, const struct dns_node *node, const struct dns_set *cname, enum dns_verdict *verdict)
{
	const uint8_t *target = dns_node_bytes(node, cname->at) + DNS_RR_HEADER;
	unsigned len = cname->stride - DNS_RR_HEADER;

	put_set(w, node, cname);
	if (w->is_full)
		return NULL;
	w->owner = (uint16_t)(w->at - w->payload - len);
	if (!is_within(w->zone, target, len)) {
		w->reply->outside = w->owner;
		*verdict = DNS_LEAVES;
		return NULL;
	}
	node = dns_zone_get(w->zone, target, len);
	if (node == NULL) {
		w->reply->rcode = DNS_RCODE_NXDOMAIN;
		put_soa(w, false, &w->n_authorities);
	}
	return node;
}

static enum dns_verdict
answer_chain(struct writer *w, const struct dns_node *node)
{
	enum dns_verdict verdict = DNS_ANSWERED;
	struct chain chain;

	chain.n = 0;
	while (node != NULL) {
		const struct dns_set *cname = answer_name(w, node);

		chain.nodes[chain.n++] = node;
		if (cname == NULL || chain.n > DNS_CHAIN_MAX)
			break;
		node = follow(w, node, cname, &verdict);
		if (node != NULL && chain_has(&chain, node))
			break;
	}
	return verdict;
}

static void
answer_pod(struct writer *w, const struct ip_addr *addr)
{
	uint16_t type = ip_addr_is_v4(addr) ? DNS_TYPE_A : DNS_TYPE_AAAA;

	if (w->q->type == type || w->q->type == DNS_TYPE_ANY)
		put_addr(w, addr);
	else
		put_soa(w, false, &w->n_authorities);
}

/* --- the message */

static void
finish(struct writer *w, size_t limit)
{
	const struct dns_reply_parts parts = { .n_answers = w->n_answers,
		.n_authorities = w->n_authorities,
		.n_additionals = w->n_additionals,
		.aa = DNS_FLAG_AA,
		.ede = DNS_EDE_NONE };

	w->reply->is_truncated = w->is_full;
	dns_reply_finish(w->q, w->payload, w->at, limit, &parts, w->reply);
}

enum dns_verdict
dns_answer_guessed(const struct dns_zone *z, const struct dns_query *q, const struct dns_node *guess,
	uint8_t *payload, size_t room, uint32_t rotation, struct dns_reply *out)
{
	const struct dns_node *node = dns_zone_find_guessed(z, q, guess);
	size_t limit = dns_reply_limit(q, room), reserved = q->has_opt ? DNS_OPT_SIZE : 0;
	enum dns_verdict verdict = DNS_ANSWERED;
	struct ip_addr pod;
	struct writer w;

	if (limit < q->end + reserved || (node == NULL && !dns_zone_holds(z, q)))
		return DNS_PASS;
	*out = (struct dns_reply){ .rcode = DNS_RCODE_NOERROR };
	w = (struct writer){ .zone = z,
		.q = q,
		.payload = payload,
		.at = payload + q->end,
		.end = payload + limit - reserved,
		.rotation = rotation,
		.owner = DNS_HEADER_SIZE,
		.reply = out };
	if (q->edns_version != 0) {
		out->rcode = DNS_RCODE_BADVERS;
	} else if (node != NULL) {
		verdict = answer_chain(&w, node);
	} else if (find_pod(z, q, &pod)) {
		answer_pod(&w, &pod);
	} else {
		out->rcode = DNS_RCODE_NXDOMAIN;
		put_soa(&w, false, &w.n_authorities);
	}
	finish(&w, limit);
	return verdict;
}

enum dns_verdict
dns_answer(const struct dns_zone *z, const struct dns_query *q, uint8_t *payload, size_t room,
	uint32_t rotation, struct dns_reply *out)
{
	return dns_answer_guessed(z, q, NULL, payload, room, rotation, out);
}

static void
put_alias(struct writer *w, const struct dns_query *target, uint32_t ttl_s)
{
	be32 ttl = be32_from(ttl_s);

	w->at = put_u16(w->at, POINTER | w->owner);
	w->at = put_u16(w->at, DNS_TYPE_CNAME);
	w->at = put_u16(w->at, DNS_CLASS_IN);
	memcpy(w->at, &ttl, sizeof(ttl));
	w->at = put_u16(w->at + sizeof(ttl), target->len);
	w->owner = (uint16_t)(w->at - w->payload);
	memcpy(w->at, target->name, target->len);
	w->at += target->len;
	w->n_answers++;
}

static enum dns_verdict
answer_target(struct writer *w, const struct dns_query *target)
{
	const struct dns_node *node = dns_zone_find(w->zone, target->name, target->len, target->hash);
	struct ip_addr pod;

	if (node != NULL)
		return answer_chain(w, node);
	if (!dns_zone_holds(w->zone, target)) {
		w->reply->outside = w->owner;
		return DNS_LEAVES;
	}
	if (find_pod(w->zone, target, &pod)) {
		answer_pod(w, &pod);
	} else {
		w->reply->rcode = DNS_RCODE_NXDOMAIN;
		put_soa(w, false, &w->n_authorities);
	}
	return DNS_ANSWERED;
}

enum dns_verdict
dns_answer_alias(const struct dns_zone *z, const struct dns_query *q, const struct dns_query *target,
	uint8_t *payload, size_t room, uint32_t ttl_s, uint32_t rotation, struct dns_reply *out)
{
	size_t limit = dns_reply_limit(q, room), reserved = q->has_opt ? DNS_OPT_SIZE : 0;
	enum dns_verdict verdict;
	struct writer w;

	if (limit < q->end + reserved + DNS_RR_HEADER + target->len)
		return DNS_PASS;
	*out = (struct dns_reply){ .rcode = DNS_RCODE_NOERROR };
	w = (struct writer){ .zone = z,
		.q = q,
		.payload = payload,
		.at = payload + q->end,
		.end = payload + limit - reserved,
		.rotation = rotation,
		.owner = DNS_HEADER_SIZE,
		.reply = out };
	put_alias(&w, target, ttl_s);
	verdict = answer_target(&w, target);
	finish(&w, limit);
	return verdict;
}

bool
dns_answer_has_pod(const struct dns_zone *z, const struct dns_query *q)
{
	struct ip_addr pod;

	return find_pod(z, q, &pod);
}
