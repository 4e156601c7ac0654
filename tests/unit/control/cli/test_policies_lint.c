/* `ringway policies lint` on a directory, as people run it: the program, from the path in RINGWAY_COMMAND; no daemon is there. What
 * it finds is for tests/unit/control/lint to try. */
#include <jansson.h>

#include "control/cli/command.h"
#include "tests/support/scratch.h"

static char output[16384];

/* Both streams go into output. Returns the exit status. */
static int
lint(const char *options)
{
	return scratch_run(output, sizeof(output), "%s policies lint --manifests . %s",
		getenv("RINGWAY_COMMAND"), options);
}

static void
it_needs_no_daemon_and_tells_by_its_exit_status(void **state)
{
	json_t *doc;

	scratch_write("web.yaml",
		"kind: Pod\napiVersion: v1\nmetadata: {name: web, namespace: shop, labels: {app: web}}\n"
		"spec: {containers: [{name: c}]}\n---\n"
		"kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: a, namespace: "
		"shop}\n"
		"spec: {podSelector: {matchLabels: {app: web}}, egress: [{}]}\n");
	assert_int_equal(lint(""), CLI_FINE);
	assert_string_equal(output, "nothing was found\n");
	scratch_write("more.yaml",
		"kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: b, namespace: "
		"shop}\n"
		"spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: wed}}}]}]}\n");
	assert_int_equal(lint(""), CLI_PROBLEM);
	assert_string_equal(output, "shop/b, ingress rule 0: from[0]: podSelector app=wed matches 0 of the 1 "
				    "pods in namespace shop; "
				    "nearest is app=web\n    mend the labels in the podSelector; without a "
				    "namespaceSelector it looks in "
				    "the policy's own namespace alone\n");
	assert_int_equal(lint("-o json"), CLI_PROBLEM);
	doc = json_loads(output, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(doc, "findings")), 1);
	json_decref(doc);
	scratch_write("more.yaml",
		"kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: b, "
		"namespace: shop}\n"
		"spec: {podSelector: {}, ingress: [{ports: [{port: 9, endPort: 8}]}]}\n");
	assert_int_equal(lint(""), CLI_USAGE);
	assert_non_null(strstr(output, "endPort: is 8, before port 9"));
	assert_int_equal(lint("--manifests none"), CLI_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_needs_no_daemon_and_tells_by_its_exit_status, scratch_make, scratch_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
