#include "control/report/node_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/admin/view.h"

#define S UINT64_C(1000000000)

static const struct readiness ready = { true, "Ready", "all is well" },
			      down = { false, "UplinkDown", "the uplink eth0 is down" },
			      stuck = { false, "WorkerStuck", "worker 1 makes no progress" };

/* As the API server has it: conditions and taints as JSON, "" for none. */
static void
see(struct api_own_node *node, const char *conditions, const char *taints)
{
	json_t *object;
	char *text;

	assert_true(asprintf(&text,
			    "{\"metadata\": {\"name\": \"a\", \"resourceVersion\": \"7\", \"uid\": \"u\"}, "
			    "\"spec\": {\"taints\": [%s]}, \"status\": {\"conditions\": [%s]}}",
			    taints, conditions) > 0);
	object = json_loads(text, 0, NULL);
	assert_non_null(object);
	assert_false(api_own_node_note(node, "b", object));
	assert_true(api_own_node_note(node, "a", object));
	json_decref(object);
	free(text);
}

static void
see_condition(struct api_own_node *node, const struct readiness *r)
{
	char *text;

	assert_true(asprintf(&text,
			    "{\"type\": \"Ready\", \"status\": \"True\"}, {\"type\": \"RingwayReady\", "
			    "\"status\": \"%s\", \"reason\": \"%s\", \"message\": \"%s\", "
			    "\"lastTransitionTime\": \"2026-01-02T03:04:05Z\"}",
			    r->is_ready ? "True" : "False", r->reason, r->message) > 0);
	see(node, text, "");
	free(text);
}

static void
ready_is_who_has_heard_all_and_is_what_runtimes_take(void **state)
{
	struct view v = { .is_ready = true, .not_ready_word = "Ready", .saved_s = -1 };

	assert_true(readiness_of(&v, NULL).is_ready);
	assert_string_equal(readiness_of(&v, "another is first").message, "another is first");
	assert_false(readiness_of(&v, "another is first").is_ready);
	/* what was saved may be of last week: packets flow, but the taint has to stay */
	v.saved_s = 0;
	assert_false(readiness_of(&v, NULL).is_ready);
	assert_string_equal(readiness_of(&v, NULL).reason, "NotSynced");
	v = (struct view){ .not_ready_word = "UplinkDown", .not_ready = "it is down", .saved_s = -1 };
	assert_false(readiness_of(&v, NULL).is_ready);
	assert_string_equal(readiness_of(&v, "another is first").message, "it is down");
}

static void
it_is_written_when_the_node_is_known_and_lacks_it(void **state)
{
	struct condition_keeper k = { 0 };
	struct api_own_node node = { 0 };

	assert_false(condition_is_due(&k, &ready, &node, S));
	see(&node, "{\"type\": \"Ready\", \"status\": \"True\"}", "");
	assert_true(condition_is_due(&k, &ready, &node, S));
	/* it may just be starting */
	assert_false(condition_is_due(&k, &down, &node, S));
	assert_true(condition_is_due(&k, &down, &node, 21 * S));
	k = (struct condition_keeper){ 0 };
	condition_told(&k, &ready, node.n_seen, 2 * S);
	/* it comes back by the watch, later; much later where watches fail */
	assert_false(condition_is_due(&k, &ready, &node, 3 * S));
	assert_false(condition_is_due(&k, &ready, &node, 300 * S));
	see_condition(&node, &ready);
	assert_false(condition_is_due(&k, &ready, &node, 4 * S));
	assert_false(condition_is_due(&k, &ready, &node, 40000 * S));
	/* somebody took it away */
	see(&node, "", "");
	assert_true(condition_is_due(&k, &ready, &node, 40001 * S));
	api_own_node_fini(&node);
}

static void
not_being_ready_is_told_once_it_has_lasted(void **state)
{
	struct condition_keeper k = { 0 };
	struct api_own_node node = { 0 };

	see_condition(&node, &ready);
	assert_false(condition_is_due(&k, &down, &node, 100 * S));
	assert_false(condition_is_due(&k, &stuck, &node, 119 * S));
	/* an upgrade is over before */
	assert_false(condition_is_due(&k, &ready, &node, 119 * S));
	assert_false(condition_is_due(&k, &down, &node, 120 * S));
	assert_false(condition_is_due(&k, &down, &node, 139 * S));
	assert_true(condition_is_due(&k, &down, &node, 140 * S));
	assert_true(condition_is_transition(&down, &node));
	condition_told(&k, &down, node.n_seen, 140 * S);
	see_condition(&node, &down);
	assert_false(condition_is_due(&k, &down, &node, 141 * S));
	/* another reason is told, but not at once */
	assert_false(condition_is_due(&k, &stuck, &node, 142 * S));
	assert_true(condition_is_due(&k, &stuck, &node, 170 * S));
	assert_false(condition_is_transition(&stuck, &node));
	/* being ready again is told when it has lasted, too: what others undo at once would have it flap */
	assert_false(condition_is_due(&k, &ready, &node, 200 * S));
	assert_false(condition_is_due(&k, &down, &node, 205 * S));
	assert_false(condition_is_due(&k, &ready, &node, 206 * S));
	assert_false(condition_is_due(&k, &ready, &node, 215 * S));
	assert_true(condition_is_due(&k, &ready, &node, 216 * S));
	api_own_node_fini(&node);
}

static void
expect_patch(char *text, const char *expected)
{
	json_t *a = json_loads(text, 0, NULL), *b = json_loads(expected, 0, NULL);

	assert_non_null(b);
	if (!json_equal(a, b))
		assert_string_equal(text, expected);
	json_decref(a);
	json_decref(b);
	free(text);
}

static void
the_patch_is_of_our_condition_alone(void **state)
{
	struct api_own_node node = { 0 };

	see_condition(&node, &ready);
	expect_patch(condition_patch(&down, &node, 1790000000),
		"{\"status\": {\"conditions\": [{\"type\": \"RingwayReady\", \"status\": \"False\", "
		"\"reason\": \"UplinkDown\", \"message\": \"the uplink eth0 is down\", "
		"\"lastHeartbeatTime\": \"2026-09-21T14:13:20Z\", "
		"\"lastTransitionTime\": \"2026-09-21T14:13:20Z\"}]}}");
	/* the time of the transition stays while there is none */
	see_condition(&node, &stuck);
	expect_patch(condition_patch(&down, &node, 1790000000),
		"{\"status\": {\"conditions\": [{\"type\": \"RingwayReady\", \"status\": \"False\", "
		"\"reason\": \"UplinkDown\", \"message\": \"the uplink eth0 is down\", "
		"\"lastHeartbeatTime\": \"2026-09-21T14:13:20Z\", "
		"\"lastTransitionTime\": \"2026-01-02T03:04:05Z\"}]}}");
	api_own_node_fini(&node);
}

static void
no_other_taint_is_lost(void **state)
{
	struct api_own_node node = { 0 };

	see(&node, "", "{\"key\": \"x\", \"effect\": \"NoSchedule\"}");
	assert_false(taint_is_there(&node));
	see(&node, "",
		"{\"key\": \"ringway.io/not-ready\", \"effect\": \"NoExecute\"}, {\"key\": \"x\", \"value\": "
		"\"1\", \"effect\": \"NoSchedule\", \"timeAdded\": \"2026-01-02T03:04:05Z\"}, "
		"{\"key\": \"ringway.io/not-ready\", \"effect\": \"NoSchedule\"}");
	assert_true(taint_is_there(&node));
	expect_patch(taint_patch(&node),
		"{\"metadata\": {\"resourceVersion\": \"7\"}, \"spec\": {\"taints\": [{\"key\": \"x\", "
		"\"value\": \"1\", \"effect\": \"NoSchedule\", \"timeAdded\": \"2026-01-02T03:04:05Z\"}]}}");
	see(&node, "", "{\"key\": \"ringway.io/not-ready\", \"effect\": \"NoSchedule\"}");
	expect_patch(taint_patch(&node),
		"{\"metadata\": {\"resourceVersion\": \"7\"}, \"spec\": {\"taints\": []}}");
	see(&node, "", "");
	assert_false(taint_is_there(&node));
	api_own_node_fini(&node);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_is_who_has_heard_all_and_is_what_runtimes_take),
		cmocka_unit_test(it_is_written_when_the_node_is_known_and_lacks_it),
		cmocka_unit_test(not_being_ready_is_told_once_it_has_lasted),
		cmocka_unit_test(the_patch_is_of_our_condition_alone),
		cmocka_unit_test(no_other_taint_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
