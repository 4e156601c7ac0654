#include "control/offline/manifests.h"

#include <errno.h>

#include "tests/support/scratch.h"

static const char pod[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n";

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

	scratch_write("a.yaml", pod);
	scratch_write("b.json",
		"{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"shop\"}}");
	scratch_write("c.yml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n");
	scratch_write("notes.txt", "not: [a manifest");
	errors = load(&m, scratch_dir, 0);
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

	scratch_write("a.yaml", pod);
	scratch_write("b.yaml", pod);
	scratch_write("c.yaml",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop}\nspec:\n  hostNetwork: "
		"often\n");
	errors = load(&m, scratch_dir, 0);
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
		cmocka_unit_test_setup_teardown(
			objects_of_all_files_are_in_the_store, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(
			errors_name_file_line_and_field, scratch_make, scratch_remove),
		cmocka_unit_test(a_missing_directory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
