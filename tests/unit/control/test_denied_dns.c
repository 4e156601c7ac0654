/* Whose DNS queries policies deny: told as long as it is so. */
#include "control/denied_dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/build/policy_build.h"
#include "tests/support/fixtures.h"
#include "tests/support/objects.h"
#include "tests/support/policies.h"
#include "tests/support/yaml_objects.h"

#define SECOND UINT64_C(1000000000)

static void
count_query(const struct denied_query *query, void *arg)
{
	assert_int_equal(query->port, FIXTURE_POD1);
	assert_int_equal(query->server_port, 53);
	++*(unsigned *)arg;
}

static unsigned
n_told(const struct denied_dns *d, const struct fixture *f, uint64_t now_ns)
{
	unsigned n = 0;

	denied_dns_each(d, &f->tables, now_ns, count_query, &n);
	return n;
}

static struct event
query_to(const char *server)
{
	struct event e = {
		.kind = EVENT_DNS_DENIED, .value = (uint32_t)PROTO_UDP << 16 | 53, .port = FIXTURE_POD1
	};

	assert_true(ip_addr_parse(server, &e.addr));
	return e;
}

static void
it_is_told_until_a_rule_allows_it_or_nobody_asks(void **state)
{
	struct fixture *f = fixture_new(1, false);
	struct denied_dns *d = denied_dns_new();
	struct event event = query_to("10.244.2.20"), nobodys = query_to("10.244.2.20");
	struct denied_query query;

	assert_false(denied_dns_note(d, &event, &f->tables, SECOND, &query)); /* not isolated any more */
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	assert_int_equal(n_told(d, f, 2 * SECOND), 1);
	denied_dns_free(d);
	d = denied_dns_new();
	assert_true(denied_dns_note(d, &event, &f->tables, SECOND, &query));
	assert_false(denied_dns_note(d, &event, &f->tables, 2 * SECOND, &query)); /* no news */
	assert_int_equal(n_told(d, f, 3 * SECOND), 1);
	assert_int_equal(n_told(d, f, 2 * SECOND + DENIED_DNS_NS), 0);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE, PROTO_UDP, 53 });
	assert_int_equal(n_told(d, f, 3 * SECOND), 0);
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	assert_int_equal(n_told(d, f, 3 * SECOND), 1);
	assert_true(denied_dns_note(d, &event, &f->tables, 3 * SECOND + DENIED_DNS_NS, &query));
	/* somebody else's, who has the port now, and nobody's */
	assert_true(ip_addr_parse(
		"10.244.1.99", &f->endpoints->endpoints[f->endpoints->by_port[FIXTURE_POD1]].addrs[V4]));
	assert_int_equal(n_told(d, f, 4 * SECOND + DENIED_DNS_NS), 0);
	nobodys.port = PORTS_MAX - 1;
	assert_false(denied_dns_note(d, &nobodys, &f->tables, SECOND, &query));
	nobodys.port = UINT16_MAX;
	assert_false(denied_dns_note(d, &nobodys, &f->tables, SECOND, &query));
	denied_dns_free(d);
	fixture_free(f);
}

static void
a_sentence_names_all_that_one_needs(void **state)
{
	const struct local_pod pod = { .port = FIXTURE_POD1, .ns = "shop", .name = "web" };
	const struct build_facts facts = { .n_pods = 1, .pods = &pod };
	struct store *store = store_new();
	struct policy_builder *b = policy_builder_new(store);
	struct denied_query query = { .port = FIXTURE_POD1, .proto = PROTO_UDP, .server_port = 53 };
	const struct policy_table *t;
	char text[DENIED_DNS_TEXT_SIZE];

	put_yaml(store, "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: deny, "
			"namespace: shop}\n"
			"spec: {podSelector: {}, policyTypes: [Egress]}\n");
	assert_int_equal(policy_builder_build(b, &facts, NULL, &t), 0);
	assert_true(ip_addr_parse("fd00::53", &query.server));
	assert_string_equal(denied_dns_print(b, &query, text),
		"pod shop/web asks for names and is denied: no egress rule of shop/deny lets udp port 53 of "
		"fd00::53 pass; "
		"`ringway explain --from shop/web --to [fd00::53]:53/udp` writes one, `ringway policies "
		"lint` finds all that "
		"forget DNS");
	policy_builder_release(b, t);
	policy_builder_free(b);
	store_free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_told_until_a_rule_allows_it_or_nobody_asks),
		cmocka_unit_test(a_sentence_names_all_that_one_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
