/* What the program asks for and what conf/kubernetes/rbac.yaml allows are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/source/api/api_kind.h"
#include "control/source/yaml.h"

/* "group resource verb", each once and in order. */
#define RIGHTS_MAX 64
struct rights {
	size_t n;
	char *items[RIGHTS_MAX];
};

static void
add(struct rights *r, const char *group, const char *resource, const char *verb)
{
	char *text;

	assert_true(asprintf(&text, "\"%s\" %s %s", group, resource, verb) > 0);
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->items[i], text) == 0) {
			free(text);
			return;
		}
	assert_true(r->n < RIGHTS_MAX);
	r->items[r->n++] = text;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
rights_print(struct rights *r, char *out, size_t size)
{
	size_t len = 0;

	qsort(r->items, r->n, sizeof(*r->items), compare);
	*out = '\0';
	for (size_t i = 0; i < r->n; i++) {
		len += (size_t)snprintf(out + len, size - len, "%s\n", r->items[i]);
		assert_true(len < size);
		free(r->items[i]);
	}
}

/* "/apis/discovery.k8s.io/v1/endpointslices" or "/api/v1/pods" */
static void
add_reading(struct rights *r, const char *path)
{
	char group[64] = "";
	const char *resource = strrchr(path, '/') + 1;

	if (strncmp(path, "/apis/", 6) == 0)
		snprintf(group, sizeof(group), "%.*s", (int)strcspn(path + 6, "/"), path + 6);
	else
		assert_memory_equal(path, "/api/v1/", 8);
	add(r, group, resource, "list");
	add(r, group, resource, "watch");
}

static void
add_asked(struct rights *r)
{
	for (unsigned i = 0; i < N_API_KINDS; i++)
		for (unsigned v = 0; v < api_kinds[i].n_versions; v++)
			add_reading(r, api_kinds[i].versions[v].path);
	for (unsigned i = 0; i < N_API_WRITES; i++)
		for (unsigned v = 0; v < 2 && api_write_rights[i].verbs[v] != NULL; v++)
			add(r, "", api_write_rights[i].resource, api_write_rights[i].verbs[v]);
}

static void
add_rule(struct rights *r, const json_t *rule)
{
	const json_t *group, *resource, *verb;
	size_t i, j, k;

	json_array_foreach (json_object_get(rule, "apiGroups"), i, group)
		json_array_foreach (json_object_get(rule, "resources"), j, resource)
			json_array_foreach (json_object_get(rule, "verbs"), k, verb)
				add(r, json_string_value(group), json_string_value(resource),
					json_string_value(verb));
	assert_int_equal(json_object_size(rule), 3);
}

static void
add_allowed(struct rights *r)
{
	static char text[1 << 16];
	FILE *file = fopen(SOURCE_ROOT "/conf/kubernetes/rbac.yaml", "r");
	struct yaml_file *yaml;
	struct yaml_error error;
	unsigned n_roles = 0;
	size_t size;

	assert_non_null(file);
	size = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(yaml_file_parse(&yaml, text, size, &error), 0);
	for (size_t i = 0; i < yaml_n_documents(yaml); i++) {
		const json_t *doc = yaml_document(yaml, i), *rule;
		const char *kind = json_string_value(json_object_get(doc, "kind"));
		size_t k;

		if (strcmp(kind, "ClusterRole") != 0)
			continue;
		n_roles++;
		json_array_foreach (json_object_get(doc, "rules"), k, rule)
			add_rule(r, rule);
	}
	assert_int_equal(n_roles, 1);
	yaml_file_free(yaml);
}

static void
nothing_is_allowed_that_is_not_asked_for_and_the_other_way_round(void **state)
{
	struct rights asked = { 0 }, allowed = { 0 };
	char asked_text[4096], allowed_text[4096];

	add_asked(&asked);
	add_allowed(&allowed);
	rights_print(&asked, asked_text, sizeof(asked_text));
	rights_print(&allowed, allowed_text, sizeof(allowed_text));
	assert_string_equal(asked_text, allowed_text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_allowed_that_is_not_asked_for_and_the_other_way_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
