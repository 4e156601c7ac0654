#include "control/source/api/api_objects.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/log.h"
#include "control/model/network_policy.h"
#include "control/model/store.h"

struct fixture {
	struct store *store;
	struct api_objects *services, *policies, *nodes;
};

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static const struct api_kind *
kind_of(enum object_kind kind)
{
	for (unsigned i = 0; i < N_API_KINDS; i++)
		if (api_kinds[i].kind == kind)
			return &api_kinds[i];
	return NULL;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_sink(quiet, NULL);
	f->store = store_new();
	f->services = api_objects_new(f->store, kind_of(OBJECT_SERVICE));
	f->policies = api_objects_new(f->store, kind_of(OBJECT_NETWORK_POLICY));
	f->nodes = api_objects_new(f->store, kind_of(OBJECT_NODE));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	api_objects_free(f->services);
	api_objects_free(f->policies);
	api_objects_free(f->nodes);
	store_free(f->store);
	log_set_sink(NULL, NULL);
	free(f);
	return 0;
}

/* Returns as api_objects_put(); changed tells whether that was a change. */
static int
put(struct api_objects *o, const char *api_version, bool changed, const char *format, ...)
{
	char text[1024];
	va_list args;
	json_t *value;
	int result;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	value = json_loads(text, 0, NULL);
	assert_non_null(value);
	result = api_objects_put(o, value, api_version, NULL, 0);
	json_decref(value);
	assert_int_equal(api_objects_take_changed(o), changed);
	return result;
}

#define SERVICE                                                                                        \
	"{\"metadata\": {\"namespace\": \"default\", \"name\": \"%s\", \"resourceVersion\": \"%d\"}, " \
	"\"spec\": {\"clusterIP\": \"%s\", \"ports\": [{\"port\": 80}]}}"

static size_t
count(const struct fixture *f, enum object_kind kind)
{
	return store_count(f->store, kind);
}

static void
test_a_list_replaces_what_was_there_when_it_is_complete(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	api_objects_begin(f->services);
	assert_int_equal(put(f->services, "v1", true, SERVICE, "a", 1, "10.96.0.1"), 0);
	assert_int_equal(put(f->services, "v1", true, SERVICE, "b", 2, "10.96.0.2"), 0);
	assert_int_equal(api_objects_sweep(f->services, false), 0);
	assert_false(api_objects_take_changed(f->services));
	generation = store_generation(f->store, OBJECT_SERVICE);
	/* the same again, with another version: no change */
	api_objects_begin(f->services);
	put(f->services, "v1", false, SERVICE, "a", 7, "10.96.0.1");
	assert_int_equal(count(f, OBJECT_SERVICE), 2);
	assert_int_equal(store_generation(f->store, OBJECT_SERVICE), generation);
	/* a list that was not completed takes nothing away */
	api_objects_begin(f->services);
	put(f->services, "v1", false, SERVICE, "b", 8, "10.96.0.2");
	put(f->services, "v1", true, SERVICE, "c", 9, "10.96.0.3");
	assert_int_equal(count(f, OBJECT_SERVICE), 3);
	assert_int_equal(api_objects_sweep(f->services, false), 0);
	assert_true(api_objects_take_changed(f->services));
	assert_int_equal(count(f, OBJECT_SERVICE), 2);
	assert_null(store_get(f->store, OBJECT_SERVICE, "default", "a"));
}

static void
load(struct api_objects *o, const char *format, const char *name, const char *ip)
{
	char text[256];
	json_t *value;

	snprintf(text, sizeof(text), format, name, 1, ip);
	value = json_loads(text, 0, NULL);
	assert_int_equal(api_objects_load(o, value, "v1"), 0);
	json_decref(value);
}

static void
test_what_was_saved_stays_until_it_is_not_listed(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	/* also when a list has begun, which goes above it */
	api_objects_begin(f->services);
	put(f->services, "v1", true, SERVICE, "a", 5, "10.96.0.1");
	generation = store_generation(f->store, OBJECT_SERVICE);
	load(f->services, SERVICE, "a", "10.96.0.9");
	assert_int_equal(store_generation(f->store, OBJECT_SERVICE), generation);
	load(f->services, SERVICE, "b", "10.96.0.2");
	load(f->services, SERVICE, "c", "10.96.0.3");
	assert_true(api_objects_take_changed(f->services));
	assert_int_equal(count(f, OBJECT_SERVICE), 3);
	put(f->services, "v1", false, SERVICE, "b", 6, "10.96.0.2");
	assert_int_equal(api_objects_sweep(f->services, false), 0);
	assert_true(api_objects_take_changed(f->services));
	assert_int_equal(count(f, OBJECT_SERVICE), 2);
	assert_null(store_get(f->store, OBJECT_SERVICE, "default", "c"));
}

static void
test_heartbeats_are_no_changes(void **state)
{
	static const char node[] =
		"{\"metadata\": {\"name\": \"n\", \"resourceVersion\": \"%d\"},"
		" \"status\": {\"addresses\": [{\"type\": \"InternalIP\", \"address\": \"192.0.2.%d\"}],"
		" \"conditions\": [{\"lastHeartbeatTime\": \"%d\"}]}}";
	struct fixture *f = *state;

	put(f->nodes, "v1", true, node, 1, 1, 1);
	put(f->nodes, "v1", false, node, 2, 1, 2);
	put(f->nodes, "v1", true, node, 3, 2, 2);
}

static void
note(const char *text, int64_t since_s, void *arg)
{
	snprintf(arg, 256, "%s", text);
}

static void
test_what_cannot_be_used_leaves_what_was(void **state)
{
	struct fixture *f = *state;
	const struct service_object *service;
	char text[256];

	put(f->services, "v1", true, SERVICE, "a", 1, "10.96.0.1");
	assert_int_equal(put(f->services, "v1", true, SERVICE, "a", 2, "10.96.0.300"), 0);
	put(f->services, "v1", false, SERVICE, "a", 3, "10.96.0.300");
	assert_int_equal(api_objects_n_errors(f->services), 1);
	api_objects_each_error(f->services, note, text);
	assert_string_equal(text, "Service default/a: spec.clusterIP: \"10.96.0.300\" is not an IP address");
	service = (const struct service_object *)store_get(f->store, OBJECT_SERVICE, "default", "a");
	assert_int_equal(service->n_cluster_ips, 1);
	/* a complete list that has it keeps both; one without it keeps neither */
	api_objects_begin(f->services);
	put(f->services, "v1", false, SERVICE, "a", 3, "10.96.0.300");
	api_objects_sweep(f->services, false);
	assert_int_equal(api_objects_n_errors(f->services), 1);
	assert_int_equal(count(f, OBJECT_SERVICE), 1);
	api_objects_begin(f->services);
	api_objects_sweep(f->services, false);
	assert_int_equal(api_objects_n_errors(f->services), 0);
	assert_int_equal(count(f, OBJECT_SERVICE), 0);
	/* many are counted to a limit */
	for (int i = 0; i < 2 * API_OBJECT_ERRORS_MAX; i++) {
		char name[8];
		json_t *value = json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "namespace", "x", "name",
			(snprintf(name, sizeof(name), "n%d", i), name), "spec", "clusterIP", "bad");

		assert_int_equal(api_objects_put(f->services, value, "v1", NULL, 0), 0);
		json_decref(value);
	}
	assert_int_equal(api_objects_n_errors(f->services), API_OBJECT_ERRORS_MAX);
}

#define POLICY                                                                                        \
	"{\"metadata\": {\"namespace\": \"shop\", \"name\": \"p\"}, \"spec\": {\"podSelector\": {}, " \
	"\"ingress\": [{\"from\": [{\"ipBlock\": {\"cidr\": \"%s\"}}]}]}}"

/* Nobody knows what a policy allows that was never understood. */
static void
test_a_policy_that_was_never_understood_closes(void **state)
{
	struct fixture *f = *state;
	const char *const version = "networking.k8s.io/v1";
	json_t *gone = json_pack("{s:{s:s, s:s}}", "metadata", "namespace", "shop", "name", "p");

	put(f->policies, version, true, POLICY, "bad");
	assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 1);
	assert_non_null(store_get(f->store, OBJECT_UNREAD_POLICY, "shop", "p"));
	put(f->policies, version, true, POLICY, "10.0.0.0/8");
	assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 0);
	assert_int_equal(count(f, OBJECT_NETWORK_POLICY), 1);
	/* from here on it was */
	put(f->policies, version, true, POLICY, "bad");
	assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 0);
	assert_int_equal(count(f, OBJECT_NETWORK_POLICY), 1);
	api_objects_begin(f->policies);
	api_objects_sweep(f->policies, false);
	put(f->policies, version, true, POLICY, "bad");
	assert_int_equal(api_objects_remove(f->policies, gone), 0);
	assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 0);
	put(f->policies, version, true, POLICY, "bad");
	api_objects_begin(f->policies);
	api_objects_sweep(f->policies, false);
	assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 0);
	json_decref(gone);
}

/* The list that has begun goes above what was saved, also where it cannot be understood. */
static void
test_what_was_saved_does_not_open_what_is_closed(void **state)
{
	struct fixture *f = *state;
	const char *const version = "networking.k8s.io/v1", *const saved[] = { "bad", "10.0.0.0/8" };

	api_objects_begin(f->policies);
	put(f->policies, version, true, POLICY, "bad");
	for (size_t i = 0; i < 2; i++) {
		char text[256];
		json_t *value;

		snprintf(text, sizeof(text), POLICY, saved[i]);
		value = json_loads(text, 0, NULL);
		assert_int_equal(api_objects_load(f->policies, value, version), 0);
		json_decref(value);
		assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 1);
	}
	api_objects_sweep(f->policies, false);
	assert_int_equal(count(f, OBJECT_UNREAD_POLICY), 1);
	assert_int_equal(count(f, OBJECT_NETWORK_POLICY), 0);
	assert_int_equal(api_objects_n_errors(f->policies), 1);
	/* nor does it hide an error */
	api_objects_begin(f->services);
	put(f->services, "v1", true, SERVICE, "a", 1, "10.96.0.300");
	load(f->services, SERVICE, "a", "10.96.0.1");
	api_objects_sweep(f->services, false);
	assert_int_equal(api_objects_n_errors(f->services), 1);
}

static void
test_what_has_no_name_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put(f->services, "v1", false, "{}"), -EINVAL);
	assert_int_equal(put(f->services, "v1", false, "{\"metadata\": {\"name\": \"a\"}}"), -EINVAL);
	assert_int_equal(put(f->services, "v1", false, "{\"metadata\": {\"name\": 1, \"namespace\": \"a\"}}"),
		-EINVAL);
	assert_int_equal(put(f->nodes, "v1", false, "{\"metadata\": []}"), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_list_replaces_what_was_there_when_it_is_complete, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_was_saved_stays_until_it_is_not_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heartbeats_are_no_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_used_leaves_what_was, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_policy_that_was_never_understood_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_was_saved_does_not_open_what_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_has_no_name_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
