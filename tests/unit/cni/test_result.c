/* Results per version, and what the daemon's answer must be for them. */
#include "cni/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cni/agent.h"

static const char reply_text[] = "{\"link\":\"rw0123456789\",\"mac\":\"02:0a:0b:0c:0d:0e\",\"nodeMac\":\"02:"
				 "72:77:00:00:01\",\"mtu\":1450,"
				 "\"addresses\":[{\"address\":\"10.244.1.8\",\"gateway\":\"169.254.1.1\"},"
				 "{\"address\":\"fd00:10:244:1::8\",\"gateway\":\"fe80::1\"}],"
				 "\"sysctls\":{\"net/ipv4/ip_local_port_range\":\"33792 "
				 "49151\"},\"featuresOff\":[\"tx-udp-segmentation\"],"
				 "\"attached\":true}";

static struct netconf
netconf(const char *version)
{
	struct netconf n = { .ifname = "eth0", .netns = "/run/netns/x" };

	snprintf(n.version, sizeof(n.version), "%s", version);
	return n;
}

static void
test_the_result_has_the_shape_of_its_version(void **state)
{
#define OLD_IPS                                                                \
	"\"ips\":[{\"address\":\"10.244.1.8/"                                  \
	"32\",\"gateway\":\"169.254.1.1\",\"interface\":1,\"version\":\"4\"}," \
	"{\"address\":\"fd00:10:244:1::8/128\",\"gateway\":\"fe80::1\",\"interface\":1,\"version\":\"6\"}]"
#define NEW_IPS                                                                                 \
	"\"ips\":[{\"address\":\"10.244.1.8/32\",\"gateway\":\"169.254.1.1\",\"interface\":1}," \
	"{\"address\":\"fd00:10:244:1::8/128\",\"gateway\":\"fe80::1\",\"interface\":1}]"
#define REST                                                                        \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"169.254.1.1\"},{\"dst\":\"::/" \
	"0\",\"gw\":\"fe80::1\"}],\"dns\":{}"
#define IFS(MTU)                                                                            \
	"\"interfaces\":[{\"name\":\"rw0123456789\",\"mac\":\"02:72:77:00:00:01\"" MTU "}," \
	"{\"name\":\"eth0\",\"mac\":\"02:0a:0b:0c:0d:0e\",\"sandbox\":\"/run/netns/x\"" MTU "}]"
	static const struct {
		const char *version, *expected;
	} cases[] = {
		{ "0.3.1", "{\"cniVersion\":\"0.3.1\"," IFS("") "," OLD_IPS "," REST "}" },
		{ "0.4.0", "{\"cniVersion\":\"0.4.0\"," IFS("") "," OLD_IPS "," REST "}" },
		{ "1.0.0", "{\"cniVersion\":\"1.0.0\"," IFS("") "," NEW_IPS "," REST "}" },
		{ "1.1.0", "{\"cniVersion\":\"1.1.0\"," IFS(",\"mtu\":1450") "," NEW_IPS "," REST "}" },
	};
	json_t *reply = json_loads(reply_text, 0, NULL);
	struct cni_error e = { CNI_OK };
	struct wiring w;

	assert_int_equal(wiring_decode(&w, reply, &e), CNI_OK);
	assert_true(w.is_attached);
	assert_int_equal(w.mac[5], 0x0e);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct netconf n = netconf(cases[i].version);
		json_t *result = result_new(&n, &w), *expected = json_loads(cases[i].expected, 0, NULL);

		assert_non_null(expected);
		if (!json_equal(result, expected))
			fail_msg("%s: %s", cases[i].version, json_dumps(result, 0));
		json_decref(result);
		json_decref(expected);
	}
	json_decref(reply);
}

static void
test_answers_that_lack_something_are_refused(void **state)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "link", "\"\"" },
		{ "link", "\"abcdefghijklmnop\"" },
		{ "mac", "\"02:0a\"" },
		{ "nodeMac", "5" },
		{ "mtu", "0" },
		{ "mtu", "70000" },
		{ "addresses", "[]" },
		{ "addresses", "[{\"address\":\"10.1.1.1\"}]" },
		{ "addresses", "[{\"address\":\"10.1.1\",\"gateway\":\"169.254.1.1\"}]" },
		{ "addresses", "[{\"address\":\"fd00::1\",\"gateway\":\"169.254.1.1\"}]" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *reply = json_loads(reply_text, 0, NULL);
		struct cni_error e = { CNI_OK };
		struct wiring w;

		json_object_set_new(reply, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		if (wiring_decode(&w, reply, &e) != CNI_DECODE_FAILURE)
			fail_msg("%s: %s was taken", cases[i].key, cases[i].value);
		json_decref(reply);
	}
}

static void
test_check_compares_with_the_earlier_result(void **state)
{
	static const struct {
		const char *prev;
		enum cni_code code;
		const char *says;
	} cases[] = {
		{ "{\"interfaces\":[{\"name\":\"rw0\"},{\"name\":\"eth0\"}],\"ips\":[{\"address\":\"10.244.1."
		  "8/32\"},"
		  "{\"address\":\"fd00:10:244:1::8/128\"}]}",
			CNI_OK, "" },
		{ "{\"interfaces\":[{\"name\":\"eth1\"}],\"ips\":[{\"address\":\"10.244.1.8/32\"}]}",
			CNI_CHECK_MISMATCH, "eth0" },
		{ "{\"interfaces\":[{\"name\":\"eth0\"}],\"ips\":[{\"address\":\"10.244.1.8/32\"}]}",
			CNI_CHECK_MISMATCH, "fd00:10:244:1::8" },
		{ "{\"interfaces\":[{\"name\":\"eth0\"}],\"ips\":[{\"address\":\"10.244.1.80/32\"}]}",
			CNI_CHECK_MISMATCH, "10.244.1.8" },
		{ "{}", CNI_CHECK_MISMATCH, "eth0" },
		{ "{\"interfaces\":7,\"ips\":{}}", CNI_CHECK_MISMATCH, "eth0" },
	};
	json_t *reply = json_loads(reply_text, 0, NULL);
	struct cni_error ignored = { CNI_OK };
	struct wiring w;

	wiring_decode(&w, reply, &ignored);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct netconf n = netconf("1.0.0");
		struct cni_error e = { CNI_OK };

		n.config = json_loads(cases[i].prev, 0, NULL);
		n.prev_result = n.config;
		assert_int_equal(result_compare(&n, &w, &e), cases[i].code);
		assert_non_null(strstr(e.msg, cases[i].says));
		netconf_fini(&n);
	}
	json_decref(reply);
}

static void
test_errors_and_versions(void **state)
{
	struct cni_error e = { CNI_OK };
	json_t *printed, *expected;

	cni_fail(&e, CNI_TRY_AGAIN, "look", "not %s", "now");
	printed = result_error("0.4.0", &e);
	expected = json_loads(
		"{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"not now\",\"details\":\"look\"}", 0, NULL);
	assert_true(json_equal(printed, expected));
	json_decref(printed);
	json_decref(expected);
	cni_fail(&e, CNI_BAD_ENVIRONMENT, NULL, "CNI_IFNAME \"\xff\xfe\" is wrong");
	printed = result_error("0.4.0", &e);
	assert_int_equal(json_integer_value(json_object_get(printed, "code")), 4);
	json_decref(printed);
	printed = result_versions("");
	expected = json_loads(
		"{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}",
		0, NULL);
	assert_true(json_equal(printed, expected));
	json_decref(printed);
	json_decref(expected);
}

static void
test_replies_of_http(void **state)
{
	static const struct {
		const char *text;
		bool is_whole;
		unsigned status;
		const char *body;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true, 200, "{}" },
		{ "HTTP/1.1 503 Busy\r\nX: y\r\ncontent-length: 3\r\n\r\nabcdef", true, 503, "abc" },
		{ "HTTP/1.0 404 No\r\n\r\nrest", true, 404, "rest" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", false },
		{ "HTTP/1.1 x\r\n\r\n", false },
		{ "SSH-2.0-whatever\r\n\r\n", false },
		{ "", false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *body;
		size_t size;
		unsigned status;
		bool is_whole =
			agent_reply_split(cases[i].text, strlen(cases[i].text), &status, &body, &size);

		assert_int_equal(is_whole, cases[i].is_whole);
		if (!is_whole)
			continue;
		assert_int_equal(status, cases[i].status);
		assert_int_equal(size, strlen(cases[i].body));
		assert_memory_equal(body, cases[i].body, size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_result_has_the_shape_of_its_version),
		cmocka_unit_test(test_answers_that_lack_something_are_refused),
		cmocka_unit_test(test_check_compares_with_the_earlier_result),
		cmocka_unit_test(test_errors_and_versions),
		cmocka_unit_test(test_replies_of_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
