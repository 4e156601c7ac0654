/* `ringway dns test` on the manifests of tests/dns, as people run it. The program is run, from the path in RINGWAY_COMMAND; no
 * daemon is there. */
#include <jansson.h>

#include "control/cli/command.h"
#include "tests/support/scratch.h"

#define DNS SOURCE_ROOT "/tests/dns/"

static char output[65536];

/* Both streams go into output. Returns the exit status. */
static int
test(const char *cases, const char *options)
{
	return scratch_run(output, sizeof(output), "%s dns test %s --manifests %s --cases %s",
		getenv("RINGWAY_COMMAND"), options, DNS "manifests", cases);
}

static void
assert_says(const char *text)
{
	if (strstr(output, text) == NULL)
		fail_msg("no '%s' in:\n%s", text, output);
}

/* Each rule of the specification, in both families. */
static void
every_case_is_as_expected(void **state)
{
	if (test(DNS "cases.jsonl", "") != CLI_FINE)
		fail_msg("%s", output);
	assert_says(" as expected, 0 not\n");
}

static const char wrong[] =
	"{\"about\": \"the shop's\", \"pod\": \"shop/client\", \"name\": \"api\", \"type\": \"A\", "
	"\"rcode\": "
	"\"NOERROR\", \"records\": [\"10.96.1.2\"]}\n"
	"{\"name\": \"api.shop.svc.cluster.local\", \"type\": \"A\", \"rcode\": \"NXDOMAIN\"}\n"
	"\n"
	"{\"name\": \"shop.svc.cluster.local.\", \"type\": \"A\", \"rcode\": \"NOERROR\"}\n"
	"{\"pod\": \"shop/client\", \"name\": \"nope\", \"type\": \"aaaa\", \"rcode\": \"NOERROR\", "
	"\"records\": []}\n"
	"{\"name\": \"_http._tcp.idle.shop.svc.cluster.local\", \"type\": \"SRV\", \"rcode\": \"NOERROR\", "
	"\"additional\": []}\n"
	"{\"pod\": \"shop/client\", \"name\": \"www.example.com\", \"type\": \"A\", \"rcode\": "
	"\"NXDOMAIN\"}\n";

static void
mismatches_are_told(void **state)
{
	scratch_write("wrong.jsonl", wrong);
	assert_int_equal(test("wrong.jsonl", ""), CLI_PROBLEM);
	assert_says("wrong.jsonl:1: the shop's: api A is NOERROR 10.96.1.1, expected NOERROR 10.96.1.2\n");
	assert_says("wrong.jsonl:2: api.shop.svc.cluster.local A is NOERROR 10.96.1.1, expected NXDOMAIN\n");
	assert_says("wrong.jsonl:5: nope AAAA is UPSTREAM, expected NOERROR without records\n"
		    "    that was of nope., the last of 4 look-ups\n");
	assert_says("    additional: is idle.shop.svc.cluster.local. A 10.96.1.4, expected\n");
	assert_says("wrong.jsonl:7: www.example.com A is UPSTREAM, expected NXDOMAIN\n");
	assert_says("6 cases: 1 as expected, 5 not\n");
}

static void
json_has_an_object_for_each_case(void **state)
{
	const json_t *c;
	json_t *doc;

	scratch_write("wrong.jsonl", wrong);
	assert_int_equal(test("wrong.jsonl", "-o json"), CLI_PROBLEM);
	doc = json_loads(output, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(field_int(doc, "n"), 6);
	assert_int_equal(field_int(doc, "as_expected"), 1);
	assert_int_equal(field_int(doc, "not_as_expected"), 5);
	c = json_array_get(json_object_get(doc, "cases"), 0);
	assert_int_equal(field_int(c, "line"), 1);
	assert_string_equal(field_str(c, "rcode"), "NOERROR");
	assert_string_equal(field_str(c, "answered"), "api.shop.svc.cluster.local.");
	assert_int_equal(field_int(c, "lookups"), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(c, "records"), 0)), "10.96.1.1");
	assert_false(field_bool(c, "as_expected"));
	json_decref(doc);
}

/* All of them, and nothing is asked. */
static void
bad_lines_are_all_named(void **state)
{
	scratch_write("bad.jsonl",
		"{\"name\": \"a\", \"type\": \"A\", \"rcode\": \"NOERROR\"}\n"
		"{\"name\": \"a\", \"type\": \"B\", \"rcode\": \"NOERROR\"}\n"
		"{\"name\": \"a\", \"type\": \"AXFR\", \"rcode\": \"NOERROR\"}\n"
		"{\"name\": \"a\", \"type\": \"TYPE252\", \"rcode\": \"NOERROR\"}\n"
		"{\"name\": \"a\", \"type\": \"A\", \"rcode\": \"SERVFAIL\"}\n"
		"{\"type\": \"A\", \"rcode\": \"NOERROR\", \"pods\": 1}\n"
		"{\"name\": \"a\", \"type\": \"A\", \"rcode\": \"NOERROR\", \"records\": \"x\"}\n"
		"[]\n");
	assert_int_equal(test("bad.jsonl", ""), CLI_USAGE);
	assert_says("bad.jsonl:2: \"type\" is \"B\", which is no type of records");
	assert_says("bad.jsonl:3: \"type\" is \"AXFR\"");
	assert_says("bad.jsonl:4: \"type\" is none that a pod asks for\n");
	assert_says("bad.jsonl:5: \"rcode\" must be \"NOERROR\", \"NXDOMAIN\" or \"UPSTREAM\"\n");
	assert_says("bad.jsonl:6: \"pods\" is not known here");
	assert_says("bad.jsonl:6: \"name\" is missing\n");
	assert_says("bad.jsonl:7: \"records\" must be a list\n");
	assert_says("bad.jsonl:8: must be a JSON object\n");
	assert_null(strstr(output, "as expected"));
	scratch_write("bad.jsonl",
		"{\"name\": \"a..b\", \"type\": \"A\", \"rcode\": \"NOERROR\"}\n"
		"{\"pod\": \"shop/none\", \"name\": \"a\", \"type\": \"A\", \"rcode\": \"NOERROR\"}\n"
		"{\"pod\": \"client\", \"name\": \"a\", \"type\": \"A\", \"rcode\": \"NOERROR\"}\n");
	assert_int_equal(test("bad.jsonl", ""), CLI_USAGE);
	assert_says("bad.jsonl:1: that is no name: a..b\n");
	assert_says("bad.jsonl:2: there is no pod shop/none\n");
	assert_says("bad.jsonl:3: \"pod\" must be NAMESPACE/POD, not client\n");
	assert_int_equal(test("missing.jsonl", ""), CLI_USAGE);
	assert_says("missing.jsonl: No such file or directory\n");
}

static const char pods[] =
	"{\"name\": \"10-244-1-5.shop.pod.cluster.local\", \"type\": \"A\", \"rcode\": \"%s\"}\n"
	"{\"name\": \"fd00-10-244--5.shop.pod.cluster.local\", \"type\": \"AAAA\", \"rcode\": \"%s\"}\n"
	"{\"name\": \"10-244-1-6.shop.pod.cluster.local\", \"type\": \"A\", \"rcode\": \"NXDOMAIN\"}\n"
	"{\"name\": \"10-244-1-6.data.pod.cluster.local\", \"type\": \"A\", \"rcode\": \"%s\"}\n"
	"{\"name\": \"shop.pod.cluster.local\", \"type\": \"A\", \"rcode\": \"%s\"}\n"
	"{\"name\": \"pod.cluster.local\", \"type\": \"A\", \"rcode\": \"%s\"}\n";

static void
pod_records_are_verified_or_disabled(void **state)
{
	char text[2048];

	snprintf(text, sizeof(text), pods, "NOERROR", "NOERROR", "NOERROR", "NOERROR", "NOERROR");
	scratch_write("pods.jsonl", text);
	if (test("pods.jsonl", "--pod-records verified") != CLI_FINE)
		fail_msg("%s", output);
	snprintf(text, sizeof(text), pods, "NXDOMAIN", "NXDOMAIN", "NXDOMAIN", "NXDOMAIN", "NXDOMAIN");
	scratch_write("pods.jsonl", text);
	if (test("pods.jsonl", "--pod-records disabled") != CLI_FINE)
		fail_msg("%s", output);
	assert_int_equal(test("pods.jsonl", "--pod-records some"), CLI_USAGE);
	assert_says("pod records are insecure, verified or disabled, not 'some'");
}

static void
the_zone_may_have_another_name(void **state)
{
	scratch_write("zone.jsonl",
		"{\"pod\": \"shop/client\", \"name\": \"api\", \"type\": \"A\", \"rcode\": \"NOERROR\", "
		"\"records\": "
		"[\"10.96.1.1\"]}\n"
		"{\"name\": \"1.1.96.10.in-addr.arpa\", \"type\": \"PTR\", \"rcode\": \"NOERROR\", "
		"\"records\": "
		"[\"api.shop.svc.k8s.example.org.\"]}\n"
		"{\"name\": \"api.shop.svc.cluster.local\", \"type\": \"A\", \"rcode\": \"UPSTREAM\"}\n");
	if (test("zone.jsonl", "--zone K8s.example.org.") != CLI_FINE)
		fail_msg("%s", output);
	assert_int_equal(test("zone.jsonl", "--zone a..b"), CLI_USAGE);
	assert_says("a..b: no zone can have this name\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_is_as_expected),
		cmocka_unit_test(mismatches_are_told),
		cmocka_unit_test(json_has_an_object_for_each_case),
		cmocka_unit_test(bad_lines_are_all_named),
		cmocka_unit_test(pod_records_are_verified_or_disabled),
		cmocka_unit_test(the_zone_may_have_another_name),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
