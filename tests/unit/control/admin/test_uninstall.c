/* What the daemon answers when it is asked to uninstall itself, and what it does not do from then on. */
#include "control/admin/uninstall.h"

#include "control/admin/cni.h"
#include "control/daemon.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/cni_conf_file.h"
#include "tests/support/scratch.h"

struct fixture {
	struct daemon daemon;
	struct admin_reply reply;
};

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

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
	log_set_sink(quiet, NULL);
	assert_int_equal(config_init(&f->daemon.config), 0);
	set(&f->daemon.config, "cni.confDir", "net.d");
	set(&f->daemon.config, "cni.binDir", "bin");
	set(&f->daemon.config, "run.dir", "run");
	set(&f->daemon.config, "state.dir", "state");
	f->daemon.loop = loop_new();
	assert_non_null(f->daemon.loop);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	json_decref(f->reply.json);
	loop_timer_free(f->daemon.end_timer);
	loop_free(f->daemon.loop);
	config_fini(&f->daemon.config);
	free(f);
	return scratch_remove(state);
}

static const json_t *
ask(struct fixture *f, admin_handler *handler, json_t *body)
{
	const struct admin_request req = { .body = body };

	json_decref(f->reply.json);
	f->reply = (struct admin_reply){ 0 };
	handler(&f->daemon, &req, &f->reply);
	json_decref(body);
	return f->reply.json;
}

/* Its runtime would hear that all is well, and the daemon would take its interface away. */
static void
no_pod_is_attached_between_the_answer_and_the_end(void **state)
{
	struct fixture *f = *state;

	assert_true(json_is_true(json_object_get(ask(f, uninstall_handle, NULL), "ends")));
	ask(f, cni_add, json_pack("{s:s, s:s}", "containerId", "c0", "ifname", "eth0"));
	assert_int_equal(f->reply.status, 409);
	assert_int_equal(json_integer_value(json_object_get(f->reply.json, "cniCode")), 11);
	ask(f, cni_commit, json_pack("{s:s, s:s}", "containerId", "c0", "ifname", "eth0"));
	assert_int_equal(f->reply.status, 409);
}

static void
a_configuration_that_cannot_be_removed_is_not_said_to_be_gone(void **state)
{
	struct fixture *f = *state;
	char out[64], *text = cni_conf_text("/run/ringway", "/var/lib/ringway");

	/* no file replaces ours */
	assert_int_equal(scratch_run(out, sizeof(out), "mkdir -p net.d/%s", CNI_CONF_KEPT), 0);
	scratch_write("net.d/" CNI_CONF_NAME, text);
	free(text);
	ask(f, uninstall_handle, NULL);
	assert_true(json_is_false(json_object_get(f->reply.json, "conf_goes")));
	assert_non_null(strstr(json_string_value(json_object_get(f->reply.json, "conf")), CNI_CONF_NAME));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_pod_is_attached_between_the_answer_and_the_end),
		TEST(a_configuration_that_cannot_be_removed_is_not_said_to_be_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
