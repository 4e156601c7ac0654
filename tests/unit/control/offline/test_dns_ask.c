/* The cases of tests/dns, asked one by one, in many rotations and sizes: libknot reads each answer, and finds it as full and as
 * consistent as it must be. Whether the answers are right is the command's test (control/cli/test_dns_test.c). */
#include "control/offline/dns_ask.h"

#include <stdarg.h>
#include <setjmp.h>

#include <cmocka.h>

#include "control/offline/dns_message.h"
#include "control/offline/manifests.h"
#include "dataplane/dns/dns_answer.h"
#include "tests/support/knot.h"

#define DNS SOURCE_ROOT "/tests/dns/"

static const knot_dname_t zone_name[] = "\7cluster\5local";

static bool
is_reverse(const knot_dname_t *name)
{
	return knot_dname_in_bailiwick(name, (const knot_dname_t *)"\4arpa") >= 0;
}

/* A NODATA or NXDOMAIN has the SOA of a zone that the name is in; nothing else has one. */
static void
check_authority(const knot_pkt_t *pkt, const struct dns_reply *reply, bool is_about_soa)
{
	const knot_rrset_t *soa = knot_find(pkt, KNOT_AUTHORITY, DNS_TYPE_SOA);
	bool has_answer = false;

	for (unsigned i = 0; i < knot_count(pkt, KNOT_ANSWER); i++) {
		uint16_t type = knot_pkt_rr(knot_pkt_section(pkt, KNOT_ANSWER), (uint16_t)i)->type;

		has_answer |= type != DNS_TYPE_CNAME || type == knot_pkt_qtype(pkt);
	}
	assert_true(knot_count(pkt, KNOT_AUTHORITY) <= 1);
	if (reply->rcode == DNS_RCODE_NXDOMAIN)
		assert_true(soa != NULL && !has_answer);
	if (soa == NULL)
		return;
	assert_true(!has_answer || is_about_soa);
	assert_true(knot_dname_in_bailiwick(knot_pkt_qname(pkt), soa->owner) >= 0);
	assert_true(is_reverse(knot_pkt_qname(pkt)) || knot_dname_is_equal(soa->owner, zone_name));
}

/* The first record is the question's, and after a CNAME comes what it leads to. */
static void
check_chain(const knot_pkt_t *pkt)
{
	const knot_pktsection_t *answers = knot_pkt_section(pkt, KNOT_ANSWER);
	const knot_dname_t *owner = knot_pkt_qname(pkt);
	knot_dname_storage_t asked, found;

	for (unsigned i = 0; i < answers->count; i++) {
		const knot_rrset_t *rr = knot_pkt_rr(answers, (uint16_t)i);

		assert_true(knot_dname_store(asked, owner) != 0 && knot_dname_store(found, rr->owner) != 0);
		knot_dname_to_lower(asked);
		knot_dname_to_lower(found);
		assert_true(knot_dname_is_equal(asked, found));
		assert_int_equal(rr->rclass, DNS_CLASS_IN);
		assert_int_equal(rr->ttl, 30);
		if (rr->type == DNS_TYPE_CNAME)
			owner = knot_cname_name(rr->rrs.rdata);
	}
}

static void
check_answer(const struct dns_zone *z, const struct dns_case *c, size_t room, uint32_t rotation)
{
	uint8_t payload[DNS_ASKED_SIZE];
	struct dns_reply reply;
	struct dns_wire name;
	struct dns_query q;
	enum dns_verdict verdict;
	knot_pkt_t *pkt;

	assert_true(dns_wire_parse(c->name, &name));
	assert_int_equal(dns_query_scan(payload, dns_message_ask(payload, &name, c->type), z->seed, &q),
		DNS_SCAN_QUERY);
	verdict = dns_answer(z, &q, payload, room, rotation, &reply);
	if (verdict == DNS_PASS)
		return;
	assert_true(reply.size <= room);
	pkt = knot_read(payload, reply.size);
	if (pkt == NULL)
		fail_msg("line %u: libknot cannot read it", c->line);
	check_authority(pkt, &reply, c->type == DNS_TYPE_SOA);
	check_chain(pkt);
	knot_done(pkt);
}

static void
libknot_reads_every_answer(void **state)
{
	const struct dns_build_config config = { .zone = DNS_ZONE_DEFAULT,
		.ttl_s = DNS_TTL_DEFAULT_S,
		.server_ns = "kube-system",
		.server = "kube-dns",
		.serial = 1 };
	struct dns_case_list cases;
	struct manifests manifests;
	struct dns_asking *asking;

	assert_int_equal(manifests_load(&manifests, DNS "manifests", stderr), 0);
	assert_int_equal(manifests.n_errors, 0);
	assert_int_equal(dns_case_list_read(&cases, DNS "cases.jsonl", stderr), 0);
	assert_true(cases.n >= 150 && cases.n_errors == 0);
	assert_int_equal(dns_asking_new(&asking, manifests.store, &config, stderr), 0);
	for (size_t i = 0; i < cases.n; i++)
		for (unsigned k = 0; k < 8; k++) {
			size_t room = k < 4 ? DNS_ASKED_SIZE : 90 + 70 * k;

			check_answer(dns_asking_zone(asking), &cases.items[i], room, k * 0x3fffffffu);
		}
	dns_asking_free(asking);
	dns_case_list_fini(&cases);
	manifests_fini(&manifests);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libknot_reads_every_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
