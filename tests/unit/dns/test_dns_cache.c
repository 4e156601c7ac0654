/* What is kept and for how long, and the replies that it gives, on a fake clock. libknot reads each reply. */
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_cache_make.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/dns_messages.h"
#include "tests/support/knot.h"

#define SEED UINT64_C(0x1234567890abcdef)
#define S UINT64_C(1000000000)
#define START (1000 * S)

static const struct dns_entry_limits limits = { .negative_max_s = 900, .stale_max_s = 3600 };

struct fixture {
	struct snapshot *snapshot;
	struct dns_cache *cache;
	struct message message;
	struct dns_parsed parsed;
	struct dns_entry_room room;
};

static int
setup_with(void **state, size_t memory_bytes, unsigned negative_percent)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct dns_cache_config config = {
		.memory_bytes = memory_bytes, .negative_percent = negative_percent, .seed = SEED
	};

	assert_non_null(f);
	f->snapshot = config.snapshot = snapshot_new(2);
	f->cache = dns_cache_new(&config);
	*state = f;
	return f->cache == NULL;
}

static int
setup(void **state)
{
	return setup_with(state, (size_t)1 << 20, 25);
}

static int
setup_small(void **state)
{
	return setup_with(state, DNS_CACHE_MEMORY_MIN, 25);
}

static int
setup_positive(void **state)
{
	return setup_with(state, DNS_CACHE_MEMORY_MIN, 0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	dns_cache_free(f->cache);
	snapshot_free(f->snapshot);
	free(f);
	return 0;
}

/* --- a client */

struct ask {
	const char *name;
	uint16_t type;
	uint16_t size; /* EDNS; 0: no OPT */
	unsigned flags;
	bool dnssec;
	uint32_t rotation;
	size_t room;  /* 0: plenty */
	uint16_t ede; /* 0: none */
};

struct client {
	struct message query;
	struct dns_query q;
	struct dns_cache_key key;
	uint8_t payload[2048];
	struct dns_reply reply;
};

static void
scan(struct client *c, const struct ask *ask)
{
	message_begin(&c->query, ask->flags, ask->name, ask->type);
	if (ask->size != 0)
		message_opt(&c->query, ask->size, ask->dnssec ? 0x8000 : 0);
	memcpy(c->payload, c->query.bytes, c->query.size);
	assert_int_equal(dns_query_scan(c->payload, c->query.size, SEED, &c->q), DNS_SCAN_QUERY);
	c->key = dns_cache_key_of(&c->q, c->payload);
}

static void
check(struct client *c, const knot_pkt_t *pkt)
{
	assert_non_null(pkt);
	assert_true(knot_wire_get_qr(pkt->wire) && knot_wire_get_ra(pkt->wire));
	assert_int_equal(knot_wire_get_id(pkt->wire), 0x1234);
	assert_memory_equal(c->payload + 12, c->query.bytes + 12, c->q.len + 4u);
	assert_int_equal(pkt->opt_rr != NULL, c->q.has_opt);
	assert_int_equal(knot_wire_get_tc(pkt->wire) != 0, c->reply.is_truncated);
	assert_int_equal(knot_pkt_ext_rcode(pkt), c->reply.rcode);
	assert_true(c->reply.size <= (c->q.udp_size < 1232 ? c->q.udp_size : 1232));
}

/* The reply of the entry as libknot has it. */
static knot_pkt_t *
answer_from(const struct dns_entry *e, const struct ask *ask, uint64_t now, struct client *c)
{
	knot_pkt_t *pkt;

	assert_true(dns_entry_answer(e, &c->q, c->payload, ask->room != 0 ? ask->room : sizeof(c->payload),
		dns_entry_ttl(e, now), ask->rotation, ask->ede == 0 ? DNS_EDE_NONE : ask->ede, &c->reply));
	pkt = knot_read(c->payload, c->reply.size);
	check(c, pkt);
	assert_false(knot_wire_get_aa(pkt->wire));
	return pkt;
}

/* NULL: there is nothing to answer from now. */
static knot_pkt_t *
ask(struct fixture *f, const struct ask *ask, uint64_t now, struct client *c)
{
	const struct dns_entry *e;

	scan(c, ask);
	e = dns_cache_find(f->cache, &c->key);
	if (e == NULL || dns_entry_life(e, now) == DNS_LIFE_EXPIRED)
		return NULL;
	return answer_from(e, ask, now, c);
}

/* --- upstream */

/* Makes the entry that the fixture's message becomes for that query. */
static const struct dns_entry *
make(struct fixture *f, const struct ask *ask, uint64_t now)
{
	struct client c;

	scan(&c, ask);
	assert_true(dns_parse(f->message.bytes, f->message.size, &f->parsed) <= DNS_KIND_NXDOMAIN);
	return dns_entry_make(&f->room, &c.key, &f->parsed, &limits, now);
}

static int
put(struct fixture *f, const struct ask *ask, uint64_t now)
{
	return dns_cache_put(f->cache, make(f, ask, now));
}

static const struct ask www = { .name = "www.example.com", .type = DNS_TYPE_A };

static void
begin(struct fixture *f, const struct ask *ask, unsigned rcode)
{
	message_begin(&f->message, MESSAGE_REPLY | rcode, ask->name, ask->type);
}

static void
put_www(struct fixture *f, uint32_t ttl, uint64_t now)
{
	begin(f, &www, 0);
	message_addr(&f->message, SECTION_ANSWER, www.name, ttl, "192.0.2.1");
	assert_int_equal(put(f, &www, now), 0);
}

/* --- */

static void
what_was_put_is_found(void **state)
{
	static const struct ask other_type = { .name = "www.example.com", .type = DNS_TYPE_AAAA };
	static const struct ask other_name = { .name = "ww2.example.com", .type = DNS_TYPE_A };
	static const struct ask other_letters = { .name = "wWw.ExAmPlE.cOm", .type = DNS_TYPE_A };
	struct fixture *f = *state;
	struct client c;
	knot_pkt_t *pkt;

	assert_null(ask(f, &www, START, &c));
	put_www(f, 60, START);
	pkt = ask(f, &www, START, &c);
	assert_int_equal(knot_count(pkt, KNOT_ANSWER), 1);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 60);
	knot_done(pkt);
	knot_done(ask(f, &other_letters, START, &c));
	assert_null(ask(f, &other_type, START, &c));
	assert_null(ask(f, &other_name, START, &c));
	assert_int_equal(dns_cache_books(f->cache).n_entries, 1);
}

static void
the_ttl_is_what_is_left(void **state)
{
	struct fixture *f = *state;
	struct client c;
	knot_pkt_t *pkt;

	put_www(f, 60, START);
	pkt = ask(f, &www, START - 1, &c);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 60);
	knot_done(pkt);
	pkt = ask(f, &www, START + 20 * S, &c);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 40);
	knot_done(pkt);
	pkt = ask(f, &www, START + 60 * S - 1, &c);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 1);
	knot_done(pkt);
	assert_null(ask(f, &www, START + 60 * S, &c));
}

/* RFC 1035 section 3.2.1: for those who wait, and for nobody else. */
static void
ttl_0_is_told_but_not_kept(void **state)
{
	struct fixture *f = *state;
	const struct dns_entry *e;
	struct client c;
	knot_pkt_t *pkt;

	begin(f, &www, 0);
	message_addr(&f->message, SECTION_ANSWER, www.name, 0, "192.0.2.1");
	e = make(f, &www, START);
	assert_int_equal(dns_cache_put(f->cache, e), -EINVAL);
	assert_null(ask(f, &www, START, &c));
	pkt = answer_from(e, &www, START, &c);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 0);
	knot_done(pkt);
}

/* What upstream says now and what it said before are not the same, whether or not that is kept. */
static void
what_is_not_kept_takes_the_place_of_the_older(void **state)
{
	struct fixture *f = *state;
	struct client c;

	put_www(f, 60, START);
	begin(f, &www, DNS_RCODE_NXDOMAIN); /* without SOA */
	assert_int_equal(put(f, &www, START + 61 * S), -EINVAL);
	scan(&c, &www);
	assert_null(dns_cache_find(f->cache, &c.key));
	assert_false(dns_cache_mark_stale(f->cache, &c.key, START + 91 * S));
	assert_int_equal(dns_cache_books(f->cache).n_entries, 0);
}

/* Nor without a share for NXDOMAIN. */
static void
what_has_no_share_takes_the_place_of_the_older(void **state)
{
	struct fixture *f = *state;
	struct client c;

	put_www(f, 60, START);
	begin(f, &www, DNS_RCODE_NXDOMAIN);
	message_soa(&f->message, "example.com", 60, 60);
	assert_int_equal(put(f, &www, START + 61 * S), -ENOBUFS);
	scan(&c, &www);
	assert_null(dns_cache_find(f->cache, &c.key));
}

static void
negative_answers_have_the_soa_and_a_bound(void **state)
{
	static const struct ask none = { .name = "none.example.com", .type = DNS_TYPE_A };
	struct fixture *f = *state;
	struct client c;
	knot_pkt_t *pkt;

	begin(f, &none, DNS_RCODE_NXDOMAIN);
	message_soa(&f->message, "example.com", 7200, 3600);
	assert_int_equal(put(f, &none, START), 0);
	pkt = ask(f, &none, START, &c);
	assert_int_equal(c.reply.rcode, DNS_RCODE_NXDOMAIN);
	assert_int_equal(knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA)->ttl, 900);
	knot_done(pkt);
	begin(f, &www, 0);
	message_soa(&f->message, "example.com", 7200, 60);
	assert_int_equal(put(f, &www, START), 0);
	pkt = ask(f, &www, START, &c);
	assert_int_equal(c.reply.rcode, DNS_RCODE_NOERROR);
	assert_int_equal(knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA)->ttl, 60);
	knot_done(pkt);
	assert_int_equal(dns_cache_books(f->cache).n_negatives, 2);
	begin(f, &none, DNS_RCODE_NXDOMAIN);
	assert_int_equal(put(f, &none, START), -EINVAL);
}

/* The question's letters are the client's, the records point into it; EDNS only for who has it. */
static void
the_frame_is_the_clients(void **state)
{
	static const struct ask asks[] = {
		{ .name = "WWW.example.com", .type = DNS_TYPE_A, .flags = MESSAGE_RD },
		{ .name = "www.example.com", .type = DNS_TYPE_A, .size = 4096 },
		{ .name = "www.example.com",
			.type = DNS_TYPE_A,
			.size = 1232,
			.flags = MESSAGE_RD,
			.ede = 3 },
	};
	struct fixture *f = *state;
	struct client c;
	knot_pkt_t *pkt;

	put_www(f, 60, START);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		pkt = ask(f, &asks[i], START, &c);
		assert_int_equal(knot_wire_get_rd(pkt->wire) != 0, (asks[i].flags & MESSAGE_RD) != 0);
		if (asks[i].size != 0)
			assert_int_equal(knot_edns_get_payload(pkt->opt_rr), 1232);
		if (asks[i].ede != 0)
			assert_non_null(knot_edns_get_option(pkt->opt_rr, 15, NULL));
		knot_done(pkt);
	}
}

/* DO and CD are part of what is asked for (RFC 4035 section 3.2). */
static void
signatures_are_for_who_wants_them(void **state)
{
	static const struct ask signed_www = { "www.example.com", DNS_TYPE_A, .size = 1232, .dnssec = true };
	static const struct ask unchecked = { "www.example.com", DNS_TYPE_A, .size = 1232, .dnssec = true,
		.flags = MESSAGE_CD };
	struct fixture *f = *state;
	struct client c;
	knot_pkt_t *pkt;

	put_www(f, 60, START);
	assert_null(ask(f, &signed_www, START, &c));
	begin(f, &signed_www, 0);
	message_addr(&f->message, SECTION_ANSWER, www.name, 60, "192.0.2.1");
	message_rrsig(&f->message, SECTION_ANSWER, www.name, DNS_TYPE_A, 60);
	assert_int_equal(put(f, &signed_www, START), 0);
	pkt = ask(f, &signed_www, START, &c);
	assert_non_null(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_RRSIG));
	assert_true(knot_edns_do(pkt->opt_rr));
	knot_done(pkt);
	assert_null(ask(f, &unchecked, START, &c));
	pkt = ask(f, &www, START, &c);
	assert_null(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_RRSIG));
	knot_done(pkt);
}

static void
addresses_are_turned(void **state)
{
	struct fixture *f = *state;
	struct ask turned = www;
	struct client c;

	begin(f, &www, 0);
	message_target(&f->message, SECTION_ANSWER, www.name, DNS_TYPE_CNAME, 60, "web.example.com");
	for (unsigned i = 0; i < 4; i++) {
		char addr[16];

		snprintf(addr, sizeof(addr), "192.0.2.%u", i);
		message_addr(&f->message, SECTION_ANSWER, "web.example.com", 60, addr);
	}
	assert_int_equal(put(f, &www, START), 0);
	for (unsigned i = 0; i < 4; i++) {
		knot_pkt_t *pkt;
		const knot_pktsection_t *s;

		turned.rotation = i << 30;
		pkt = ask(f, &turned, START, &c);
		s = knot_pkt_section(pkt, KNOT_ANSWER);
		assert_int_equal(s->count, 5);
		assert_int_equal(knot_pkt_rr(s, 0)->type, DNS_TYPE_CNAME);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(knot_pkt_rr(s, (uint16_t)(1 + k))->rrs.rdata->data[3], (i + k) % 4);
		knot_done(pkt);
	}
}

/* Whole records and TC for who takes less; TC alone for what no reply over UDP takes. */
static void
what_does_not_fit_is_truncated(void **state)
{
	static const struct ask large = { .name = "www.example.com", .type = DNS_TYPE_A, .size = 4096 };
	static const struct ask narrow = { "www.example.com", DNS_TYPE_A, .size = 4096, .room = 300 };
	struct fixture *f = *state;
	struct client c;

	for (unsigned n = 30; n <= 300; n += 30) {
		const struct ask *const asks[] = { &www, &large, &narrow };

		begin(f, &www, 0);
		for (unsigned i = 0; i < n; i++) {
			char addr[16];

			snprintf(addr, sizeof(addr), "192.0.%u.%u", i / 250, i % 250);
			message_addr(&f->message, SECTION_ANSWER, www.name, 60, addr);
		}
		assert_int_equal(put(f, &www, START), 0);
		for (unsigned i = 0; i < 3; i++) {
			knot_pkt_t *pkt = ask(f, asks[i], START, &c);
			unsigned limit = asks[i]->room != 0 ? 300u : asks[i]->size != 0 ? 1232u : 512u;
			bool fits = 12 + 21 + 16u * n + (asks[i]->size != 0 ? 11u : 0u) <= limit;

			assert_int_equal(c.reply.is_truncated, !fits);
			assert_true(c.reply.size <= limit);
			if (fits)
				assert_int_equal(knot_count(pkt, KNOT_ANSWER), n);
			else if (n <= 60)
				assert_true(c.reply.size + 16u > limit);
			else
				assert_int_equal(knot_count(pkt, KNOT_ANSWER), 0);
			knot_done(pkt);
		}
	}
}

/* RFC 8767: only when upstream has failed, with 30 seconds, and not for ever. */
static void
stale_answers_are_served_when_told(void **state)
{
	struct fixture *f = *state;
	uint64_t end = START + 60 * S;
	struct client c;
	knot_pkt_t *pkt;

	put_www(f, 60, START);
	scan(&c, &www);
	assert_null(ask(f, &www, end, &c));
	assert_true(dns_cache_mark_stale(f->cache, &c.key, end + 10 * S));
	assert_true(dns_cache_mark_stale(f->cache, &c.key, end + 1));
	pkt = ask(f, &www, end, &c);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, DNS_STALE_TTL_S);
	knot_done(pkt);
	assert_null(ask(f, &www, end + 10 * S, &c));
	assert_true(dns_cache_mark_stale(f->cache, &c.key, end + 10000 * S));
	knot_done(ask(f, &www, end + 3600 * S - 1, &c));
	assert_null(ask(f, &www, end + 3600 * S, &c));
	put_www(f, 60, end);
	pkt = ask(f, &www, end, &c);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 60);
	knot_done(pkt);
	assert_int_equal(dns_cache_books(f->cache).n_entries, 1);
}

static void
popular_names_are_asked_for_in_time(void **state)
{
	struct fixture *f = *state;
	const struct dns_entry *e;
	struct client c;

	put_www(f, 100, START);
	scan(&c, &www);
	e = dns_cache_find(f->cache, &c.key);
	assert_false(dns_entry_use(e, START + 95 * S)); /* the first one to ask is not many */
	assert_false(dns_entry_use(e, START + 89 * S));
	assert_true(dns_entry_use(e, START + 91 * S));
	assert_false(dns_entry_use(e, START + 92 * S));
	put_www(f, 100, START + 92 * S);
	e = dns_cache_find(f->cache, &c.key);
	assert_false(dns_entry_use(e, START + 100 * S));
	assert_true(dns_entry_use(e, START + 190 * S));
}

/* RFC 8020: what does not exist has nothing below it. */
static void
a_cut_answers_for_names_below(void **state)
{
	static const struct ask cut = { .name = "svc.corp.example.com", .type = DNS_TYPE_A };
	static const struct ask below = { "api.shop.svc.Corp.example.com", DNS_TYPE_AAAA, .size = 1232 };
	struct fixture *f = *state;
	const struct dns_entry *e;
	const knot_rrset_t *soa;
	struct client c;
	knot_pkt_t *pkt;

	begin(f, &cut, DNS_RCODE_NXDOMAIN);
	message_soa(&f->message, "corp.example.com", 600, 300);
	assert_int_equal(put(f, &cut, START), 0);
	scan(&c, &cut);
	e = dns_cache_find(f->cache, &c.key);
	scan(&c, &below);
	pkt = answer_from(e, &below, START, &c);
	assert_int_equal(c.reply.rcode, DNS_RCODE_NXDOMAIN);
	soa = knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA);
	assert_memory_equal(soa->owner, "\4corp\7example\3com", 18);
	/* names in its data point into the question, too: libknot writes them in full */
	assert_memory_equal(soa->rrs.rdata->data, "\2ns\7example\3com\0\5admin\7example\3com", 36);
	knot_done(pkt);
}

/* A reply that ends with a CNAME to elsewhere, as dns_answer() leaves it. */
static void
leave_zone(struct client *c, const struct ask *ask, const char *target)
{
	struct message chain;
	size_t data;

	scan(c, ask);
	chain = c->query;
	chain.size = c->q.end;
	chain.bytes[2] |= (MESSAGE_QR | MESSAGE_AA) >> 8;
	chain.bytes[11] = 0;
	data = message_record(&chain, SECTION_ANSWER, ask->name, DNS_TYPE_CNAME, 30);
	c->reply.outside = (uint16_t)chain.size;
	message_name(&chain, target);
	message_end(&chain, data);
	if (c->q.has_opt)
		message_opt(&chain, 1232, 0);
	memcpy(c->payload, chain.bytes, chain.size);
	c->reply.size = (uint16_t)chain.size;
}

static void
a_chain_out_of_the_zone_goes_on(void **state)
{
	static const struct ask inside = { "other.shop.svc.cluster.local", DNS_TYPE_A, .size = 1232 };
	struct fixture *f = *state;
	const struct dns_entry *e;
	const knot_pktsection_t *s;
	struct client c;
	knot_pkt_t *pkt;

	begin(f, &www, 0);
	message_target(&f->message, SECTION_ANSWER, www.name, DNS_TYPE_CNAME, 60, "web.cdn.example.com");
	message_addr(&f->message, SECTION_ANSWER, "web.cdn.example.com", 60, "192.0.2.1");
	assert_int_equal(put(f, &www, START), 0);
	scan(&c, &www);
	e = dns_cache_find(f->cache, &c.key);
	leave_zone(&c, &inside, www.name);
	assert_true(dns_entry_continue(e, &c.q, c.payload, sizeof(c.payload), 20, 0, DNS_EDE_NONE, &c.reply));
	pkt = knot_read(c.payload, c.reply.size);
	check(&c, pkt);
	assert_true(knot_wire_get_aa(pkt->wire));
	s = knot_pkt_section(pkt, KNOT_ANSWER);
	assert_int_equal(s->count, 3);
	assert_int_equal(knot_pkt_rr(s, 0)->ttl, 30);
	assert_memory_equal(knot_pkt_rr(s, 1)->owner, "\3www\7example\3com", 17);
	assert_memory_equal(knot_pkt_rr(s, 1)->rrs.rdata->data, "\3web\3cdn\7example\3com", 21);
	assert_memory_equal(knot_pkt_rr(s, 2)->owner, "\3web\3cdn\7example\3com", 21);
	assert_int_equal(knot_pkt_rr(s, 2)->ttl, 20);
	knot_done(pkt);
}

static void
errors_say_why(void **state)
{
	static const struct ask with_opt = { "www.example.com", DNS_TYPE_A, .size = 1232,
		.flags = MESSAGE_RD };
	struct client c;
	knot_pkt_t *pkt;

	(void)state;
	scan(&c, &with_opt);
	assert_true(dns_reply_error(&c.q, c.payload, sizeof(c.payload), DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
		"too many queries", &c.reply));
	pkt = knot_read(c.payload, c.reply.size);
	check(&c, pkt);
	assert_memory_equal(
		knot_edns_get_option(pkt->opt_rr, 15, NULL), "\0\xf\0\x12\0\0too many queries", 22);
	knot_done(pkt);
	scan(&c, &with_opt);
	assert_true(dns_reply_error(
		&c.q, c.payload, sizeof(c.payload), DNS_RCODE_BADVERS, DNS_EDE_NONE, NULL, &c.reply));
	pkt = knot_read(c.payload, c.reply.size);
	check(&c, pkt);
	assert_int_equal(knot_pkt_ext_rcode(pkt), DNS_RCODE_BADVERS);
	knot_done(pkt);
	scan(&c, &with_opt);
	assert_false(dns_reply_error(
		&c.q, c.payload, c.q.end + 10u, DNS_RCODE_SERVFAIL, DNS_EDE_NONE, NULL, &c.reply));
	assert_memory_equal(c.payload, c.query.bytes, c.query.size);
}

/* --- memory */

static void
number_name(char name[static 32], unsigned number)
{
	snprintf(name, 32, "n%u.example.com", number);
}

static int
put_number(struct fixture *f, unsigned number, bool is_negative, uint64_t now)
{
	char name[32];
	const struct ask numbered = { .name = name, .type = DNS_TYPE_A };

	number_name(name, number);
	begin(f, &numbered, is_negative ? DNS_RCODE_NXDOMAIN : 0);
	if (is_negative)
		message_soa(&f->message, "example.com", 600, 600);
	else
		message_addr(&f->message, SECTION_ANSWER, name, 600, "192.0.2.1");
	return put(f, &numbered, now);
}

static const struct dns_entry *
find_number(struct fixture *f, unsigned number)
{
	char name[32];
	const struct ask numbered = { .name = name, .type = DNS_TYPE_A };
	struct client c;

	number_name(name, number);
	scan(&c, &numbered);
	return dns_cache_find(f->cache, &c.key);
}

/* Names enough for buckets with something in both lines; what prefetching returns is right, another name's entry, or nothing. */
static void
a_guess_spares_the_index_or_nothing(void **state)
{
	struct fixture *f = *state;
	const struct dns_entry *last = NULL;
	unsigned n_right = 0, n = 0;

	while (put_number(f, n, false, START) == 0 && dns_cache_books(f->cache).n_forgotten == 0)
		n++;
	for (unsigned i = 0; i < n; i++) {
		const struct dns_entry *e = find_number(f, i), *guess;
		char name[32];
		const struct ask numbered = { .name = name, .type = DNS_TYPE_A };
		struct client c;

		number_name(name, i);
		scan(&c, &numbered);
		dns_cache_prefetch(f->cache, &c.key);
		guess = dns_cache_prefetch_entry(f->cache, &c.key);
		n_right += guess == e;
		if (guess != NULL)
			dns_cache_prefetch_body(guess);
		assert_ptr_equal(dns_cache_find_guessed(f->cache, &c.key, guess), e);
		assert_ptr_equal(dns_cache_find_guessed(f->cache, &c.key, last), e);
		last = e;
	}
	assert_in_range(n_right, n * 9 / 10, n);
}

static unsigned
count_found(struct fixture *f, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += find_number(f, i) != NULL;
	return n;
}

static void
a_full_cache_forgets_what_nobody_uses(void **state)
{
	struct fixture *f = *state;
	struct dns_cache_books books;

	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(put_number(f, i, false, START), 0);
		dns_entry_use(find_number(f, i), START);
	}
	for (unsigned i = 50; i < 20000; i++) {
		assert_int_equal(put_number(f, i, false, START), 0);
		if (i % 500 == 0)
			for (unsigned k = 0; k < 50; k++)
				dns_entry_use(find_number(f, k), START);
	}
	assert_int_equal(count_found(f, 0, 50), 50);
	books = dns_cache_books(f->cache);
	assert_int_equal(count_found(f, 0, 20000), books.n_entries);
	assert_in_range(books.n_entries, 500, 2000);
	assert_true(books.n_kept > 0);
	assert_int_equal(books.n_put, 20000);
	assert_int_equal(books.n_entries + books.n_forgotten, 20000);
	assert_int_equal(books.memory_bytes, DNS_CACHE_MEMORY_MIN);
	assert_true(books.entry_bytes <= books.memory_bytes);
}

/* A bucket has room for so many, whoever's names they are: the last one comes in, and look-ups stay as short. */
static void
a_full_bucket_takes_the_next_one(void **state)
{
	struct fixture *f = *state;
	uint64_t bucket = 0;
	unsigned n_put = 0, n_found = 0, numbers[3 * DNS_CACHE_WAYS];

	for (unsigned i = 0; n_put < 3 * DNS_CACHE_WAYS; i++) {
		char name[32];
		const struct ask numbered = { .name = name, .type = DNS_TYPE_A };
		struct client c;
		uint64_t hash;

		number_name(name, i);
		scan(&c, &numbered);
		hash = dns_cache_hash(c.key.hash, c.key.type, dns_cache_key_flags(&c.key));
		bucket = i == 0 ? hash & f->cache->bucket_mask : bucket;
		if ((hash & f->cache->bucket_mask) != bucket)
			continue;
		assert_int_equal(put_number(f, i, false, START), 0);
		if (n_put == 0)
			dns_entry_use(find_number(f, i), START);
		numbers[n_put++] = i;
		assert_non_null(find_number(f, i));
	}
	for (unsigned i = 0; i < n_put; i++)
		n_found += find_number(f, numbers[i]) != NULL;
	assert_int_equal(n_found, DNS_CACHE_WAYS);
	assert_non_null(find_number(f, numbers[0]));
	assert_int_equal(dns_cache_books(f->cache).n_entries, DNS_CACHE_WAYS);
	assert_int_equal(dns_cache_books(f->cache).n_forgotten, 2 * DNS_CACHE_WAYS);
}

/* Even if everything is used, new answers come in. */
static void
popular_entries_do_not_close_the_cache(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(put_number(f, i, false, START), 0);
		dns_entry_use(find_number(f, i), START);
	}
	assert_true(count_found(f, 0, 20000) > 500);
	assert_int_equal(count_found(f, 19900, 20000), 100);
}

static void
negative_answers_have_their_share(void **state)
{
	struct fixture *f = *state;
	struct dns_cache_books books;
	unsigned n_positives;

	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(put_number(f, i, false, START), 0);
	n_positives = count_found(f, 0, 500);
	for (unsigned i = 1000; i < 20000; i++)
		assert_int_equal(put_number(f, i, true, START), 0);
	assert_int_equal(count_found(f, 0, 500), n_positives);
	books = dns_cache_books(f->cache);
	assert_in_range(books.n_negatives, 100, 500);
	for (unsigned i = 20000; i < 40000; i++)
		assert_int_equal(put_number(f, i, false, START), 0);
	assert_in_range(dns_cache_books(f->cache).n_negatives, books.n_negatives * 2 / 3, books.n_negatives);
}

/* Names that are asked for again and again leave gaps, which are closed: nothing else is lost by them. */
static void
refreshed_entries_drive_nothing_out(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(put_number(f, i, false, START), 0);
	for (unsigned i = 0; i < 50000; i++)
		assert_int_equal(put_number(f, i % 20, false, START), 0);
	assert_int_equal(count_found(f, 0, 300), 300);
	assert_int_equal(dns_cache_books(f->cache).n_entries, 300);
	assert_int_equal(dns_cache_books(f->cache).n_forgotten, 0);
}

/* No memory is used again that a reader may be reading. */
static void
a_reader_keeps_what_it_found(void **state)
{
	struct fixture *f = *state;
	const struct dns_entry *e;
	unsigned n_put = 0;
	uint8_t copy[DNS_ENTRY_SIZE_MAX];

	snapshot_online(f->snapshot, 0);
	assert_int_equal(put_number(f, 0, false, START), 0);
	e = find_number(f, 0);
	memcpy(copy, e, e->size);
	for (unsigned i = 1; i < 20000; i++)
		n_put += put_number(f, i, false, START) == 0;
	assert_memory_equal(&e->hash, copy + offsetof(struct dns_entry, hash),
		e->size - offsetof(struct dns_entry, hash));
	assert_true(n_put < 3000);
	assert_int_equal(dns_cache_books(f->cache).n_refused, 19999 - n_put);
	snapshot_quiesce(f->snapshot, 0);
	assert_int_equal(put_number(f, 1, false, START), 0);
	snapshot_offline(f->snapshot, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)
		T(what_was_put_is_found),
		T(the_ttl_is_what_is_left),
		T(ttl_0_is_told_but_not_kept),
		T(what_is_not_kept_takes_the_place_of_the_older),
		cmocka_unit_test_setup_teardown(
			what_has_no_share_takes_the_place_of_the_older, setup_positive, teardown),
		T(negative_answers_have_the_soa_and_a_bound),
		T(the_frame_is_the_clients),
		T(signatures_are_for_who_wants_them),
		T(addresses_are_turned),
		T(what_does_not_fit_is_truncated),
		T(stale_answers_are_served_when_told),
		T(popular_names_are_asked_for_in_time),
		T(a_cut_answers_for_names_below),
		T(a_chain_out_of_the_zone_goes_on),
		cmocka_unit_test(errors_say_why),
		SMALL(a_guess_spares_the_index_or_nothing),
		SMALL(a_full_cache_forgets_what_nobody_uses),
		SMALL(a_full_bucket_takes_the_next_one),
		SMALL(popular_entries_do_not_close_the_cache),
		SMALL(negative_answers_have_their_share),
		SMALL(refreshed_entries_drive_nothing_out),
		SMALL(a_reader_keeps_what_it_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
