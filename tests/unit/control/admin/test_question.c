/* explain's arguments. */
#include "control/admin/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/net/headers.h"

static void
destinations_are_read(void **state)
{
	static const struct {
		const char *text;
		enum party_kind kind;
		const char *addr_or_ns, *name, *port_name;
		uint16_t port;
		uint8_t proto;
	} cases[] = {
		{ "10.96.0.10:80/tcp", PARTY_ADDRESS, "10.96.0.10", "", "", 80, PROTO_TCP },
		{ "10.96.0.10:80", PARTY_ADDRESS, "10.96.0.10", "", "", 80, PROTO_TCP },
		{ "10.96.0.10:53/UDP", PARTY_ADDRESS, "10.96.0.10", "", "", 53, PROTO_UDP },
		{ "10.244.1.2/icmp", PARTY_ADDRESS, "10.244.1.2", "", "", 0, PROTO_ICMP },
		{ "[fd00:10:96::a]:80/tcp", PARTY_ADDRESS, "fd00:10:96::a", "", "", 80, PROTO_TCP },
		{ "fd00:10:96::a/icmp", PARTY_ADDRESS, "fd00:10:96::a", "", "", 0, PROTO_ICMP },
		{ "[fd00:10:96::a]/icmp", PARTY_ADDRESS, "fd00:10:96::a", "", "", 0, PROTO_ICMP },
		{ "default/web:80/tcp", PARTY_NAME, "default", "web", "", 80, PROTO_TCP },
		{ "default/web:80", PARTY_NAME, "default", "web", "", 80, PROTO_TCP },
		{ "default/web:http", PARTY_NAME, "default", "web", "http", 0, PROTO_TCP },
		{ "kube-system/kube-dns:dns/udp", PARTY_NAME, "kube-system", "kube-dns", "dns", 0,
			PROTO_UDP },
		{ "default/web", PARTY_NAME, "default", "web", "", 0, PROTO_TCP },
		{ "default/web/icmp", PARTY_NAME, "default", "web", "", 0, PROTO_ICMP },
		{ "default/web:38412/sctp", PARTY_NAME, "default", "web", "", 38412, PROTO_SCTP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[QUESTION_ERROR_SIZE] = "", buf[IP_ADDR_STRLEN];
		struct question q;

		if (!question_parse(&q, "default/client", cases[i].text, NULL, NULL, NULL, error))
			fail_msg("%s: %s", cases[i].text, error);
		assert_int_equal(q.to.kind, cases[i].kind);
		if (q.to.kind == PARTY_ADDRESS)
			assert_string_equal(ip_addr_format(&q.to.addr, buf), cases[i].addr_or_ns);
		else
			assert_string_equal(q.to.ns, cases[i].addr_or_ns);
		assert_string_equal(q.to.name, cases[i].name);
		assert_string_equal(q.port_name, cases[i].port_name);
		assert_int_equal(q.dport, cases[i].port);
		assert_int_equal(q.proto, cases[i].proto);
		assert_int_equal(q.tcp_flags, q.proto == PROTO_TCP ? TCP_SYN : 0);
	}
}

static void
senders_are_read(void **state)
{
	char error[QUESTION_ERROR_SIZE], buf[IP_ADDR_STRLEN];
	struct question q;

	assert_true(question_parse(&q, "node", "10.0.0.1:1", NULL, NULL, NULL, error));
	assert_int_equal(q.from.kind, PARTY_NODE);
	assert_true(question_parse(&q, "a/b", "10.0.0.1:1", "33792", "SYN,ACK", "1500", error));
	assert_int_equal(q.from.kind, PARTY_NAME);
	assert_string_equal(q.from.ns, "a");
	assert_string_equal(q.from.name, "b");
	assert_int_equal(q.sport, 33792);
	assert_int_equal(q.size, 1500);
	assert_int_equal(q.tcp_flags, TCP_SYN | TCP_ACK);
	assert_true(question_parse(&q, "fd00:10:244:2::5", "[fd00::1]:1", NULL, NULL, NULL, error));
	assert_int_equal(q.from.kind, PARTY_ADDRESS);
	assert_string_equal(ip_addr_format(&q.from.addr, buf), "fd00:10:244:2::5");
	assert_true(question_parse(&q, "outside:203.0.113.9", "10.0.0.1:1", NULL, NULL, NULL, error));
	assert_int_equal(q.from.kind, PARTY_OUTSIDE);
	assert_string_equal(ip_addr_format(&q.from.addr, buf), "203.0.113.9");
	assert_true(question_parse(&q, "outside:2001:db8::9", "[fd00::1]:1", NULL, NULL, NULL, error));
	assert_string_equal(ip_addr_format(&q.from.addr, buf), "2001:db8::9");
	assert_true(question_parse(&q, "outside:[2001:db8::9]", "[fd00::1]:1", NULL, NULL, NULL, error));
	assert_int_equal(q.from.kind, PARTY_OUTSIDE);
	assert_string_equal(ip_addr_format(&q.from.addr, buf), "2001:db8::9");
}

static void
what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *from, *to, *sport, *flags, *size, *message;
	} cases[] = {
		{ "web", "10.0.0.1:80", NULL, NULL, NULL, "'web' is no sender" },
		{ "a/b/c", "10.0.0.1:80", NULL, NULL, NULL, "'a/b/c' is no sender" },
		{ "/b", "10.0.0.1:80", NULL, NULL, NULL, "'/b' is no sender" },
		{ "", "10.0.0.1:80", NULL, NULL, NULL, "no sender" },
		{ "outside", "10.0.0.1:80", NULL, NULL, NULL, "outside:ADDRESS" },
		{ "outside:", "10.0.0.1:80", NULL, NULL, NULL, "'outside:' is no sender" },
		{ "outside:web", "10.0.0.1:80", NULL, NULL, NULL, "'outside:web' is no sender" },
		{ "outside:[2001:db8::9", "10.0.0.1:80", NULL, NULL, NULL, "no sender" },
		{ "outside:[]", "10.0.0.1:80", NULL, NULL, NULL, "no sender" },
		{ "a/b", "outside:203.0.113.9:80", NULL, NULL, NULL, "no destination" },
		{ "a/b", "", NULL, NULL, NULL, "no destination" },
		{ "a/b", "10.0.0.1", NULL, NULL, NULL, "10.0.0.1:80/tcp" },
		{ "a/b", "fd00::1", NULL, NULL, NULL, "[fd00::1]:80/tcp" },
		{ "a/b", "fd00::1/udp", NULL, NULL, NULL, "no port" },
		{ "a/b", "10.0.0.1:0", NULL, NULL, NULL, "no destination" },
		{ "a/b", "10.0.0.1:65536", NULL, NULL, NULL, "no destination" },
		{ "a/b", "10.0.0.1:http", NULL, NULL, NULL, "no destination" },
		{ "a/b", "10.0.0.1:80/gre", NULL, NULL, NULL, "no destination" },
		{ "a/b", "a/b:", NULL, NULL, NULL, "no destination" },
		{ "a/b", "a/b:8x", NULL, NULL, NULL, "no destination" },
		{ "a/b", "[fd00::1:80", NULL, NULL, NULL, "no destination" },
		{ "a/b", "[fd00::1]80", NULL, NULL, NULL, "no destination" },
		{ "a/b", "10.0.0.1:80", "0", NULL, NULL, "source port '0'" },
		{ "a/b", "10.0.0.1:80", "-1", NULL, NULL, "source port '-1'" },
		{ "a/b", "10.0.0.1:80", "70000", NULL, NULL, "source port '70000'" },
		{ "a/b", "10.0.0.1:80", NULL, "SIN", NULL, "'SIN' are no TCP flags" },
		{ "a/b", "10.0.0.1:80/udp", NULL, "SYN", NULL, "not TCP" },
		{ "a/b", "10.0.0.1:80", NULL, NULL, "big", "size 'big'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[QUESTION_ERROR_SIZE] = "";
		struct question q;

		if (question_parse(&q, cases[i].from, cases[i].to, cases[i].sport, cases[i].flags,
			    cases[i].size, error))
			fail_msg("from '%s' to '%s' was taken", cases[i].from, cases[i].to);
		if (strstr(error, cases[i].message) == NULL)
			fail_msg("'%s' is not in '%s'", cases[i].message, error);
	}
}

static void
long_texts_do_no_harm(void **state)
{
	char text[2000], error[QUESTION_ERROR_SIZE];
	struct question q;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(question_parse(&q, text, "10.0.0.1:1", text, text, text, error));
	assert_false(question_parse(&q, "node", text, NULL, NULL, NULL, error));
	text[1] = '/';
	assert_false(question_parse(&q, text, "10.0.0.1:1", NULL, NULL, NULL, error));
	text[400] = ':';
	assert_false(question_parse(&q, "node", text, NULL, NULL, NULL, error));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations_are_read),
		cmocka_unit_test(senders_are_read),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(long_texts_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
