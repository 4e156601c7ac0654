#include "cni/netconf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The environment of the case in hand. */
static struct {
	const char *command, *container, *netns, *ifname, *args;
} environment;

static const char *
lookup(const char *name)
{
	const struct {
		const char *name, *value;
	} variables[] = {
		{ "CNI_COMMAND", environment.command },
		{ "CNI_CONTAINERID", environment.container },
		{ "CNI_NETNS", environment.netns },
		{ "CNI_IFNAME", environment.ifname },
		{ "CNI_ARGS", environment.args },
	};

	for (unsigned i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	return NULL;
}

#define CONF "{\"cniVersion\":\"1.0.0\",\"name\":\"ringway\",\"type\":\"ringway-cni\"}"
#define LONG_16 "abcdefghijklmnop"
#define LONG_64 LONG_16 LONG_16 LONG_16 LONG_16

static void
test_bad_input_is_refused_with_the_right_code(void **state)
{
	static const struct {
		const char *command, *container, *netns, *ifname, *args, *config;
		enum cni_code code;
		const char *says;
	} cases[] = {
		{ NULL, "c1", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "CNI_COMMAND is not set" },
		{ "", "c1", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "CNI_COMMAND is not set" },
		{ "add", "c1", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "\"add\" is not supported" },
		{ "GC", "c1", "/n", "eth0", NULL, CONF, CNI_VERSION_UNSUPPORTED,
			"GC came with cniVersion 1.1.0" },
		{ "ADD", NULL, "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "CNI_CONTAINERID is not set" },
		{ "ADD", "", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "CNI_CONTAINERID is not set" },
		{ "ADD", "../x", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "not a container id" },
		{ "ADD", "-c1", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "not a container id" },
		{ "ADD", LONG_64 LONG_64 "x", "/n", "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT,
			"not a container id" },
		{ "ADD", "c1", NULL, "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT, "CNI_NETNS is not set" },
		{ "CHECK", "c1", "", "eth0", NULL, CONF, CNI_BAD_CONFIG, "CHECK needs \"prevResult\"" },
		{ "ADD", "c1", LONG_64 LONG_64 LONG_64 LONG_64, "eth0", NULL, CONF, CNI_BAD_ENVIRONMENT,
			"CNI_NETNS is longer" },
		{ "ADD", "c1", "/n", NULL, NULL, CONF, CNI_BAD_ENVIRONMENT, "CNI_IFNAME is not set" },
		{ "ADD", "c1", "/n", "..", NULL, CONF, CNI_BAD_ENVIRONMENT, "not an interface name" },
		{ "ADD", "c1", "/n", "a/b", NULL, CONF, CNI_BAD_ENVIRONMENT, "not an interface name" },
		{ "ADD", "c1", "/n", "a b", NULL, CONF, CNI_BAD_ENVIRONMENT, "not an interface name" },
		{ "ADD", "c1", "/n", LONG_16, NULL, CONF, CNI_BAD_ENVIRONMENT, "not an interface name" },
		{ "ADD", "c1", "/n", "eth0", "A=1;B", CONF, CNI_BAD_ENVIRONMENT, "\"B\" has no value" },
		{ "ADD", "c1", "/n", "eth0", "K8S_POD_NAMESPACE=" LONG_64, CONF, CNI_BAD_ENVIRONMENT,
			"K8S_POD_NAMESPACE is longer than 63" },
		{ "ADD", "c1", "/n", "eth0", NULL, "", CNI_DECODE_FAILURE, "stdin: line 1" },
		{ "ADD", "c1", "/n", "eth0", NULL, "{\"name\":", CNI_DECODE_FAILURE, "stdin: line 1" },
		{ "ADD", "c1", "/n", "eth0", NULL, "[]", CNI_BAD_CONFIG, "not an object" },
		{ "ADD", "c1", "/n", "eth0", NULL, "{\"name\":\"x\"}", CNI_VERSION_UNSUPPORTED, "(none)" },
		{ "ADD", "c1", "/n", "eth0", NULL, "{\"cniVersion\":\"0.2.0\",\"name\":\"x\"}",
			CNI_VERSION_UNSUPPORTED, "0.2.0 is not supported" },
		{ "ADD", "c1", "/n", "eth0", NULL, "{\"cniVersion\":2}", CNI_BAD_CONFIG,
			"\"cniVersion\" is not a string" },
		{ "ADD", "c1", "/n", "eth0", NULL, "{\"cniVersion\":\"1.0.0\"}", CNI_BAD_CONFIG,
			"\"name\" is missing" },
		{ "ADD", "c1", "/n", "eth0", NULL,
			"{\"cniVersion\":\"1.0.0\",\"name\":\"x\",\"socket\":\"run/x\"}", CNI_BAD_CONFIG,
			"not an absolute path" },
		{ "ADD", "c1", "/n", "eth0", NULL,
			"{\"cniVersion\":\"1.0.0\",\"name\":\"x\",\"prevResult\":3}", CNI_BAD_CONFIG,
			"\"prevResult\" is not an object" },
		{ "CHECK", "c1", "/n", "eth0", NULL,
			"{\"cniVersion\":\"0.3.1\",\"name\":\"x\",\"prevResult\":{}}",
			CNI_VERSION_UNSUPPORTED, "CHECK came with cniVersion 0.4.0" },
		{ "STATUS", NULL, NULL, NULL, NULL, CONF, CNI_VERSION_UNSUPPORTED,
			"STATUS came with cniVersion 1.1.0" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cni_error e = { CNI_OK };
		struct netconf n;

		environment.command = cases[i].command;
		environment.container = cases[i].container;
		environment.netns = cases[i].netns;
		environment.ifname = cases[i].ifname;
		environment.args = cases[i].args;
		netconf_parse(&n, lookup, cases[i].config, strlen(cases[i].config), &e);
		if (e.code != cases[i].code || strstr(e.msg, cases[i].says) == NULL)
			fail_msg("case %u: code %d, \"%s\"", i, e.code, e.msg);
		netconf_fini(&n);
	}
}

static void
test_what_a_runtime_says_is_understood(void **state)
{
	static const char config[] =
		"{\"cniVersion\":\"1.1.0\",\"name\":\"ringway\",\"type\":\"ringway-cni\","
		"\"socket\":\"/tmp/s\",\"prevResult\":{\"ips\":[]},\"capabilities\":{},"
		"\"runtimeConfig\":{\"portMappings\":[]}}";
	struct cni_error e = { CNI_OK };
	struct netconf n;

	environment.command = "CHECK";
	environment.container = "0a1b_c.d-e";
	environment.netns = "/run/netns/cni-1";
	environment.ifname = "eth0";
	environment.args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1;K8S_POD_UID=7a-1;";
	assert_int_equal(netconf_parse(&n, lookup, config, sizeof(config) - 1, &e), CNI_OK);
	assert_int_equal(n.command, CNI_CHECK);
	assert_string_equal(n.version, "1.1.0");
	assert_string_equal(n.container_id, "0a1b_c.d-e");
	assert_string_equal(n.netns, "/run/netns/cni-1");
	assert_string_equal(n.pod_ns, "shop");
	assert_string_equal(n.pod, "web-1");
	assert_string_equal(n.pod_uid, "7a-1");
	assert_string_equal(n.socket, "/tmp/s");
	assert_non_null(n.prev_result);
	netconf_fini(&n);
}

/* The third DEL of a sandbox comes without a namespace and without prevResult. */
static void
test_del_needs_little(void **state)
{
	struct cni_error e = { CNI_OK };
	struct netconf n;

	environment.command = "DEL";
	environment.container = "c1";
	environment.netns = NULL;
	environment.ifname = "eth0";
	environment.args = NULL;
	assert_int_equal(netconf_parse(&n, lookup, CONF, strlen(CONF), &e), CNI_OK);
	assert_string_equal(n.netns, "");
	assert_string_equal(n.socket, DEFAULT_SOCKET);
	netconf_fini(&n);
}

static void
test_version_is_answered_whatever_is_asked(void **state)
{
	static const struct {
		const char *config, *version;
	} cases[] = { { "", "0.3.1" }, { "{\"cniVersion\":\"9.9.9\"}", "9.9.9" }, { CONF, "1.0.0" } };

	environment.command = "VERSION";
	environment.container = environment.netns = environment.ifname = environment.args = NULL;
	for (unsigned i = 0; i < 3; i++) {
		struct cni_error e = { CNI_OK };
		struct netconf n;

		assert_int_equal(
			netconf_parse(&n, lookup, cases[i].config, strlen(cases[i].config), &e), CNI_OK);
		assert_string_equal(n.version, cases[i].version);
		netconf_fini(&n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_input_is_refused_with_the_right_code),
		cmocka_unit_test(test_what_a_runtime_says_is_understood),
		cmocka_unit_test(test_del_needs_little),
		cmocka_unit_test(test_version_is_answered_whatever_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
