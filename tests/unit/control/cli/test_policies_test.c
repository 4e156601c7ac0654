/* `ringway policies test` on the manifests of tests/policies, as people run it. The program is run, from the path in
 * RINGWAY_COMMAND; no daemon is there. */
#include <jansson.h>
#include <sys/stat.h>

#include "control/cli/command.h"
#include "tests/support/scratch.h"

#define POLICIES SOURCE_ROOT "/tests/policies/"

static char output[65536];

/* Both streams go into output. Returns the exit status. */
static int
test(const char *manifests, const char *cases, const char *options)
{
	return scratch_run(output, sizeof(output), "%s policies test %s --manifests %s --cases %s",
		getenv("RINGWAY_COMMAND"), options, manifests, cases);
}

static void
assert_says(const char *text)
{
	if (strstr(output, text) == NULL)
		fail_msg("no '%s' in:\n%s", text, output);
}

/* What policies can say, one case each. */
static void
every_case_is_as_expected(void **state)
{
	if (test(POLICIES "manifests", POLICIES "cases.jsonl", "") != CLI_FINE)
		fail_msg("%s", output);
	assert_says(" as expected, 0 not\n");
}

static const char wrong_cases[] =
	"{\"name\": \"open\", \"from\": \"shop/db\", \"to\": \"shop/web\", \"port\": 8080, \"expected\": "
	"\"allow\"}\n"
	"{\"from\": \"shop/web\", \"to\": \"shop/api\", \"port\": \"http\", \"expected\": \"deny\"}\n"
	"\n"
	"{\"from\": \"shop/api-0\", \"to\": \"203.0.113.5\", \"protocol\": \"ICMP\", \"expected\": "
	"\"allow\"}\n"
	"{\"from\": \"shop/web\", \"to\": \"shop/api\", \"port\": 81, \"expected\": \"allow\"}\n"
	"{\"from\": \"shop/web\", \"to\": \"monitoring/prometheus\", \"port\": 81, \"expected\": \"deny\"}\n"
	"{\"from\": \"monitoring/prometheus\", \"to\": \"shop/api\", \"port\": 80, \"expected\": \"deny\"}\n"
	"{\"from\": \"monitoring/prometheus\", \"to\": \"shop/both\", \"port\": 80, \"expected\": \"deny\"}\n"
	"{\"from\": \"monitoring/prometheus\", \"to\": \"shop/both\", \"port\": 80, \"expected\": "
	"\"allow\"}\n";

static void
mismatches_are_told_with_their_reason(void **state)
{
	scratch_write("wrong.jsonl", wrong_cases);
	assert_int_equal(test(POLICIES "manifests", "wrong.jsonl", ""), CLI_PROBLEM);
	assert_says("wrong.jsonl:1: open: shop/db to shop/web, port 8080/TCP is denied, expected allow\n"
		    "    ingress of pod shop/web from ");
	assert_says(" (pod shop/db), tcp port 8080: no rule of shop/default-deny allows it\n");
	assert_says("wrong.jsonl:2: shop/web to shop/api, port http/TCP is allowed, expected deny\n");
	assert_says(" (pod shop/web), tcp port 9000: allowed by shop/api, spec.ingress[0]\n");
	assert_says(" (pod shop/web), tcp port 9100: allowed by shop/api, spec.ingress[0]\n");
	assert_says("wrong.jsonl:4: shop/api-0 to 203.0.113.5, ICMP is denied, expected allow\n"
		    "    egress of pod shop/api-0 to 203.0.113.5, icmp: no rule of shop/api-out allows it\n");
	assert_says("not by policies: port 81/tcp is not among those of shop/api: 80/tcp\n");
	assert_says("wrong.jsonl:6: shop/web to monitoring/prometheus, port 81/TCP is allowed, expected "
		    "deny\n");
	/* some let it in, others do not: neither is so */
	assert_says(
		"wrong.jsonl:8: monitoring/prometheus to shop/both, port 80/TCP is allowed at some backends, "
		"expected deny\n    ingress of pod shop/db from ");
	assert_says(
		"wrong.jsonl:9: monitoring/prometheus to shop/both, port 80/TCP is denied, expected allow\n"
		"    ingress of pod shop/web from ");
	assert_says("8 cases: 1 as expected, 7 not\n");
}

static void
json_has_an_object_for_each_case(void **state)
{
	const json_t *c;
	json_t *doc;

	scratch_write("wrong.jsonl", wrong_cases);
	assert_int_equal(test(POLICIES "manifests", "wrong.jsonl", "-o json"), CLI_PROBLEM);
	doc = json_loads(output, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(field_int(doc, "n"), 8);
	assert_int_equal(field_int(doc, "as_expected"), 1);
	assert_int_equal(field_int(doc, "not_as_expected"), 7);
	assert_int_equal(json_array_size(json_object_get(doc, "cases")), 8);
	c = json_array_get(json_object_get(doc, "cases"), 2);
	assert_int_equal(field_int(c, "line"), 4);
	assert_string_equal(field_str(c, "verdict"), "deny");
	assert_string_equal(field_str(c, "expected"), "allow");
	assert_true(json_is_null(json_object_get(c, "port")));
	assert_non_null(strstr(
		field_str(json_array_get(json_object_get(c, "advice"), 0), "yaml"), "kind: NetworkPolicy"));
	c = json_array_get(json_object_get(c, "policies"), 0);
	assert_string_equal(field_str(c, "direction"), "egress");
	c = json_array_get(json_object_get(doc, "cases"), 5);
	assert_string_equal(field_str(c, "verdict"), "deny");
	assert_true(field_bool(c, "as_expected"));
	assert_int_equal(json_array_size(json_object_get(c, "policies")), 1);
	json_decref(doc);
}

/* All of them, and nothing is judged. */
static void
bad_lines_are_all_named(void **state)
{
	scratch_write("bad.jsonl",
		"{\"from\": \"shop/web\", \"to\": \"shop/db\", \"port\": 80, \"expected\": \"allow\"}\n"
		"{\"from\": \"shop/webb\", \"to\": \"shop/db\", \"port\": 80, \"expected\": \"allow\"}\n"
		"{\"from\": \"shop/web\", \"to\": \"shop/db\", \"port\": \"http\", \"expected\": \"allow\"}\n"
		"{\"from\": \"web\", \"to\": \"shop/db\", \"port\": 80, \"expected\": \"allow\"}\n"
		"{\"from\": \"shop/web\", \"to\": \"shop/peers\", \"port\": 80, \"expected\": \"allow\"}\n"
		"{\"from\": \"shop/api\", \"to\": \"shop/web\", \"port\": 80, \"expected\": \"allow\"}\n"
		"{\"from\": \"shop/migration\", \"to\": \"shop/web\", \"port\": 80, \"expected\": "
		"\"allow\"}\n"
		"{\"from\": \"monitoring/local\", \"to\": \"2001:db8::5\", \"port\": 80, \"expected\": "
		"\"allow\"}\n"
		"{\"from\": \"shop/web\", \"to\": \"8.8.8.8\", \"port\": \"dns\", \"expected\": \"allow\"}\n"
		"{\"form\": \"shop/web\", \"to\": \"shop/db\", \"port\": 80, \"expected\": \"maybe\"}\n");
	assert_int_equal(test(POLICIES "manifests", "bad.jsonl", ""), CLI_USAGE);
	assert_null(strstr(output, "bad.jsonl:1:"));
	assert_says("bad.jsonl:2: there is no pod shop/webb in the manifests\n");
	assert_says("bad.jsonl:3: pod shop/db has no TCP port by the name \"http\"\n");
	assert_says("bad.jsonl:4: \"web\" is neither NAMESPACE/POD nor an address\n");
	assert_says("bad.jsonl:5: service shop/peers has no address of its own: name one of its pods\n");
	assert_says("bad.jsonl:6: \"from\" is a service, which sends nothing: name one of its pods\n");
	assert_says("bad.jsonl:7: pod shop/migration has ended, so it has no address\n");
	assert_says("bad.jsonl:8: one end has IPv4 only, and the other IPv6 only\n");
	assert_says("bad.jsonl:9: an address has no port by the name \"dns\": give its number\n");
	assert_says("bad.jsonl:10: \"form\" is not known here; there are name, from, to, port, protocol and "
		    "expected\n");
	assert_says("bad.jsonl:10: \"from\" is missing\n");
	assert_says("bad.jsonl:10: \"expected\" must be \"allow\" or \"deny\"\n");
	assert_null(strstr(output, "as expected"));
}

static void
errors_in_manifests_are_the_daemons(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/manifests", scratch_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	scratch_write("manifests/p.yaml", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: "
					  "{name: a, namespace: b}\nspec:\n  podSelektor: {}\n");
	scratch_write("bad.jsonl", "nonsense\n");
	assert_int_equal(test("manifests", "bad.jsonl", ""), CLI_USAGE);
	assert_says("p.yaml:5: spec.podSelektor: is not known here");
	assert_says("bad.jsonl:1: not a JSON object");
	assert_null(strstr(output, "as expected"));
	assert_int_equal(test("nowhere", "bad.jsonl", ""), CLI_USAGE);
	assert_says("nowhere: No such file or directory");
	assert_int_equal(test(POLICIES "manifests", "nothing.jsonl", ""), CLI_USAGE);
	assert_says("nothing.jsonl: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_case_is_as_expected, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(
			mismatches_are_told_with_their_reason, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(
			json_has_an_object_for_each_case, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(bad_lines_are_all_named, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(
			errors_in_manifests_are_the_daemons, scratch_make, scratch_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
