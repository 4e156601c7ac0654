/* The message around the records: header, EDNS, sizes, rotation, and the question as it was sent. What is answered is in
 * tests/dns/cases.jsonl. libknot reads each reply. */
#include "dataplane/dns/dns_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>

#include <cmocka.h>

#include "control/build/dns_build.h"
#include "tests/support/knot.h"
#include "tests/support/yaml_objects.h"

struct fixture {
	struct store *store;
	struct dns_builder *builder;
	struct dns_zone *zone;
};

/* A headless service with more endpoints than a message takes, with long names. */
static void
put_crowd(struct store *s, unsigned n)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fprintf(f, "apiVersion: v1\nkind: Service\nmetadata: {name: crowd, namespace: shop}\nspec: "
		   "{clusterIP: None}\n"
		   "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: crowd-1, "
		   "namespace: "
		   "shop, labels: {kubernetes.io/service-name: crowd}}\naddressType: IPv4\nports: [{name: "
		   "http, port: "
		   "80}]\nendpoints:\n");
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "  - {addresses: [10.1.%u.%u], hostname: one-of-the-crowd-%u}\n", i / 250,
			i % 250 + 1, i);
	fclose(f);
	put_yaml(s, text);
	free(text);
}

static int
setup(void **state)
{
	static struct fixture f;
	const struct dns_build_config config = { .zone = DNS_ZONE_DEFAULT,
		.ttl_s = 30,
		.server_ns = "kube-system",
		.server = "kube-dns",
		.serial = 7 };

	f.store = store_new();
	put_yaml(f.store, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: "
			  "v1\nkind: Service\n"
			  "metadata: {name: api, namespace: shop}\nspec: {clusterIPs: [10.96.0.7, "
			  "'fd00::7'], ports: [{name: "
			  "http, port: 80}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: other, "
			  "namespace: shop}\n"
			  "spec: {type: ExternalName, externalName: example.com}\n");
	put_crowd(f.store, 300);
	*state = &f;
	return dns_builder_new(&f.builder, f.store, &config) < 0 || dns_builder_build(f.builder, &f.zone) < 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	dns_builder_release(f->builder, f->zone);
	dns_builder_free(f->builder);
	store_free(f->store);
	return 0;
}

struct ask {
	const char *name;
	uint16_t type;
	uint16_t flags; /* of the header */
	uint16_t size;  /* EDNS; 0: no OPT */
	uint8_t version;
	bool wants_dnssec;
	size_t room; /* 0: plenty */
	uint32_t rotation;
};

struct answer {
	enum dns_verdict verdict;
	struct dns_reply reply;
	uint8_t query[512], payload[2048];
	size_t query_size;
};

static size_t
write_query(uint8_t *at, const struct ask *ask)
{
	uint8_t *start = at;
	struct dns_wire name;
	const uint8_t head[] = { 0xab, 0xcd, (uint8_t)(ask->flags >> 8), (uint8_t)ask->flags, 0, 1, 0, 0, 0,
		0, 0, ask->size != 0 };
	const uint8_t opt[] = { 0, 0, DNS_TYPE_OPT, (uint8_t)(ask->size >> 8), (uint8_t)ask->size, 0,
		ask->version, ask->wants_dnssec ? 0x80 : 0, 0, 0, 0 };
	const char *letters = ask->name;

	memcpy(at, head, sizeof(head));
	at += sizeof(head);
	assert_true(dns_wire_parse(ask->name, &name));
	memcpy(at, name.bytes, name.len);
	/* the letters as they were written */
	for (size_t i = 1; *letters != '\0'; i++, letters++)
		if (*letters != '.')
			at[i] = (uint8_t)*letters;
	at += name.len;
	*at++ = (uint8_t)(ask->type >> 8);
	*at++ = (uint8_t)ask->type;
	*at++ = 0;
	*at++ = 1;
	if (ask->size != 0)
		at = (uint8_t *)memcpy(at, opt, sizeof(opt)) + sizeof(opt);
	return (size_t)(at - start);
}

/* The reply as libknot has it; NULL when there is none. */
static knot_pkt_t *
answer(const struct fixture *f, const struct ask *ask, struct answer *out)
{
	struct dns_query q;
	knot_pkt_t *pkt;

	memset(out, 0, sizeof(*out));
	out->query_size = write_query(out->query, ask);
	memcpy(out->payload, out->query, out->query_size);
	assert_int_equal(dns_query_scan(out->payload, out->query_size, f->zone->seed, &q), DNS_SCAN_QUERY);
	out->verdict = dns_answer(f->zone, &q, out->payload,
		ask->room != 0 ? ask->room : sizeof(out->payload), ask->rotation, &out->reply);
	if (out->verdict == DNS_PASS) {
		assert_memory_equal(out->payload, out->query, out->query_size);
		return NULL;
	}
	pkt = knot_read(out->payload, out->reply.size);
	assert_non_null(pkt);
	assert_memory_equal(out->payload + 12, out->query + 12, q.len + 4u);
	assert_int_equal(pkt->opt_rr != NULL, ask->size != 0);
	assert_true(
		knot_wire_get_qr(pkt->wire) && knot_wire_get_aa(pkt->wire) && knot_wire_get_ra(pkt->wire));
	assert_int_equal(knot_wire_get_tc(pkt->wire) != 0, out->reply.is_truncated);
	assert_int_equal(knot_pkt_ext_rcode(pkt), out->reply.rcode);
	return pkt;
}

static void
the_header_answers_the_query(void **state)
{
	const struct ask plain = { .name = "api.shop.svc.cluster.local", .type = DNS_TYPE_A };
	struct ask flags = plain;
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &plain, &a);

	assert_int_equal(knot_wire_get_id(pkt->wire), 0xabcd);
	assert_false(
		knot_wire_get_rd(pkt->wire) || knot_wire_get_cd(pkt->wire) || knot_wire_get_ad(pkt->wire));
	assert_int_equal(knot_count(pkt, KNOT_ANSWER), 1);
	assert_int_equal(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_A)->ttl, 30);
	knot_done(pkt);
	flags.flags = 0x0130; /* RD, AD, CD */
	pkt = answer(*state, &flags, &a);
	assert_true(
		knot_wire_get_rd(pkt->wire) && knot_wire_get_cd(pkt->wire) && !knot_wire_get_ad(pkt->wire));
	knot_done(pkt);
}

/* 0x20: clients take a reply in other letters for somebody else's. answer() compares the question. */
static void
letters_are_as_they_were_sent(void **state)
{
	const struct ask ask = { .name = "aPi.ShOp.SvC.cLuStEr.LoCaL", .type = DNS_TYPE_AAAA };
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &ask, &a);

	assert_memory_equal(a.payload + 12, "\3aPi\4ShOp\3SvC\7cLuStEr\5LoCaL", 28);
	assert_non_null(knot_find(pkt, KNOT_ANSWER, DNS_TYPE_AAAA));
	knot_done(pkt);
}

static void
negative_answers_have_the_soa(void **state)
{
	static const struct ask asks[] = {
		{ .name = "none.shop.svc.cluster.local", .type = DNS_TYPE_A },
		{ .name = "shop.svc.cluster.local", .type = DNS_TYPE_A },
		{ .name = "api.shop.svc.cluster.local", .type = DNS_TYPE_TXT, .size = 1232 },
		{ .name = "cluster.local", .type = DNS_TYPE_A },
	};

	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		struct answer a;
		knot_pkt_t *pkt = answer(*state, &asks[i], &a);
		const knot_rrset_t *soa = knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA);

		assert_int_equal(a.reply.rcode, i == 0 ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR);
		assert_int_equal(knot_count(pkt, KNOT_ANSWER), 0);
		assert_non_null(soa);
		assert_true(knot_dname_is_equal(soa->owner, (const uint8_t *)"\7cluster\5local"));
		assert_int_equal(soa->ttl, 30);
		assert_int_equal(knot_soa_minimum(soa->rrs.rdata), 30);
		assert_int_equal(knot_soa_serial(soa->rrs.rdata), 7);
		knot_done(pkt);
	}
}

static void
a_reverse_zone_has_its_own_soa(void **state)
{
	const struct ask v4 = { .name = "7.0.96.10.in-addr.arpa", .type = DNS_TYPE_TXT };
	const struct ask v6 = {
		.name = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		.type = DNS_TYPE_A,
	};
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &v4, &a);

	assert_true(knot_dname_is_equal(
		knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA)->owner, (const uint8_t *)"\7in-addr\4arpa"));
	knot_done(pkt);
	pkt = answer(*state, &v6, &a);
	assert_true(knot_dname_is_equal(
		knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA)->owner, (const uint8_t *)"\3ip6\4arpa"));
	knot_done(pkt);
}

static void
opt_is_answered_with_opt(void **state)
{
	struct ask ask = { .name = "api.shop.svc.cluster.local", .type = DNS_TYPE_A, .size = 4096 };
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &ask, &a);

	assert_int_equal(knot_edns_get_payload(pkt->opt_rr), DNS_UDP_SIZE_MAX);
	assert_int_equal(knot_edns_get_version(pkt->opt_rr), 0);
	assert_false(knot_edns_do(pkt->opt_rr));
	knot_done(pkt);
	ask.wants_dnssec = true;
	pkt = answer(*state, &ask, &a);
	assert_true(knot_edns_do(pkt->opt_rr));
	knot_done(pkt);
}

static void
another_version_is_refused_where_the_name_is_ours(void **state)
{
	struct ask ask = {
		.name = "api.shop.svc.cluster.local", .type = DNS_TYPE_A, .size = 1232, .version = 1
	};
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &ask, &a);

	assert_int_equal(a.reply.rcode, DNS_RCODE_BADVERS);
	assert_int_equal(knot_count(pkt, KNOT_ANSWER), 0);
	assert_int_equal(knot_edns_get_version(pkt->opt_rr), 0);
	knot_done(pkt);
	ask.name = "www.example.com";
	assert_null(answer(*state, &ask, &a));
}

/* Whole records up to the limit, whatever it is, and TC. */
static void
what_does_not_fit_is_left_out_whole(void **state)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_SRV };

	for (unsigned t = 0; t < 2; t++)
		for (size_t room = 60; room < 1400; room += 7) {
			const struct ask ask = { .name = "crowd.shop.svc.cluster.local",
				.type = types[t],
				.size = room % 2 == 0 ? 0 : 4096,
				.room = room,
				.rotation = (uint32_t)room * 0x9e3779b9u };
			size_t limit = room % 2 == 0 ? 512 : DNS_UDP_SIZE_MAX,
			       record = t == 0 ? 16 : 12 + 6 + 50;
			struct answer a;
			knot_pkt_t *pkt = answer(*state, &ask, &a);

			limit = room < limit ? room : limit;
			assert_non_null(pkt);
			assert_true(a.reply.is_truncated && a.reply.size <= limit);
			assert_true(a.reply.size + record + 4 > limit);
			knot_done(pkt);
		}
}

static void
without_room_for_the_question_it_is_passed_on(void **state)
{
	struct ask ask = {
		.name = "api.shop.svc.cluster.local", .type = DNS_TYPE_A, .size = 1232, .room = 44 + 10
	};
	struct answer a;
	knot_pkt_t *pkt;

	assert_null(answer(*state, &ask, &a));
	ask.room = 44 + 11;
	pkt = answer(*state, &ask, &a);
	assert_int_equal(knot_count(pkt, KNOT_ANSWER), 0);
	assert_true(a.reply.is_truncated);
	knot_done(pkt);
}

/* The addresses of a target come with it or not at all, and their lack is no reason for TC. */
static void
glue_is_left_out_silently(void **state)
{
	struct ask ask = { .name = "_http._tcp.api.shop.svc.cluster.local", .type = DNS_TYPE_SRV };
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &ask, &a);

	assert_int_equal(knot_count(pkt, KNOT_ADDITIONAL), 2);
	assert_true(knot_dname_is_equal(knot_find(pkt, KNOT_ADDITIONAL, DNS_TYPE_AAAA)->owner,
		(const uint8_t *)"\3api\4shop\3svc\7cluster\5local"));
	ask.room = a.reply.size - 1u;
	knot_done(pkt);
	pkt = answer(*state, &ask, &a);
	assert_int_equal(knot_count(pkt, KNOT_ANSWER), 1);
	assert_int_equal(knot_count(pkt, KNOT_ADDITIONAL), 0);
	assert_false(a.reply.is_truncated);
	knot_done(pkt);
}

static void
each_record_is_first_at_times(void **state)
{
	struct ask ask = { .name = "crowd.shop.svc.cluster.local", .type = DNS_TYPE_A, .size = 1232 };
	bool is_seen[300] = { false };
	unsigned n_seen = 0;

	for (unsigned i = 0; i < 3000; i++) {
		struct answer a;
		const uint8_t *first;
		knot_pkt_t *pkt;
		unsigned host;

		ask.rotation = i * (UINT32_MAX / 3000);
		pkt = answer(*state, &ask, &a);
		first = knot_pkt_rr(knot_pkt_section(pkt, KNOT_ANSWER), 0)->rrs.rdata->data;
		host = first[2] * 250u + first[3] - 1;
		n_seen += !is_seen[host];
		is_seen[host] = true;
		knot_done(pkt);
	}
	assert_int_equal(n_seen, 300);
}

static void
a_chain_that_leaves_says_where_to(void **state)
{
	const struct ask ask = { .name = "other.shop.svc.cluster.local", .type = DNS_TYPE_A };
	struct answer a;
	knot_pkt_t *pkt = answer(*state, &ask, &a);

	assert_int_equal(a.verdict, DNS_LEAVES);
	assert_memory_equal(a.payload + a.reply.outside, "\7example\3com", 13);
	assert_int_equal(knot_count(pkt, KNOT_ANSWER), 1);
	knot_done(pkt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_answers_the_query),
		cmocka_unit_test(letters_are_as_they_were_sent),
		cmocka_unit_test(negative_answers_have_the_soa),
		cmocka_unit_test(a_reverse_zone_has_its_own_soa),
		cmocka_unit_test(opt_is_answered_with_opt),
		cmocka_unit_test(another_version_is_refused_where_the_name_is_ours),
		cmocka_unit_test(what_does_not_fit_is_left_out_whole),
		cmocka_unit_test(without_room_for_the_question_it_is_passed_on),
		cmocka_unit_test(glue_is_left_out_silently),
		cmocka_unit_test(each_record_is_first_at_times),
		cmocka_unit_test(a_chain_that_leaves_says_where_to),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
