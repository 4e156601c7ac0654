/* ringwayd as a user meets it before it runs: bad arguments, bad configuration, bad manifests, --check. The program is
 * named by RINGWAYD. */

#include "tests/support/scratch.h"

#define OUT_SIZE 16384 /* the list of options is the longest */

/* Runs ringwayd with these arguments; returns its exit status, with all it printed in out. */
static int
ringwayd(char out[OUT_SIZE], const char *arguments)
{
	return scratch_run(out, OUT_SIZE, "%s %s", getenv("RINGWAYD"), arguments);
}

static void
test_arguments(void **state)
{
	char out[OUT_SIZE];

	assert_int_equal(ringwayd(out, "--version"), 0);
	assert_int_equal(strncmp(out, "ringwayd ", 9), 0);
	assert_int_equal(ringwayd(out, "--help-config"), 0);
	assert_non_null(strstr(out, "overlay.vni"));
	assert_int_not_equal(ringwayd(out, "--nonsense"), 0);
	assert_int_not_equal(ringwayd(out, "something"), 0);
	assert_non_null(strstr(out, "\"something\": there are no arguments"));
}

static void
test_bad_configuration(void **state)
{
	char out[OUT_SIZE];

	scratch_write("bad.conf", "overlay:\n  vnii: 1\n  port: 0\n");
	assert_int_equal(ringwayd(out, "--config bad.conf --set log.level=loud"), 2);
	assert_string_equal(out, "bad.conf:2: overlay.vnii: no such option; is overlay.vni meant?\n"
				 "bad.conf:3: overlay.port: is 0, must be from 1 to 65535\n"
				 "--set log.level: must be one of: error warn info debug\n");
	assert_int_equal(ringwayd(out, "--config none.conf"), 2);
	assert_string_equal(out, "none.conf: cannot be read: No such file or directory\n");
}

#define CHECK \
	"--check --set run.dir=run --set node.name=node-a --set cluster.manifests=. --config ringway.conf"

static void
test_check(void **state)
{
	char out[OUT_SIZE];

	scratch_write("ringway.conf", "");
	assert_int_equal(ringwayd(out, CHECK), 2);
	assert_non_null(strstr(out, "there is no Node node-a; add it, or set node.name"));
	scratch_write("node.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: node-a}\n"
				   "spec: {podCIDRs: [10.244.1.0/24, 'fd00:1::/64']}\n"
				   "status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n");
	assert_int_equal(ringwayd(out, CHECK), 0);
	assert_string_equal(out, "1 file, 1 Node, 0 Namespace, 0 Pod, 0 Service, 0 EndpointSlice, 0 "
				 "NetworkPolicy, 0 ServiceCIDR: 0 errors\n");
	assert_int_equal(ringwayd(out, CHECK " --set 'cluster.podCIDRs=[10.99.0.0/16, \"fd00::/16\"]'"), 2);
	assert_string_equal(out, "node.yaml:1: Node node-a has the pod CIDR 10.244.1.0/24, which is in none "
				 "of cluster.podCIDRs\n"
				 "1 file, 1 Node, 0 Namespace, 0 Pod, 0 Service, 0 EndpointSlice, 0 "
				 "NetworkPolicy, 0 ServiceCIDR: 1 error\n");
	assert_int_equal(ringwayd(out, "--no-such-option"), 2);
	scratch_write("web.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
				  "spec:\n  clusterIP: 10.96.0\n  ports: [{port: 80}]\n");
	assert_int_equal(ringwayd(out, CHECK), 2);
	assert_string_equal(out,
		"web.yaml:5: spec.clusterIP: \"10.96.0\" is not an IP address (Service web)\n"
		"2 files, 1 Node, 0 Namespace, 0 Pod, 0 Service, 0 EndpointSlice, 0 NetworkPolicy, 0 "
		"ServiceCIDR: 1 "
		"error\n");
}

/* One source, and of an API server what is needed to ask it. */
static void
test_check_of_an_api_server(void **state)
{
	char out[OUT_SIZE];

	scratch_write("empty.conf", "");
	scratch_write("ca", "PEM");
	scratch_write("token", "abc");
	assert_int_equal(ringwayd(out, "--check --config empty.conf"), 2);
	assert_string_equal(out,
		"cluster.manifests is not set: name the directory with the cluster's manifests, or set "
		"cluster.apiServer or cluster.kubeconfig\n");
	assert_int_equal(ringwayd(out, "--check --config empty.conf --set cluster.manifests=. "
				       "--set cluster.apiServer=https://192.0.2.1"),
		2);
	assert_string_equal(out,
		"configuration: cluster.manifests: and cluster.apiServer are both set; the cluster's "
		"state comes from one of them\n");
	assert_int_equal(
		ringwayd(out, "--check --config empty.conf --set cluster.apiServer=https://192.0.2.1 "
			      "--set cluster.caFile=ca --set cluster.tokenFile=none"),
		2);
	assert_string_equal(out, "the token, none, cannot be read: No such file or directory\n");
	assert_int_equal(
		ringwayd(out, "--check --config empty.conf --set cluster.apiServer=https://192.0.2.1 "
			      "--set cluster.caFile=ca --set cluster.tokenFile=token"),
		0);
	assert_string_equal(out, "https://192.0.2.1 with a token; it was not asked: 0 errors\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_bad_configuration),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_of_an_api_server),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
