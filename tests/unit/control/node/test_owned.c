/* What an uninstallation finds and takes away, as far as it is files; tests/system/test_stories_cni.py has the rest. */
#include "control/node/owned.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include "control/config.h"
#include "control/node/attachment.h"
#include "control/node/cni_conf_file.h"
#include "control/node/state.h"
#include "tests/support/scratch.h"

struct fixture {
	struct config config;
	struct owned *owned;
	char text[OWNED_TEXT_SIZE];
};

static void
set(struct config *c, const char *key, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text), "%s=%s/%s", key, scratch_dir, name);
	assert_int_equal(config_set(c, text, stderr), 0);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(scratch_make(state), 0);
	assert_int_equal(config_init(&f->config), 0);
	set(&f->config, "cni.confDir", "net.d");
	set(&f->config, "cni.binDir", "bin");
	set(&f->config, "run.dir", "run");
	set(&f->config, "state.dir", "state");
	f->owned = owned_open(&f->config, NULL, f->text);
	assert_non_null(f->owned);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	owned_close(f->owned);
	config_fini(&f->config);
	free(f);
	return scratch_remove(state);
}

static void
shell(const char *line)
{
	char out[512];

	assert_int_equal(scratch_run(out, sizeof(out), "%s", line), 0);
}

static const enum owned_kind files[] = { OWNED_CONF, OWNED_PROGRAMS, OWNED_SHIM, OWNED_RUN, OWNED_STATE };
#define N_FILES (sizeof(files) / sizeof(files[0]))

static void
nothing_is_found_where_nothing_is(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < N_FILES; i++)
		assert_int_equal(owned_look(f->owned, files[i], f->text), 0);
	assert_int_equal(owned_each_attached(f->owned, NULL, NULL), 0);
}

static void
all_is_found_and_goes_and_goes_again(void **state)
{
	struct fixture *f = *state;
	char *text = cni_conf_text("/run/ringway", "/var/lib/ringway");

	shell("mkdir -p net.d bin run/bpf state/spool");
	shell("touch bin/ringway-cni run/ringway.sock run/arena run/ringwayd.lock run/ringwayd.next "
	      "run/handover.sock");
	shell("touch state/ringway.db state/ringway.db-wal state/objects.db state/objects.db-wal "
	      "state/spool/a@eth0.del state/spool/.123");
	scratch_write("net.d/" CNI_CONF_NAME, text);
	free(text);
	for (unsigned i = 0; i < N_FILES; i++) {
		assert_int_equal(owned_look(f->owned, files[i], f->text), 1);
		assert_string_not_equal(f->text, "");
		assert_int_equal(owned_remove(f->owned, files[i], f->text), 0);
		assert_int_equal(owned_look(f->owned, files[i], f->text), 0);
		assert_int_equal(owned_remove(f->owned, files[i], f->text), 0);
	}
	shell("test \"$(ls)\" = \"$(printf 'bin\\nnet.d')\"");
}

static void
what_is_not_ours_stays(void **state)
{
	struct fixture *f = *state;

	shell("mkdir -p net.d bin run state");
	scratch_write("net.d/" CNI_CONF_NAME, "{\"plugins\": [{\"type\": \"bridge\"}]}");
	shell("touch run/arena run/notes state/ringway.db state/notes bin/bridge");
	assert_int_equal(owned_look(f->owned, OWNED_CONF, f->text), 0);
	assert_int_equal(owned_remove(f->owned, OWNED_CONF, f->text), 0);
	assert_int_equal(owned_remove(f->owned, OWNED_SHIM, f->text), 0);
	assert_int_equal(owned_remove(f->owned, OWNED_RUN, f->text), -ENOTEMPTY);
	assert_non_null(strstr(f->text, "not empty"));
	assert_int_equal(owned_remove(f->owned, OWNED_STATE, f->text), -ENOTEMPTY);
	shell("test -f run/notes -a -f state/notes -a ! -e run/arena -a ! -e state/ringway.db");
	shell("test -f net.d/" CNI_CONF_NAME " -a -f bin/bridge");
}

static void
a_state_that_cannot_be_read_is_told(void **state)
{
	struct fixture *f = *state;
	struct owned *o;

	shell("mkdir state");
	scratch_write("state/" STATE_FILE,
		"no database, but longer than the header of one would be, by far and by all means");
	o = owned_open(&f->config, NULL, f->text);
	assert_non_null(o);
	assert_non_null(strstr(f->text, "damaged"));
	assert_int_equal(owned_look(o, OWNED_LINKS, f->text), 0);
	assert_int_equal(owned_look(o, OWNED_PORTS, f->text), 0);
	assert_int_equal(owned_look(o, OWNED_STATE, f->text), 1);
	owned_close(o);
}

/* Whoever takes the wrong configuration, or has lost state.dir, must hear of the pods that would be cut off. */
static void
interfaces_of_pods_without_a_state_are_told(void **state)
{
	struct fixture *f = *state;
	struct owned *o;

	if (geteuid() != 0)
		skip();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	shell("ip link add rw01234567 type veth peer name rw0123456789x");
	o = owned_open(&f->config, NULL, f->text);
	assert_non_null(o);
	assert_string_equal(f->text, "");
	owned_close(o);
	shell("ip link add rw0123456789 type veth");
	o = owned_open(&f->config, NULL, f->text);
	assert_non_null(o);
	assert_non_null(strstr(f->text, "1 interfaces of pods"));
	owned_close(o);
}

/* Its netlink socket is none any more. */
static void
silence_kernel(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), domain;
	socklen_t size = sizeof(domain);

	assert_true(null >= 0);
	for (int fd = 3; fd < 64; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK)
			assert_int_equal(dup2(null, fd), fd);
	close(null);
}

static void
a_pod_of_which_the_kernel_does_not_answer_counts_as_attached(void **state)
{
	static const struct attachment_record r = {
		.container_id = "c0", .ifname = "eth0", .pod = "web", .link = "rw0123456789"
	};
	struct fixture *f = *state;
	char path[128], error[STATE_ERROR_SIZE];
	struct state *s;
	struct owned *o;
	bool is_new_boot;

	shell("mkdir state");
	snprintf(path, sizeof(path), "%s/state/" STATE_FILE, scratch_dir);
	assert_int_equal(state_open(&s, path, NULL, &is_new_boot, error), 0);
	assert_int_equal(state_put_attachment(s, &r), 0);
	o = owned_open(&f->config, s, f->text);
	assert_non_null(o);
	assert_int_equal(owned_each_attached(o, NULL, NULL), 0);
	silence_kernel();
	assert_int_equal(owned_each_attached(o, NULL, NULL), 1);
	owned_close(o);
	state_close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_found_where_nothing_is),
		TEST(all_is_found_and_goes_and_goes_again),
		TEST(what_is_not_ours_stays),
		TEST(a_state_that_cannot_be_read_is_told),
		TEST(a_pod_of_which_the_kernel_does_not_answer_counts_as_attached),
		TEST(interfaces_of_pods_without_a_state_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
