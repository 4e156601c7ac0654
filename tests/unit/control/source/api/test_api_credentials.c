#include "control/source/api/api_credentials.h"

#include <errno.h>

#include "tests/support/scratch.h"

static void
set(struct config *c, const char *key, const char *format, ...)
{
	char text[256];
	va_list args;
	int n = snprintf(text, sizeof(text), "%s=", key);

	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	assert_int_equal(config_set(c, text, stderr), 0);
}

static void
make_config(struct config *c, const char *server)
{
	assert_int_equal(config_init(c), 0);
	set(c, "cluster.apiServer", "%s", server);
	set(c, "cluster.caFile", "%s/ca", scratch_dir);
	set(c, "cluster.tokenFile", "%s/token", scratch_dir);
	scratch_write("ca", "PEM\n");
	scratch_write("token", "abc\n");
}

static void
test_files_are_read_and_read_again(void **state)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;
	struct config c;

	make_config(&c, "https://192.0.2.1:6443/");
	assert_int_equal(api_credentials_read(&k, &c, error), 0);
	assert_string_equal(k.server, "https://192.0.2.1:6443");
	assert_string_equal(k.ca.data, "PEM\n");
	assert_string_equal(k.token.data, "abc");
	scratch_write("token", "def ghi\r\nInjected: x");
	assert_int_equal(api_credentials_refresh(&k, error), 0);
	assert_string_equal(k.token.data, "def");
	scratch_write("token", "\n jkl\n");
	assert_int_equal(api_credentials_refresh(&k, error), 0);
	assert_string_equal(k.token.data, "jkl");
	assert_int_equal(k.token.size, 3);
	/* what cannot be read stays */
	scratch_write("token", " \n");
	assert_int_equal(api_credentials_refresh(&k, error), -ENODATA);
	assert_string_equal(k.token.data, "jkl");
	scratch_write("token", "");
	assert_int_equal(api_credentials_refresh(&k, error), -ENODATA);
	assert_non_null(strstr(error, "the token, /tmp/ringway-test."));
	assert_non_null(strstr(error, "/token, cannot be read: it is empty"));
	assert_string_equal(k.token.data, "jkl");
	kubeconfig_fini(&k);
	config_fini(&c);
}

static void
test_a_kubeconfig_with_another_server(void **state)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;
	struct config c;

	make_config(&c, "");
	set(&c, "cluster.kubeconfig", "%s/kube", scratch_dir);
	scratch_write("kube",
		"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://a', certificate-authority: ca}}]\n"
		"users: [{name: u, user: {token: t}}]\n");
	assert_int_equal(api_credentials_read(&k, &c, error), 0);
	assert_string_equal(k.server, "https://a");
	assert_string_equal(k.ca.data, "PEM\n");
	assert_string_equal(k.token.data, "t");
	kubeconfig_fini(&k);
	set(&c, "cluster.apiServer", "https://[fd00::1]:6443");
	assert_int_equal(api_credentials_read(&k, &c, error), 0);
	assert_string_equal(k.server, "https://[fd00::1]:6443");
	assert_string_equal(k.token.data, "t");
	kubeconfig_fini(&k);
	config_fini(&c);
}

static void
test_servers_that_are_none(void **state)
{
	static const char *const bad[] = { "192.0.2.1:6443", "https://", "http://192.0.2.1", "https://a b",
		"https://u@a", "https://a?x", "https://a#x", "ftp://a", "http://127.0.0.1.example.org",
		"http://localhost.example.org/" };
	static const char *const good[] = { "http://127.0.0.1:8001", "http://[::1]:8001",
		"http://localhost/k8s", "https://a.example/prefix" };
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;
	struct config c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_config(&c, bad[i]);
		assert_int_equal(api_credentials_read(&k, &c, error), -EINVAL);
		assert_memory_equal(error, "cluster.apiServer: ", 19);
		config_fini(&c);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		make_config(&c, good[i]);
		assert_int_equal(api_credentials_read(&k, &c, error), 0);
		kubeconfig_fini(&k);
		config_fini(&c);
	}
}

/* Who gives the service's address waits for ever. */
static void
test_the_server_is_no_service(void **state)
{
	static const struct {
		const char *server;
		int result;
	} cases[] = {
		{ "https://10.96.0.1:443", -EINVAL },
		{ "https://10.96.0.1", -EINVAL },
		{ "https://[fd00:10:96::1]:443/x", -EINVAL },
		{ "https://10.97.0.1", 0 },
		{ "https://[fd00:10:97::1]", 0 },
		{ "https://kubernetes.default.svc", 0 },
	};
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;
	struct config c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_config(&c, cases[i].server);
		set(&c, "cluster.serviceCIDRs", "[10.96.0.0/16, 'fd00:10:96::/112']");
		assert_int_equal(api_credentials_read(&k, &c, error), cases[i].result);
		if (cases[i].result != 0)
			assert_non_null(strstr(error, "is in cluster.serviceCIDRs"));
		kubeconfig_fini(&k);
		config_fini(&c);
	}
}

static void
test_a_missing_file_is_named(void **state)
{
	char error[KUBECONFIG_ERROR_SIZE];
	struct kubeconfig k;
	struct config c;

	make_config(&c, "https://a");
	set(&c, "cluster.caFile", "/none/such");
	assert_int_equal(api_credentials_read(&k, &c, error), -ENOENT);
	assert_string_equal(error, "the CA, /none/such, cannot be read: No such file or directory");
	set(&c, "cluster.caFile", "");
	set(&c, "cluster.tokenFile", "");
	assert_int_equal(api_credentials_read(&k, &c, error), 0);
	assert_null(k.token.data);
	kubeconfig_fini(&k);
	config_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_are_read_and_read_again),
		cmocka_unit_test(test_a_kubeconfig_with_another_server),
		cmocka_unit_test(test_servers_that_are_none),
		cmocka_unit_test(test_the_server_is_no_service),
		cmocka_unit_test(test_a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
