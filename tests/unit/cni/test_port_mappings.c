#include "cni/port_mappings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What the list becomes for the daemon, or the refusal. */
static const struct {
	const char *mappings; /* runtimeConfig.portMappings */
	const char *expected; /* NULL: refused */
	const char *says;
} cases[] = {
	{ "[]", "[]", NULL },
	{ "null", "[]", NULL },
	{ "[{'hostPort': 8080, 'containerPort': 80, 'protocol': 'tcp'}]",
		"[{'hostAddress': '', 'hostPort': 8080, 'podPort': 80, 'protocol': 'tcp'}]", NULL },
	{ "[{'HostPort': 53, 'ContainerPort': 5353, 'Protocol': 'UDP', 'HostIP': '192.0.2.1'}]",
		"[{'hostAddress': '192.0.2.1', 'hostPort': 53, 'podPort': 5353, 'protocol': 'udp'}]", NULL },
	{ "[{'hostPort': 1, 'containerPort': 2, 'hostIP': '0.0.0.0'},"
	  " {'hostPort': 3, 'containerPort': 4, 'hostIP': '::', 'protocol': ''}]",
		"[{'hostAddress': '', 'hostPort': 1, 'podPort': 2, 'protocol': 'tcp'},"
		" {'hostAddress': '', 'hostPort': 3, 'podPort': 4, 'protocol': 'tcp'}]",
		NULL },
	{ "[{'hostPort': 9, 'containerPort': 10, 'protocol': 'SCTP', 'hostIP': 'fd00::1'}]",
		"[{'hostAddress': 'fd00::1', 'hostPort': 9, 'podPort': 10, 'protocol': 'sctp'}]", NULL },
	/* without a host port it is none of ours, whatever else it says */
	{ "[{'containerPort': 80}, {'hostPort': 0, 'containerPort': 80, 'protocol': 'x'}]", "[]", NULL },
	{ "{}", NULL, "\"portMappings\" is not a list" },
	{ "[1]", NULL, "an entry is not an object" },
	{ "[{'hostPort': '80'}]", NULL, "\"hostPort\" is not a port" },
	{ "[{'hostPort': 65536, 'containerPort': 80}]", NULL, "\"hostPort\" is not a port" },
	{ "[{'hostPort': -1, 'containerPort': 80}]", NULL, "\"hostPort\" is not a port" },
	{ "[{'hostPort': 80}]", NULL, "\"containerPort\" is not a port" },
	{ "[{'hostPort': 80, 'containerPort': 0}]", NULL, "\"containerPort\" is not a port" },
	{ "[{'hostPort': 80, 'containerPort': 80, 'protocol': 'icmp'}]", NULL,
		"the \"protocol\" of host port 80 is not known" },
	{ "[{'hostPort': 80, 'containerPort': 80, 'protocol': 6}]", NULL, "is not known" },
	{ "[{'hostPort': 80, 'containerPort': 80, 'hostIP': 'here'}]", NULL,
		"the \"hostIP\" of host port 80 is not an IP address" },
	{ "[{'hostPort': 80, 'containerPort': 80, 'hostIP': 1}]", NULL, "is not an IP address" },
};

/* JSON with its quotes easy to write. */
static json_t *
load(const char *text)
{
	char quoted[512];
	json_t *value;
	size_t i;

	for (i = 0; text[i] != '\0' && i < sizeof(quoted) - 1; i++)
		quoted[i] = text[i] == '\'' ? '"' : text[i];
	quoted[i] = '\0';
	value = json_loads(quoted, JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	return value;
}

static void
test_mappings(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *config =
			json_pack("{s:{s:o}}", "runtimeConfig", "portMappings", load(cases[i].mappings));
		struct cni_error e = { CNI_OK };
		json_t *list = NULL;

		if (port_mappings_parse(config, &list, &e) != CNI_OK) {
			assert_int_equal(e.code, CNI_BAD_CONFIG);
			if (cases[i].expected != NULL || strstr(e.msg, cases[i].says) == NULL)
				fail_msg("%s: %s", cases[i].mappings, e.msg);
		} else {
			json_t *expected = cases[i].expected == NULL ? NULL : load(cases[i].expected);

			if (!json_equal(list, expected))
				fail_msg("%s: %s", cases[i].mappings, json_dumps(list, 0));
			json_decref(expected);
		}
		json_decref(list);
		json_decref(config);
	}
}

static void
test_nothing_said(void **state)
{
	struct cni_error e = { CNI_OK };
	json_t *list;

	assert_int_equal(port_mappings_parse(NULL, &list, &e), CNI_OK);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_nothing_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
