#include "control/offline/manifests.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char pod[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n";

static int
setup(void **state)
{
	static char dir[64];

	strcpy(dir, "/tmp/test_manifests.XXXXXX");
	*state = mkdtemp(dir);
	return *state == NULL;
}

static int
teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", (const char *)*state);
	return system(command);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

/* What was written about errors; the caller's to free. */
static char *
load(struct manifests *m, const char *dir, int wanted)
{
	char *text = NULL;
	size_t size;
	FILE *errors = open_memstream(&text, &size);

	assert_int_equal(manifests_load(m, dir, errors), wanted);
	fclose(errors);
	return text;
}

static void
objects_of_all_files_are_in_the_store(void **state)
{
	struct manifests m;
	char *errors;

	write_file(*state, "a.yaml", pod);
	write_file(*state, "b.json",
		"{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"shop\"}}");
	write_file(*state, "c.yml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n");
	write_file(*state, "notes.txt", "not: [a manifest");
	errors = load(&m, *state, 0);
	assert_string_equal(errors, "");
	assert_int_equal(m.n_errors, 0);
	assert_int_equal(m.n_files, 3);
	assert_non_null(store_get(m.store, OBJECT_POD, "shop", "web"));
	assert_non_null(store_get(m.store, OBJECT_NAMESPACE, "", "shop"));
	manifests_fini(&m);
	free(errors);
}

static void
errors_name_file_line_and_field(void **state)
{
	struct manifests m;
	char *errors;

	write_file(*state, "a.yaml", pod);
	write_file(*state, "b.yaml", pod);
	write_file(*state, "c.yaml",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop}\nspec:\n  hostNetwork: "
		"often\n");
	errors = load(&m, *state, 0);
	assert_int_equal(m.n_errors, 2);
	assert_non_null(strstr(errors, "b.yaml:1: Pod shop/web is given at a.yaml:1 already"));
	assert_non_null(strstr(errors, "c.yaml:5: spec.hostNetwork: "));
	assert_non_null(store_get(m.store, OBJECT_POD, "shop", "web"));
	manifests_fini(&m);
	free(errors);
}

static void
a_missing_directory_is_said(void **state)
{
	struct manifests m;
	char *errors = load(&m, "/nonexistent/manifests", -ENOENT);

	assert_string_equal(errors, "/nonexistent/manifests: No such file or directory\n");
	assert_null(m.store);
	manifests_fini(&m);
	free(errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(objects_of_all_files_are_in_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_name_file_line_and_field, setup, teardown),
		cmocka_unit_test(a_missing_directory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
