#include "control/source/api/kubeconfig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                                 \
	"apiVersion: v1\nkind: Config\ncurrent-context: here\n"                                              \
	"contexts:\n- name: there\n  context: {cluster: x, user: z}\n- name: here\n  context: {cluster: c, " \
	"user: u}\n"

/* cluster and user are the inside of braces, on lines 9 and 10. */
static int
parse(struct kubeconfig *k, const char *cluster, const char *user, char error[static KUBECONFIG_ERROR_SIZE])
{
	char text[4096];

	snprintf(text, sizeof(text),
		HEAD "clusters: [{name: c, cluster: {%s}}]\nusers: [{name: u, user: {%s}}]\n", cluster, user);
	return kubeconfig_parse(k, "/etc/ringway/kube", text, strlen(text), error);
}

static void
test_files_and_data(void **state)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;

	assert_int_equal(parse(&k, "server: 'https://192.0.2.1:6443', certificate-authority: pki/ca.crt",
				 "tokenFile: /run/token, token: ignored", error),
		0);
	assert_string_equal(error, "");
	assert_string_equal(k.server, "https://192.0.2.1:6443");
	assert_string_equal(k.ca.file, "/etc/ringway/pki/ca.crt");
	assert_string_equal(k.token.file, "/run/token");
	assert_null(k.token.data);
	kubeconfig_fini(&k);
	assert_int_equal(parse(&k, "server: s, certificate-authority-data: Y2E=, certificate-authority: /no",
				 "client-certificate-data: Y2VydA==, client-key-data: a2V5", error),
		0);
	assert_string_equal(k.ca.data, "ca");
	assert_null(k.ca.file);
	assert_string_equal(k.cert.data, "cert");
	assert_string_equal(k.key.data, "key");
	kubeconfig_fini(&k);
	assert_int_equal(parse(&k, "server: s", "token: abc", error), 0);
	assert_string_equal(k.token.data, "abc");
	assert_int_equal(k.token.size, 3);
	kubeconfig_fini(&k);
}

static void
test_what_is_refused(void **state)
{
	static const struct {
		const char *cluster, *user, *error;
	} cases[] = {
		{ "server: s, insecure-skip-tls-verify: true", "",
			"9: insecure-skip-tls-verify: is refused: whoever answers" },
		{ "server: s, proxy-url: p", "", "9: proxy-url: is not supported" },
		{ "server: s", "exec: {command: aws}",
			"10: exec: credential plugins are not run by ringwayd" },
		{ "server: s", "auth-provider: {name: gcp}", "10: auth-provider: is not supported" },
		{ "server: s", "username: a, password: b", "10: username: passwords are not supported" },
		{ "server: s", "client-certificate: a", " client-certificate and client-key go together" },
		{ "server: s", "client-key-data: '*'", "10: client-key-data: is not base64" },
		{ "server: s", "token: [1]", "10: token: must be text" },
		{ "x: 1", "token: a", " the cluster has no server" },
	};
	char error[KUBECONFIG_ERROR_SIZE], wanted[256];
	struct kubeconfig k;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&k, cases[i].cluster, cases[i].user, error), -EINVAL);
		snprintf(wanted, sizeof(wanted), "/etc/ringway/kube:%s", cases[i].error);
		error[strlen(wanted)] = '\0';
		assert_string_equal(error, wanted);
		assert_null(k.server);
	}
	assert_int_equal(
		parse(&k, "server: s, insecure-skip-tls-verify: false, proxy-url: ''", "exec: ", error), 0);
	kubeconfig_fini(&k);
}

static void
check_text(const char *text, const char *wanted)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;

	assert_int_equal(kubeconfig_parse(&k, "kube", text, strlen(text), error), -EINVAL);
	assert_string_equal(error, wanted);
}

static void
test_what_is_missing(void **state)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;

	check_text("", "kube: is not a kubeconfig: must be a mapping");
	check_text("[]", "kube: is not a kubeconfig: must be a mapping");
	check_text("a: 1\na: 2\n", "kube:2: the key \"a\" is given twice");
	check_text("contexts: []", "kube: current-context: is not set");
	check_text("current-context: x\ncontexts: []", "kube:2: contexts: there is no context named \"x\"");
	check_text("current-context: x\ncontexts: [{name: x, context: {user: who}}]",
		"kube: context \"x\" must have cluster and user");
	check_text("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: who}}]\nclusters: 1",
		"kube:3: clusters: there is no cluster named \"c\"");
	assert_int_equal(kubeconfig_read(&k, "/none/such", error), -ENOENT);
	assert_string_equal(error, "/none/such: cannot be read: No such file or directory");
}

static void
test_base64(void **state)
{
	static const char *const bad[] = { "a", "ab", "abc", "a===", "====", "=", "YQ==YQ==", "YQ=a",
		"Y*==", "YWJj=" };
	static const char *const good[][2] = { { "", "" }, { "YQ==", "a" }, { "YWI=", "ab" },
		{ "YWJj", "abc" }, { "YWJj\nYWJj\n", "abcabc" }, { "YQ==\n", "a" },
		{ "+/+/", "\xfb\xff\xbf" } };
	size_t size;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(base64_decode(bad[i], &size));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *bytes = base64_decode(good[i][0], &size);

		assert_non_null(bytes);
		assert_string_equal(bytes, good[i][1]);
		assert_int_equal(size, strlen(good[i][1]));
		free(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_and_data),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
