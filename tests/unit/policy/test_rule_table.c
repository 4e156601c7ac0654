/* Compiled rules against the rules themselves, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/identity_table.h"
#include "dataplane/policy/rule_table.h"

#define PORTS_PER_RULE 3

static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_ICMP, 47 };

/* A set of rules and what they are made of. */
struct rules {
	unsigned n, n_identities;
	struct rule *rules;
	struct rule_ports *ports;
	uint64_t *peers;
};

static void
rules_free(struct rules *r)
{
	free(r->rules);
	free(r->ports);
	free(r->peers);
}

/* Few ports, so that ranges overlap and packets hit them; the ends of the range now and then. */
static uint16_t
random_port(void)
{
	switch (rand() % 10) {
	case 0:
		return 0;
	case 1:
		return UINT16_MAX;
	default:
		return (uint16_t)(1000 + rand() % 40);
	}
}

/* peers: how many of the identities a rule has, more or less. */
static struct rules
random_rules(unsigned n, unsigned n_identities, unsigned n_peers)
{
	unsigned n_words = (n_identities + 63) / 64;
	struct rules r = {
		.n = n,
		.n_identities = n_identities,
		.rules = calloc(n + 1, sizeof(*r.rules)),
		.ports = calloc((size_t)n * PORTS_PER_RULE + 1, sizeof(*r.ports)),
		.peers = calloc((size_t)n * n_words + 1, sizeof(*r.peers)),
	};

	for (unsigned i = 0; i < n; i++) {
		struct rule *rule = &r.rules[i];
		uint64_t *peers = &r.peers[(size_t)i * n_words];

		rule->id = i + 7;
		rule->n_ports = (unsigned)rand() % (PORTS_PER_RULE + 1);
		rule->ports = &r.ports[(size_t)i * PORTS_PER_RULE];
		for (unsigned k = 0; k < rule->n_ports; k++) {
			uint16_t a = random_port(), b = rand() % 2 ? a : random_port();

			r.ports[i * PORTS_PER_RULE + k] = (struct rule_ports){
				protos[rand() % 3],
				a < b ? a : b,
				a < b ? b : a,
			};
		}
		if (rand() % 20 == 0)
			continue;
		rule->peers = peers;
		for (unsigned k = 0; k < n_peers; k++) {
			unsigned identity = (unsigned)rand() % n_identities;

			peers[identity / 64] |= UINT64_C(1) << identity % 64;
		}
	}
	return r;
}

static bool
fits_peer(const struct rules *r, const struct rule *rule, unsigned identity)
{
	if (rule->peers == NULL)
		return true;
	if (identity == IDENTITY_OTHER || identity >= r->n_identities)
		return false;
	return rule->peers[identity / 64] >> identity % 64 & 1;
}

static bool
fits_port(const struct rule *rule, uint8_t proto, uint16_t port)
{
	for (unsigned i = 0; i < rule->n_ports; i++)
		if (rule->ports[i].proto == proto && rule->ports[i].first <= port &&
			port <= rule->ports[i].last)
			return true;
	return rule->n_ports == 0;
}

static int
scan(const struct rules *r, unsigned identity, uint8_t proto, uint16_t port)
{
	for (unsigned i = 0; i < r->n; i++)
		if (fits_peer(r, &r->rules[i], identity) && fits_port(&r->rules[i], proto, port))
			return (int)i;
	return -1;
}

static void
compare(unsigned n_rules, unsigned n_identities, unsigned n_peers, unsigned n_questions)
{
	struct rules r = random_rules(n_rules, n_identities, n_peers);
	struct rule_table *t;

	assert_int_equal(rule_table_new(&t, r.rules, r.n, n_identities), 0);
	for (unsigned i = 0; i < n_questions; i++) {
		/* some beyond what the table was made for */
		uint16_t identity = (uint16_t)((unsigned)rand() % (n_identities + 2));
		uint8_t proto = protos[(unsigned)rand() % sizeof(protos)];
		uint16_t port = random_port();
		int got = rule_table_match(t, identity, proto, port);

		assert_int_equal(got, scan(&r, identity, proto, port));
		if (got >= 0)
			assert_int_equal(t->ids[got], got + 7);
	}
	rule_table_free(t);
	rules_free(&r);
}

static void
agrees_with_a_scan_of_the_rules(void **state)
{
	static const unsigned n_rules[] = { 0, 1, 2, 20, 63, 64, 65, 128, 1000, 4096, 4097, 9000 };

	srand(1);
	for (unsigned i = 0; i < sizeof(n_rules) / sizeof(n_rules[0]); i++) {
		compare(n_rules[i], 1, 1, 1000);
		compare(n_rules[i], 30, 4, 3000);
		compare(n_rules[i], 5000, 4, 3000);
	}
	for (unsigned i = 0; i < 200; i++)
		compare((unsigned)rand() % 10, 1 + (unsigned)rand() % 8, 4, 200);
}

/* More than the smallest units can number: each identity has a vector of its own, with bits in all words. */
static void
long_vectors_of_many_identities_have_numbers(void **state)
{
	srand(2);
	compare(300, 20000, 10000, 20000);
	compare(5000, 3000, 1500, 20000);
}

static void
no_rules_admit_nothing(void **state)
{
	struct rule_table *t;

	assert_int_equal(rule_table_new(&t, NULL, 0, 1), 0);
	assert_int_equal(rule_table_match(t, IDENTITY_OTHER, PROTO_TCP, 80), -1);
	assert_int_equal(rule_table_match(t, IDENTITY_OTHER, PROTO_ICMP, 0), -1);
	rule_table_free(t);
	rule_table_free(NULL);
}

static void
a_rule_with_ports_admits_no_protocol_without(void **state)
{
	const struct rule_ports all[] = { { PROTO_TCP, 0, 65535 }, { PROTO_UDP, 0, 65535 },
		{ PROTO_SCTP, 0, 65535 } };
	const struct rule rules[] = { { .ports = all, .n_ports = 3 } };
	struct rule_table *t;

	assert_int_equal(rule_table_new(&t, rules, 1, 1), 0);
	assert_int_equal(rule_table_match(t, 5, PROTO_TCP, 0), 0);
	assert_int_equal(rule_table_match(t, 5, PROTO_SCTP, 65535), 0);
	assert_int_equal(rule_table_match(t, 5, PROTO_ICMP, 0), -1);
	assert_int_equal(rule_table_match(t, 5, PROTO_ICMPV6, 0), -1);
	rule_table_free(t);
}

static void
equal_vectors_are_kept_once(void **state)
{
	struct rules r = random_rules(1, 20000, 4);
	const struct rule_ports web = { PROTO_TCP, 80, 80 };
	struct rule *many = calloc(1000, sizeof(*many));
	struct rule_table *t;

	/* the same peers for all, the same port for half of them */
	for (unsigned i = 0; i < 1000; i++)
		many[i] = (struct rule){ .peers = r.peers, .ports = &web, .n_ports = i % 2 };
	assert_int_equal(rule_table_new(&t, many, 1000, 20000), 0);
	assert_int_equal(t->n_vectors, 3);
	rule_table_free(t);
	free(many);
	rules_free(&r);
}

static void
nonsense_is_refused(void **state)
{
	const struct rule_ports backwards = { PROTO_TCP, 81, 80 }, icmp = { PROTO_ICMP, 0, 0 };
	struct rule rule = { .ports = &backwards, .n_ports = 1 };
	struct rule_table *t = NULL;

	assert_int_equal(rule_table_new(&t, &rule, 1, 1), -EINVAL);
	rule.ports = &icmp;
	assert_int_equal(rule_table_new(&t, &rule, 1, 1), -EINVAL);
	assert_int_equal(rule_table_new(&t, &rule, RULES_MAX + 1, 1), -E2BIG);
	assert_int_equal(rule_table_new(&t, &rule, 1, IDENTITIES_MAX + 1), -E2BIG);
	assert_null(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_scan_of_the_rules),
		cmocka_unit_test(long_vectors_of_many_identities_have_numbers),
		cmocka_unit_test(no_rules_admit_nothing),
		cmocka_unit_test(a_rule_with_ports_admits_no_protocol_without),
		cmocka_unit_test(equal_vectors_are_kept_once),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
