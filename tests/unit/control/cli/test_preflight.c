/* The checks behind `ringway doctor --preflight`, where they can be led. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/preflight.h"

static struct check_result
run_check(const struct check *list, const char *name, const struct preflight *p)
{
	struct check_result result = { 0 };

	for (const struct check *c = list; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0) {
			c->run(p, &result);
			return result;
		}
	fail_msg("there is no check '%s'", name);
	return result;
}

static const struct preflight usual = {
	.kernel = KERNEL(6, 9),
	.cni_dir = "/nonexistent",
	.uplink = "",
	.host_interface = "ringway0",
	.pods_max = 250,
};

static void
kernel_releases_are_read(void **state)
{
	assert_int_equal(preflight_kernel("6.1.0-13-amd64"), KERNEL(6, 1));
	assert_int_equal(preflight_kernel("5.10.209+"), KERNEL(5, 10));
	assert_int_equal(preflight_kernel("unknown"), 0);
	assert_true(KERNEL(5, 10) < KERNEL(6, 1) && KERNEL(5, 9) < KERNEL(5, 10));
}

static void
the_kernel_is_measured_against_the_floor(void **state)
{
	static const struct {
		unsigned kernel;
		enum check_status status;
		const char *found;
	} cases[] = {
		{ KERNEL(5, 9), CHECK_FAIL, "kernel" },
		{ KERNEL(5, 10), CHECK_WARN, "(6.6)" },
		{ KERNEL(6, 1), CHECK_WARN, "(6.8)" },
		{ KERNEL(6, 6), CHECK_WARN, "(6.8)" },
		{ KERNEL(6, 8), CHECK_WARN, "(6.9)" },
		{ KERNEL(6, 9), CHECK_OK, "everything" },
		{ KERNEL(7, 0), CHECK_OK, "everything" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct preflight p = usual;
		struct check_result r;

		p.kernel = cases[i].kernel;
		r = run_check(kernel_checks, "kernel", &p);
		assert_int_equal(r.status, cases[i].status);
		assert_non_null(strstr(r.found, cases[i].found));
	}
}

static void
too_many_pods_for_the_memory_is_a_warning(void **state)
{
	struct preflight p = usual;

	p.pods_max = 1u << 20; /* 2 TiB */
	assert_int_equal(run_check(kernel_checks, "memory", &p).status, CHECK_WARN);
	p.pods_max = 1;
	assert_int_equal(run_check(kernel_checks, "memory", &p).status, CHECK_OK);
}

static void
loopback_lies_in_a_network_that_holds_it(void **state)
{
	static char *v4[] = { "10.255.255.0/24", "127.0.0.0/24" }, *v6[] = { "::/64" };
	struct preflight p = usual;
	struct check_result r;

	p.pod_cidrs = (struct network_list){ 2, v4 };
	r = run_check(network_checks, "network overlap", &p);
	assert_int_equal(r.status, CHECK_FAIL);
	assert_non_null(strstr(r.found, "127.0.0.0/24 overlaps with address 127.0.0.1 of lo"));

	p.pod_cidrs = (struct network_list){ 0, NULL };
	p.service_cidrs = (struct network_list){ 1, v6 };
	r = run_check(network_checks, "network overlap", &p);
	assert_true(r.status == CHECK_FAIL || access("/proc/net/if_inet6", F_OK) != 0);

	p.service_cidrs = (struct network_list){ 0, NULL };
	assert_int_equal(run_check(network_checks, "network overlap", &p).status, CHECK_WARN);
}

static void
an_uplink_that_does_not_exist_is_a_failure(void **state)
{
	struct preflight p = usual;
	struct check_result r;

	p.uplink = "nosuchlink0";
	r = run_check(network_checks, "uplink", &p);
	assert_int_equal(r.status, CHECK_FAIL);
	assert_non_null(strstr(r.found, "nosuchlink0"));
}

static void
pods_mtu_must_fit_the_uplinks(void **state)
{
	struct preflight p = usual;
	struct check_result r;

	p.uplink = "lo"; /* its MTU is 65536, it is up */
	p.overlay_mtu = 65500;
	r = run_check(network_checks, "uplink", &p);
	assert_int_equal(r.status, CHECK_FAIL);
	assert_non_null(strstr(r.found, "65500"));
	p.overlay_mtu = 1200;
	assert_int_equal(run_check(network_checks, "uplink", &p).status, CHECK_FAIL);
	p.overlay_mtu = 1450;
	assert_int_equal(run_check(network_checks, "uplink", &p).status, CHECK_OK);
}

static void
touch(const char *dir, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static void
untouch(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static void
the_first_cni_file_by_name_wins(void **state)
{
	char dir[] = "/tmp/ringway-cni-XXXXXX";
	struct preflight p = usual;
	struct check_result r;

	assert_int_equal(run_check(network_checks, "cni configuration", &p).status, CHECK_OK);
	assert_non_null(mkdtemp(dir));
	p.cni_dir = dir;
	touch(dir, "00-ringway.conflist");
	touch(dir, "00-first.txt");
	assert_int_equal(run_check(network_checks, "cni configuration", &p).status, CHECK_OK);
	touch(dir, "10-calico.conflist");
	assert_int_equal(run_check(network_checks, "cni configuration", &p).status, CHECK_WARN);
	touch(dir, "00-first.conf");
	r = run_check(network_checks, "cni configuration", &p);
	assert_int_equal(r.status, CHECK_FAIL);
	assert_non_null(strstr(r.found, "00-first.conf"));
	assert_null(strstr(r.found, "calico"));
	untouch(dir, "00-ringway.conflist");
	untouch(dir, "00-first.txt");
	untouch(dir, "10-calico.conflist");
	untouch(dir, "00-first.conf");
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_releases_are_read),
		cmocka_unit_test(the_kernel_is_measured_against_the_floor),
		cmocka_unit_test(too_many_pods_for_the_memory_is_a_warning),
		cmocka_unit_test(loopback_lies_in_a_network_that_holds_it),
		cmocka_unit_test(an_uplink_that_does_not_exist_is_a_failure),
		cmocka_unit_test(pods_mtu_must_fit_the_uplinks),
		cmocka_unit_test(the_first_cni_file_by_name_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
