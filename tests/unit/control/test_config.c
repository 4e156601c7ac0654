#include "control/config.h"
#include "control/build/dns_build.h"
#include "control/config_check.h"
#include "control/config_options.h"
#include "control/model/object.h"
#include "xdp/loader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/source/text_file.h"

/* Reads text over the defaults; returns what was complained about, for the caller to free. */
static char *
read_text(struct config *c, const char *text)
{
	char *said = NULL;
	size_t size;
	FILE *errors = open_memstream(&said, &size);
	int n_errors;

	assert_int_equal(config_init(c), 0);
	n_errors = config_read_text(c, "t.yaml", text, strlen(text), errors);
	n_errors += config_check(c, errors);
	fclose(errors);
	assert_int_equal(n_errors != 0, *said != '\0');
	return said;
}

static void
test_defaults(void **state)
{
	struct config c;
	char *said = read_text(&c, "");

	assert_string_equal(said, "");
	assert_int_equal(c.overlay.port, 4789);
	assert_int_equal(c.pods.xdp, XDP_CHOICE_AUTO);
	assert_int_equal(c.log.level, 2);
	assert_int_equal(c.policy.mode, POLICY_MODE_ENFORCE);
	assert_string_equal(c.run.dir, "/run/ringway");
	assert_int_equal(c.dns.mode, DNS_MODE_ON);
	assert_int_equal(c.dns.local_addresses.n, 1);
	assert_string_equal(c.dns.local_addresses.items[0], "169.254.20.10");
	assert_int_equal(c.workers.cpus.n, 0);
	assert_true(c.node.name[0] != '\0');
	free(said);
	config_fini(&c);
}

static void
test_everything_is_read(void **state)
{
	struct config c;
	char *said = read_text(&c, "node: {name: node-a}\n"
				   "overlay.vni: 7\n"
				   "overlay:\n"
				   "  port: 8472\n"
				   "cluster:\n"
				   "  podCIDRs: [10.244.0.0/16, 'fd00::/48']\n"
				   "pods:\n"
				   "  xdp: skb\n"
				   "  framesPerShard: 0x2000\n"
				   "workers: {cpus: [0]}\n"
				   "log: {level: debug}\n"
				   "policy: {mode: audit}\n"
				   "dns: {mode: off, podRecords: verified, localAddresses: []}\n"
				   "io:\n");

	assert_string_equal(said, "");
	assert_string_equal(c.node.name, "node-a");
	assert_int_equal(c.overlay.vni, 7);
	assert_int_equal(c.overlay.port, 8472);
	assert_int_equal(c.cluster.pod_cidrs.n, 2);
	assert_string_equal(c.cluster.pod_cidrs.items[1], "fd00::/48");
	assert_int_equal(c.pods.xdp, XDP_CHOICE_SKB);
	assert_int_equal(c.pods.frames_per_shard, 8192);
	assert_string_equal(c.workers.cpus.items[0], "0");
	assert_int_equal(c.log.level, 3);
	assert_int_equal(c.policy.mode, POLICY_MODE_AUDIT);
	assert_int_equal(c.dns.mode, DNS_MODE_OFF);
	assert_int_equal(c.dns.pod_records, DNS_PODS_VERIFIED);
	assert_int_equal(c.dns.local_addresses.n, 0);
	free(said);
	config_fini(&c);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "overlay:\n  vnii: 7\n",
			"t.yaml:2: overlay.vnii: no such option; is overlay.vni meant?\n" },
		{ "pods.framespershard: 7\n",
			"t.yaml:1: pods.framespershard: no such option; is pods.framesPerShard meant?\n" },
		{ "colour: red\n", "t.yaml:1: colour: no such option; ringwayd --help-config lists them\n" },
		{ "overlay: 7\n", "t.yaml:1: overlay: is a section: its options go below it, indented\n" },
		{ "overlay.port: 0\n", "t.yaml:1: overlay.port: is 0, must be from 1 to 65535\n" },
		{ "overlay.port: -1\n", "t.yaml:1: overlay.port: is -1, must be from 1 to 65535\n" },
		{ "overlay.port: '4789'\n",
			"t.yaml:1: overlay.port: must be a whole number from 1 to 65535\n" },
		{ "io.ringSize: 3000\n",
			"t.yaml:1: io.ringSize: is 3000, must be a power of two, such as 2048\n" },
		{ "log.level: loud\n", "t.yaml:1: log.level: must be one of: error warn info debug\n" },
		{ "log.level: warn info\n", "t.yaml:1: log.level: must be one of: error warn info debug\n" },
		{ "policy.mode: off\n", "t.yaml:1: policy.mode: must be one of: enforce audit\n" },
		{ "workers.cpus: 1\n", "t.yaml:1: workers.cpus: must be a list, such as [a, b]\n" },
		{ "node.name: yes\n", "t.yaml:1: node.name: must be text; quote it\n" },
		{ "cluster: {podCIDRs: [10.0.0.0]}\n", "configuration: cluster.podCIDRs: \"10.0.0.0\" is not "
						       "a network, such as 10.244.0.0/16 or "
						       "fd00:10:244::/48\n" },
		{ "workers.cpus: [0, 0]\n", "configuration: workers.cpus: core 0 is given twice\n" },
		{ "cluster: {podCIDRs: [10.0.0.0/8, 'fd00::/48'], serviceCIDRs: [10.96.0.0/16, "
		  "'fd01::/112']}\n",
			"configuration: cluster.serviceCIDRs: 10.96.0.0/16 overlaps with 10.0.0.0/8 of "
			"cluster.podCIDRs\n" },
		{ "overlay.mtu: 1000\n", "configuration: overlay.mtu: is 1000, must be 0 or at least 1280, "
					 "which IPv6 needs\n" },
		{ "masquerade.ports: 16384-16400\n", "configuration: masquerade.ports: \"16384-16400\" is no "
						     "range of ports with a whole block of "
						     "64, such as 16384-29951\n" },
		{ "masquerade: {flows: 64, flowsPerPod: 65}\n",
			"configuration: masquerade.flowsPerPod: is 65, above masquerade.flows (64)\n" },
		{ "dns: {zone: ., localAddresses: [192.0.2.1]}\n",
			"configuration: dns.zone: \".\" is no name that a zone can have, such as "
			"cluster.local\n"
			"configuration: dns.localAddresses: 192.0.2.1 is neither link-local (169.254.0.0/16) "
			"nor "
			"unique local (fc00::/7)\n" },
		{ "dns.mode: maybe\n", "t.yaml:1: dns.mode: must be one of: on off shadow\n" },
		{ "host.interface: a/b\n",
			"configuration: host.interface: \"a/b\" is no name for an interface\n" },
		{ "- a\n", "t.yaml:1: must be a mapping, such as \"overlay: {vni: 1}\"\n" },
		{ "a: 1\n---\nb: 2\n", "t.yaml:3: a second document; the configuration is one\n" },
		/* all that is wrong, not only the first */
		{ "overlay.vni: x\nlog.level: 7\n",
			"t.yaml:1: overlay.vni: must be a whole number from 0 to 16777215\n"
			"t.yaml:2: log.level: must be one of: error warn info debug\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c;
		char *said = read_text(&c, cases[i].text);

		assert_string_equal(said, cases[i].said);
		free(said);
		config_fini(&c);
	}
}

static void
test_set(void **state)
{
	struct config c;
	char *said = NULL;
	size_t size;
	FILE *errors = open_memstream(&said, &size);

	assert_int_equal(config_init(&c), 0);
	assert_int_equal(config_set(&c, "metrics.listen=:1", errors), 0);
	assert_int_equal(config_set(&c, "cluster.podCIDRs=[10.0.0.0/8, \"fd00::/48\"]", errors), 0);
	assert_int_equal(config_set(&c, "overlay.vni=9", errors), 0);
	assert_int_equal(config_set(&c, "overlay.vni=x", errors), 1);
	assert_int_equal(config_set(&c, "overlay.vni", errors), 1);
	assert_int_equal(config_set(&c, "overlay.vnj=1", errors), 1);
	fclose(errors);
	assert_string_equal(c.metrics.listen, ":1");
	assert_int_equal(c.cluster.pod_cidrs.n, 2);
	assert_int_equal(c.overlay.vni, 9);
	assert_string_equal(said, "--set overlay.vni: must be a whole number from 0 to 16777215\n"
				  "--set overlay.vni: must be KEY=VALUE\n"
				  "--set overlay.vnj: no such option; is overlay.vni meant?\n");
	free(said);
	config_fini(&c);
}

static void
test_example_is_good(void **state)
{
	struct config c;

	assert_int_equal(config_init(&c), 0);
	assert_int_equal(config_read(&c, SOURCE_ROOT "/conf/ringway.yaml", stderr), 0);
	assert_int_equal(config_check(&c, stderr), 0);
	config_fini(&c);
}

static void
test_reference_is_current(void **state)
{
	char *printed = NULL, *checked_in;
	size_t size, file_size;
	FILE *out = open_memstream(&printed, &size);

	config_help_markdown(out);
	fclose(out);
	assert_int_equal(text_file_read(SOURCE_ROOT "/conf/OPTIONS.md", 1 << 20, &checked_in, &file_size), 0);
	/* when this fails: ringwayd --help-config=markdown > conf/OPTIONS.md */
	assert_string_equal(checked_in, printed);
	free(printed);
	free(checked_in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything_is_read),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_example_is_good),
		cmocka_unit_test(test_reference_is_current),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
