#include "dataplane/dns/dns_parse_chain.h"

#include "dataplane/dns/dns_parse_name.h"
#include "dataplane/net/byteorder.h"

/* What is behind the names of an SOA: serial, refresh, retry, expire, minimum (RFC 1035 section 3.3.13). */
#define SOA_MINIMUM_FROM_END 4

struct chain {
	struct dns_parsed *p;
	struct dns_full_name name; /* where it has got to */
	bool is_signed;
	bool is_loop;
	uint32_t ttl_s;
	unsigned n_cnames;
};

static void
take(struct chain *c, unsigned i)
{
	struct dns_record *record = &c->p->records[i];

	c->is_loop |= record->is_taken;
	if (record->is_taken)
		return;
	record->is_taken = true;
	c->p->taken[c->p->n_answers + c->p->n_authorities] = (uint16_t)i;
	if (i < c->p->n_in_answer)
		c->p->n_answers++;
	else
		c->p->n_authorities++;
	if (record->ttl_s < c->ttl_s)
		c->ttl_s = record->ttl_s;
}

static void
read_name(const struct chain *c, size_t at, struct dns_full_name *out)
{
	dns_parse_name(c->p->message, c->p->size, at, out); /* was checked */
}

static bool
is_owner(const struct chain *c, const struct dns_record *record)
{
	struct dns_full_name owner;

	read_name(c, record->owner, &owner);
	return record->class == DNS_CLASS_IN && dns_full_name_equal(&owner, &c->name);
}

/* Whether the record's owner is the name or above it. */
static bool
is_above(const struct chain *c, const struct dns_record *record)
{
	struct dns_full_name owner, suffix;
	unsigned at = 0;

	read_name(c, record->owner, &owner);
	while (c->name.len - at > owner.len)
		at += 1u + c->name.bytes[at];
	suffix.len = c->name.len - at;
	memcpy(suffix.bytes, c->name.bytes + at, suffix.len);
	return record->class == DNS_CLASS_IN && dns_full_name_equal(&owner, &suffix);
}

/* The type that a signature is of (RFC 4034 section 3.1). */
static unsigned
covered(const struct chain *c, const struct dns_record *record)
{
	be16 type;

	if (record->type != DNS_TYPE_RRSIG || record->data_len < sizeof(type))
		return 0;
	memcpy(&type, c->p->message + record->data, sizeof(type));
	return be16_host(type);
}

/* The records of the name that have the type (DNS_TYPE_ANY: all of them), and their signatures. */
static bool
take_set(struct chain *c, uint16_t type)
{
	bool found = false;

	for (unsigned i = 0; i < c->p->n_in_answer; i++) {
		const struct dns_record *record = &c->p->records[i];

		if ((record->type == type || type == DNS_TYPE_ANY) && is_owner(c, record)) {
			take(c, i);
			found = true;
		}
	}
	for (unsigned i = 0; found && type != DNS_TYPE_ANY && i < c->p->n_in_answer; i++)
		if (covered(c, &c->p->records[i]) == type && is_owner(c, &c->p->records[i])) {
			take(c, i);
			c->is_signed = true;
		}
	return found;
}

/* What a CNAME was made from (RFC 6672 section 3.1): who checks signatures wants to see it. */
static void
take_dname(struct chain *c)
{
	for (unsigned i = 0; i < c->p->n_in_answer; i++) {
		const struct dns_record *record = &c->p->records[i];

		if (!record->is_taken && !is_owner(c, record) && is_above(c, record) &&
			(record->type == DNS_TYPE_DNAME || covered(c, record) == DNS_TYPE_DNAME))
			take(c, i);
	}
}

/* Takes the name's CNAME and goes to where it leads. False: it has none. Of several it is the first: there may be one only. */
static bool
follow(struct chain *c)
{
	struct dns_parsed *p = c->p;

	for (unsigned i = 0; i < p->n_in_answer; i++) {
		const struct dns_record *record = &p->records[i];

		if (record->type != DNS_TYPE_CNAME || !is_owner(c, record))
			continue;
		take_dname(c);
		take(c, i);
		for (unsigned s = 0; s < p->n_in_answer; s++)
			if (covered(c, &p->records[s]) == DNS_TYPE_CNAME && is_owner(c, &p->records[s])) {
				take(c, s);
				c->is_signed = true;
			}
		p->last = record->data;
		read_name(c, record->data, &c->name);
		return ++c->n_cnames <= DNS_PARSE_CHAIN_MAX && !c->is_loop;
	}
	return false;
}

/* What proves that there is nothing, or that it comes from a wildcard (RFC 4035 section 3.1.3). */
static void
take_proofs(struct chain *c)
{
	for (unsigned i = c->p->n_in_answer; i < c->p->n_records; i++) {
		const struct dns_record *record = &c->p->records[i];
		unsigned of = record->type == DNS_TYPE_RRSIG ? covered(c, record) : record->type;

		if (of == DNS_TYPE_NSEC || of == DNS_TYPE_NSEC3)
			take(c, i);
	}
}

/* The SOA of a zone that the last name is in, and its signature. False: there is none. */
static bool
take_soa(struct chain *c)
{
	struct dns_parsed *p = c->p;
	bool found = false;

	for (unsigned i = p->n_in_answer; i < p->n_records && !found; i++) {
		const struct dns_record *record = &p->records[i];
		be32 wire;
		uint32_t minimum;

		if (record->type != DNS_TYPE_SOA || !is_above(c, record))
			continue;
		found = true;
		take(c, i);
		memcpy(&wire, p->message + record->data + record->data_len - SOA_MINIMUM_FROM_END,
			sizeof(wire));
		minimum = be32_host(wire) > INT32_MAX ? 0 : be32_host(wire);
		if (minimum < c->ttl_s)
			c->ttl_s = minimum;
	}
	for (unsigned i = p->n_in_answer; i < p->n_records && found; i++)
		if (covered(c, &p->records[i]) == DNS_TYPE_SOA && is_above(c, &p->records[i]))
			take(c, i);
	return found;
}

static bool
has_referral(const struct dns_parsed *p)
{
	for (unsigned i = p->n_in_answer; i < p->n_records; i++)
		if (p->records[i].type == DNS_TYPE_NS)
			return true;
	return false;
}

/* Nothing of the type is at the chain's end. */
static enum dns_kind
deny(struct chain *c)
{
	struct dns_parsed *p = c->p;

	if (take_soa(c)) {
		take_proofs(c);
	} else {
		c->ttl_s = 0; /* RFC 2308 section 5 */
		/* who does not know the way himself tells who might (RFC 2308 section 2.2), or nothing at all */
		if (p->rcode == 0 && c->n_cnames == 0 && !p->is_authoritative &&
			(has_referral(p) || !p->is_recursive))
			return DNS_KIND_LAME;
	}
	return p->rcode == 0 ? DNS_KIND_NODATA : DNS_KIND_NXDOMAIN;
}

enum dns_kind
dns_parse_chain(struct dns_parsed *p)
{
	struct chain c = { .p = p, .ttl_s = DNS_TTL_MAX_S };
	enum dns_kind kind;
	bool found;

	read_name(&c, DNS_HEADER_SIZE, &c.name);
	while (!(found = take_set(&c, p->type)) && p->type != DNS_TYPE_CNAME && follow(&c))
		;
	if (c.is_loop || c.n_cnames > DNS_PARSE_CHAIN_MAX || (found && p->rcode != 0))
		kind = DNS_KIND_LAME;
	else if (found)
		kind = DNS_KIND_ANSWER;
	else
		kind = deny(&c);
	if (found && c.is_signed)
		take_proofs(&c);
	p->ttl_s = c.ttl_s;
	return kind;
}
