/* The container runtime's configuration: when ours is written, what becomes of others, and fights. */
#include "control/node/cni_conf.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/node/cni_conf_file.h"
#include "control/node/damper.h"
#include "control/source/text_file.h"
#include "tests/support/scratch.h"

#define ROUND_MS 10000

struct fixture {
	struct loop *loop;
	struct cni_conf *conf;
	char conf_dir[80], bin_dir[80], shim[80];
};

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(scratch_make(state), 0);
	snprintf(f->conf_dir, sizeof(f->conf_dir), "%s/etc/net.d", scratch_dir);
	snprintf(f->bin_dir, sizeof(f->bin_dir), "%s/opt/bin", scratch_dir);
	snprintf(f->shim, sizeof(f->shim), "%s/built", scratch_dir);
	scratch_write("built", "#!/bin/sh\n");
	f->loop = loop_new();
	log_set_sink(quiet, NULL);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	cni_conf_free(f->conf);
	loop_free(f->loop);
	free(f);
	return scratch_remove(state);
}

static void
begin(struct fixture *f)
{
	struct cni_conf_config config = { .loop = f->loop,
		.conf_dir = f->conf_dir,
		.bin_dir = f->bin_dir,
		.run_dir = "/run/ringway-a",
		.state_dir = "/var/lib/ringway-a",
		.shim = f->shim };

	cni_conf_free(f->conf);
	f->conf = NULL;
	assert_int_equal(cni_conf_new(&f->conf, &config), 0);
}

static void
make_dirs(const struct fixture *f)
{
	char out[64];

	assert_int_equal(scratch_run(out, sizeof(out), "mkdir -p %s %s", f->conf_dir, f->bin_dir), 0);
}

static void
put(const struct fixture *f, const char *name, const char *type)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "etc/net.d/%s", name);
	snprintf(text, sizeof(text), "{\"name\": \"cbr0\", \"plugins\": [{\"type\": \"%s\"}]}\n", type);
	scratch_write(path, text);
}

static bool
has(const char *dir, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void delete (const char *dir, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

/* Rounds of the loop until it is so. */
#define ROUNDS_UNTIL(f, condition)                                         \
	do {                                                               \
		while (!(condition))                                       \
			assert_true(loop_round((f)->loop, ROUND_MS) >= 0); \
	} while (0)

static void
our_file_is_the_one_in_conf_with_the_socket_of_run_dir(void **state)
{
	char path[PATH_MAX], *text, *installed = cni_conf_text("/run/ringway", "/var/lib/ringway"),
				    *other = cni_conf_text("/x", "/y");
	json_t *a, *b, *c;
	size_t size;

	snprintf(path, sizeof(path), "%s/conf/00-ringway.conflist", SOURCE_ROOT);
	assert_int_equal(text_file_read(path, 4096, &text, &size), 0);
	a = json_loads(text, 0, NULL);
	b = json_loads(installed, 0, NULL);
	c = json_loads(other, 0, NULL);
	assert_true(json_equal(a, b));
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(c, "plugins"), 0), "socket")),
		"/x/ringway.sock");
	json_decref(a);
	json_decref(b);
	json_decref(c);
	free(text);
	free(installed);
	free(other);
}

static void
runtimes_read_these_names(void **state)
{
	assert_true(cni_conf_is_name("10-flannel.conflist"));
	assert_true(cni_conf_is_name("a.conf"));
	assert_true(cni_conf_is_name(".hidden.json"));
	assert_false(cni_conf_is_name(CNI_CONF_KEPT));
	assert_false(cni_conf_is_name("." CNI_CONF_NAME ".new"));
	assert_false(cni_conf_is_name("README"));
}

static void
without_directories_nothing_is_done(void **state)
{
	struct fixture *f = *state;

	*f->conf_dir = *f->bin_dir = '\0';
	begin(f);
	assert_true(cni_conf_has_settled(f->conf));
	assert_false(cni_conf_is_managed(f->conf));
	cni_conf_follow(f->conf, true);
	assert_null(cni_conf_trouble(f->conf));
	assert_null(cni_conf_interference(f->conf));
}

static void
nothing_is_written_before_pods_can_be_attached(void **state)
{
	struct fixture *f = *state;
	char path[160];
	struct stat st;

	begin(f); /* the directories are missing */
	cni_conf_follow(f->conf, false);
	assert_non_null(strstr(cni_conf_trouble(f->conf), "not written yet"));
	assert_false(has(f->conf_dir, CNI_CONF_NAME));
	assert_false(cni_conf_has_settled(f->conf));
	cni_conf_follow(f->conf, true);
	assert_null(cni_conf_trouble(f->conf));
	assert_null(cni_conf_interference(f->conf));
	assert_true(cni_conf_has_settled(f->conf));
	assert_true(cni_conf_is_ours(f->conf_dir, CNI_CONF_NAME));
	snprintf(path, sizeof(path), "%s/" CNI_SHIM_NAME, f->bin_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	/* they stay when the daemon ends, and the next one finds them right before it is ready */
	begin(f);
	assert_null(cni_conf_trouble(f->conf));
}

static void
without_the_program_there_is_no_configuration(void **state)
{
	struct fixture *f = *state;

	snprintf(f->shim, sizeof(f->shim), "%s/nothing", scratch_dir);
	begin(f);
	cni_conf_follow(f->conf, true);
	assert_non_null(strstr(cni_conf_trouble(f->conf), "cni.binDir"));
	assert_false(has(f->conf_dir, CNI_CONF_NAME));
}

static void
configurations_behind_ours_stay(void **state)
{
	struct fixture *f = *state;
	struct cni_conf_scan scan;

	make_dirs(f);
	put(f, "10-flannel.conflist", "flannel");
	put(f, "87-podman.conflist", "bridge");
	begin(f);
	cni_conf_follow(f->conf, true);
	assert_null(cni_conf_trouble(f->conf));
	assert_int_equal(cni_conf_look(f->conf_dir, &scan), 0);
	assert_string_equal(scan.first, CNI_CONF_NAME);
	assert_string_equal(scan.next, "10-flannel.conflist");
	assert_int_equal(scan.n_others, 2);
	assert_int_equal(cni_conf_remove(f->conf_dir), 1);
	assert_int_equal(cni_conf_remove(f->conf_dir), 0);
	assert_int_equal(cni_conf_look(f->conf_dir, &scan), 0);
	assert_string_equal(scan.first, "10-flannel.conflist");
}

static void
what_had_our_name_is_kept_and_put_back(void **state)
{
	struct fixture *f = *state;
	char about[CNI_CONF_TEXT_SIZE];

	make_dirs(f);
	put(f, CNI_CONF_NAME, "bridge");
	begin(f);
	cni_conf_follow(f->conf, true);
	assert_null(cni_conf_trouble(f->conf));
	assert_null(cni_conf_interference(f->conf)); /* it was there first */
	assert_true(cni_conf_is_ours(f->conf_dir, CNI_CONF_NAME));
	assert_true(has(f->conf_dir, CNI_CONF_KEPT));
	assert_int_equal(cni_conf_remove(f->conf_dir), 1);
	assert_string_equal(
		cni_conf_describe(f->conf_dir, CNI_CONF_NAME, about), "network \"cbr0\" by plugin bridge");
	assert_false(has(f->conf_dir, CNI_CONF_KEPT));
	/* it is not ours to remove */
	assert_int_equal(cni_conf_remove(f->conf_dir), 0);
	assert_true(has(f->conf_dir, CNI_CONF_NAME));
}

/* Put back, it would be first, and runtimes would stop at it. */
static void
what_is_no_configuration_is_not_kept(void **state)
{
	struct fixture *f = *state;

	make_dirs(f);
	scratch_write("etc/net.d/" CNI_CONF_NAME, "");
	put(f, "10-flannel.conflist", "flannel");
	begin(f);
	cni_conf_follow(f->conf, true);
	assert_true(cni_conf_is_ours(f->conf_dir, CNI_CONF_NAME));
	assert_false(has(f->conf_dir, CNI_CONF_KEPT));
	assert_int_equal(cni_conf_remove(f->conf_dir), 1);
	assert_false(has(f->conf_dir, CNI_CONF_NAME));
	assert_true(has(f->conf_dir, "10-flannel.conflist"));
}

static void
a_crash_while_it_is_put_leaves_nothing_for_good(void **state)
{
	struct fixture *f = *state;
	char out[64];

	make_dirs(f);
	put(f, CNI_CONF_NAME, "bridge");
	/* kept already, and ours is not there yet */
	assert_int_equal(
		scratch_run(out, sizeof(out), "ln etc/net.d/%s etc/net.d/%s", CNI_CONF_NAME, CNI_CONF_KEPT),
		0);
	assert_true(cni_conf_is_there(f->conf_dir));
	assert_int_equal(cni_conf_remove(f->conf_dir), 1);
	assert_true(has(f->conf_dir, CNI_CONF_NAME));
	assert_false(has(f->conf_dir, CNI_CONF_KEPT));
	assert_false(cni_conf_is_there(f->conf_dir));
	/* another one took its place meanwhile: both stay, and nothing is said to be ours */
	put(f, CNI_CONF_KEPT, "ptp");
	assert_false(cni_conf_is_there(f->conf_dir));
	assert_int_equal(cni_conf_remove(f->conf_dir), 0);
	assert_true(has(f->conf_dir, CNI_CONF_NAME));
	assert_true(has(f->conf_dir, CNI_CONF_KEPT));
}

static void
one_before_ours_raises_the_alarm_and_stays(void **state)
{
	struct fixture *f = *state;

	begin(f);
	cni_conf_follow(f->conf, true);
	assert_null(cni_conf_trouble(f->conf));
	put(f, "00-a.conf", "ptp");
	ROUNDS_UNTIL(f, cni_conf_trouble(f->conf) != NULL);
	assert_non_null(
		strstr(cni_conf_trouble(f->conf), "00-a.conf (network \"cbr0\" by plugin ptp) comes before"));
	assert_true(has(f->conf_dir, "00-a.conf"));
	delete (f->conf_dir, "00-a.conf");
	ROUNDS_UNTIL(f, cni_conf_trouble(f->conf) == NULL);
	assert_int_equal(cni_conf_restored(f->conf), 0);
}

static void
what_others_remove_or_change_is_put_back_and_told(void **state)
{
	struct fixture *f = *state;
	char text[1024];

	begin(f);
	cni_conf_follow(f->conf, true);
	delete (f->conf_dir, CNI_CONF_NAME);
	ROUNDS_UNTIL(f, cni_conf_restored(f->conf) == 1);
	assert_true(cni_conf_is_ours(f->conf_dir, CNI_CONF_NAME));
	assert_non_null(
		strstr(cni_conf_interference(f->conf), CNI_CONF_NAME " was removed by somebody else"));
	assert_null(cni_conf_trouble(f->conf));
	/* who does it again at once has to wait, unless this machine took longer than that */
	put(f, CNI_CONF_NAME, "calico");
	ROUNDS_UNTIL(f, cni_conf_trouble(f->conf) != NULL || cni_conf_restored(f->conf) == 2);
	if (cni_conf_trouble(f->conf) != NULL)
		assert_non_null(
			strstr(cni_conf_trouble(f->conf), "changed (network \"cbr0\" by plugin calico)"));
	ROUNDS_UNTIL(f, cni_conf_restored(f->conf) == 2);
	assert_null(cni_conf_trouble(f->conf));
	assert_true(cni_conf_is_ours(f->conf_dir, CNI_CONF_NAME));
	assert_non_null(strstr(cni_conf_interference(f->conf), "by plugin calico"));
	/* the word about it stays the same while it waits: it is logged, and makes an event, once for each text */
	put(f, CNI_CONF_NAME, "calico");
	ROUNDS_UNTIL(f, cni_conf_trouble(f->conf) != NULL || cni_conf_restored(f->conf) == 3);
	if (cni_conf_trouble(f->conf) != NULL)
		snprintf(text, sizeof(text), "%s", cni_conf_trouble(f->conf));
	while (cni_conf_trouble(f->conf) != NULL) {
		assert_string_equal(cni_conf_trouble(f->conf), text);
		put(f, "99-others.conf", "ptp");
		assert_true(loop_round(f->loop, ROUND_MS) >= 0);
	}
}

static void
a_directory_that_was_removed_is_made_again(void **state)
{
	struct fixture *f = *state;
	char out[64];

	begin(f);
	cni_conf_follow(f->conf, true);
	assert_int_equal(scratch_run(out, sizeof(out), "rm -r etc"), 0);
	ROUNDS_UNTIL(f, has(f->conf_dir, CNI_CONF_NAME));
	delete (f->conf_dir, CNI_CONF_NAME); /* it is watched, too */
	ROUNDS_UNTIL(f, has(f->conf_dir, CNI_CONF_NAME));
}

static void
the_program_is_replaced_as_a_whole_and_only_when_it_differs(void **state)
{
	struct fixture *f = *state;
	struct stat first, second;
	char path[160], out[64];

	begin(f);
	cni_conf_follow(f->conf, true);
	snprintf(path, sizeof(path), "%s/" CNI_SHIM_NAME, f->bin_dir);
	assert_int_equal(stat(path, &first), 0);
	begin(f);
	cni_conf_follow(f->conf, true);
	assert_int_equal(stat(path, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	/* a newer version */
	scratch_write("built", "#!/bin/sh\nexit 0\n");
	begin(f);
	cni_conf_follow(f->conf, true);
	assert_int_equal(scratch_run(out, sizeof(out), "cmp %s %s", path, f->shim), 0);
	assert_null(cni_conf_interference(f->conf));
	/* and what others did to it */
	scratch_write("opt/bin/" CNI_SHIM_NAME, "");
	ROUNDS_UNTIL(f, cni_conf_restored(f->conf) == 1);
	assert_int_equal(scratch_run(out, sizeof(out), "cmp %s %s", path, f->shim), 0);
	assert_non_null(
		strstr(cni_conf_interference(f->conf), "opt/bin/" CNI_SHIM_NAME " was removed or changed"));
}

static void
a_fight_slows_down_and_ends(void **state)
{
	struct damper d = { 0 };
	uint64_t now = 1000 * NS_PER_S, gap = NS_PER_S;

	assert_int_equal(damper_wait_ns(&d, now), 0);
	damper_note(&d, now);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(damper_wait_ns(&d, now), gap);
		now += gap;
		assert_int_equal(damper_wait_ns(&d, now), 0);
		damper_note(&d, now);
		gap = 2 * gap < DAMPER_MOST_NS ? 2 * gap : DAMPER_MOST_NS;
	}
	now += 2 * DAMPER_MOST_NS;
	damper_note(&d, now);
	assert_int_equal(damper_wait_ns(&d, now), NS_PER_S);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_file_is_the_one_in_conf_with_the_socket_of_run_dir),
		cmocka_unit_test(runtimes_read_these_names),
		TEST(without_directories_nothing_is_done),
		TEST(nothing_is_written_before_pods_can_be_attached),
		TEST(without_the_program_there_is_no_configuration),
		TEST(configurations_behind_ours_stay),
		TEST(what_had_our_name_is_kept_and_put_back),
		TEST(what_is_no_configuration_is_not_kept),
		TEST(a_crash_while_it_is_put_leaves_nothing_for_good),
		TEST(one_before_ours_raises_the_alarm_and_stays),
		TEST(what_others_remove_or_change_is_put_back_and_told),
		TEST(a_directory_that_was_removed_is_made_again),
		TEST(the_program_is_replaced_as_a_whole_and_only_when_it_differs),
		cmocka_unit_test(a_fight_slows_down_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
