#include "cni/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int
start(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/ringway-spool.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
stop(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	/* a test's fixed command: NOLINTNEXTLINE(cert-env33-c,bugprone-command-processor) */
	return system(command);
}

static struct netconf
netconf(const char *state_dir, const char *container_id)
{
	struct netconf n = { .ifname = "eth0" };

	snprintf(n.state_dir, sizeof(n.state_dir), "%s", state_dir);
	snprintf(n.container_id, sizeof(n.container_id), "%s", container_id);
	return n;
}

static void
a_del_is_one_file_however_often_it_comes(void **state)
{
	char path[160], state_dir[96], text[256] = "";
	struct cni_error e = { CNI_OK };
	struct netconf n;
	json_t *entry;
	FILE *f;

	snprintf(state_dir, sizeof(state_dir), "%s/state", dir); /* made, too */
	n = netconf(state_dir, "0a1b_c.d-e");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(spool_write(&n, &e), CNI_OK);
	snprintf(path, sizeof(path), "%s/spool/0a1b_c.d-e@eth0.del", state_dir);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	entry = json_loads(text, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(entry, "containerId")), "0a1b_c.d-e");
	assert_string_equal(json_string_value(json_object_get(entry, "ifname")), "eth0");
	json_decref(entry);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/spool", state_dir);
	assert_int_equal(rmdir(path), 0); /* nothing else is in it */
}

static void
it_is_said_when_it_cannot_be_kept(void **state)
{
	struct netconf n = netconf("/proc/no-such-directory", "c1");
	struct cni_error e = { CNI_OK };
	char path[160];

	assert_int_equal(spool_write(&n, &e), CNI_TRY_AGAIN);
	assert_non_null(strstr(e.msg, "/proc/no-such-directory/spool"));
	/* who made this link could have anything overwritten */
	snprintf(path, sizeof(path), "%s/spool", dir);
	assert_int_equal(symlink("/tmp", path), 0);
	n = netconf(dir, "c1");
	assert_int_equal(spool_write(&n, &e), CNI_TRY_AGAIN);
}

static void
there_is_a_bound(void **state)
{
	struct netconf n = netconf(dir, "c1");
	struct cni_error e = { CNI_OK };
	char path[160];

	snprintf(path, sizeof(path), "%s/spool", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (unsigned i = 0; i < SPOOL_MAX; i++) {
		snprintf(path, sizeof(path), "%s/spool/x%u", dir, i);
		assert_int_equal(symlink("x", path), 0);
	}
	assert_int_equal(spool_write(&n, &e), CNI_TRY_AGAIN);
	assert_non_null(strstr(e.msg, "No space left"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_del_is_one_file_however_often_it_comes, start, stop),
		cmocka_unit_test_setup_teardown(it_is_said_when_it_cannot_be_kept, start, stop),
		cmocka_unit_test_setup_teardown(there_is_a_bound, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
