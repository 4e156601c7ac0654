#include "control/source/files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/model/network_policy.h"
#include "control/model/store.h"

struct fixture {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct source *source;
	unsigned n_changes;
};

static void
changed(void *arg)
{
	((struct fixture *)arg)->n_changes++;
}

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_files.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->loop = loop_new();
	f->store = store_new();
	log_set_sink(quiet, NULL);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	source_free(f->source);
	store_free(f->store);
	loop_free(f->loop);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void
start(struct fixture *f)
{
	struct source_config config = { f->dir, f->store, f->loop, changed, f };

	assert_int_equal(source_new(&f->source, &config), 0);
}

static void
write_file(struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void
rename_file(struct fixture *f, const char *from, const char *to)
{
	char a[256], b[256];

	snprintf(a, sizeof(a), "%s/%s", f->dir, from);
	snprintf(b, sizeof(b), "%s/%s", f->dir, to);
	assert_int_equal(rename(a, b), 0);
}

static void
unlink_file(struct fixture *f, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(unlink(path), 0);
}

/* Runs the loop until there was a change, or nothing for 300 ms. */
static void
run(struct fixture *f)
{
	unsigned before = f->n_changes;
	uint64_t end = clock_now_ns() + 300 * NS_PER_MS;

	while (f->n_changes == before && clock_now_ns() < end)
		loop_round(f->loop, 50);
}

static bool
has(struct fixture *f, const char *name)
{
	return store_get(f->store, OBJECT_NAMESPACE, "", name) != NULL;
}

struct texts {
	size_t n;
	char text[8][256];
};

static void
keep_text(const char *text, int64_t since_s, void *arg)
{
	struct texts *t = arg;

	assert_true(since_s > 0);
	snprintf(t->text[t->n++ % 8], sizeof(t->text[0]), "%s", text);
}

static void
assert_errors(struct fixture *f, size_t n, const char *first)
{
	struct texts t = { 0 };

	source_each_error(f->source, keep_text, &t);
	assert_int_equal(t.n, n);
	assert_int_equal(source_n_errors(f->source), n);
	if (n != 0)
		assert_string_equal(t.text[0], first);
}

#define NS(name) "apiVersion: v1\nkind: Namespace\nmetadata: {name: " name "}\n"

static void
test_first_reading(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", NS("a1") "---\n" NS("a2"));
	write_file(f, "b.json",
		"{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n"
		"{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"b1\"}}]}");
	write_file(f, "c.yml", NS("c1"));
	write_file(f, "d.txt", NS("d1"));
	write_file(f, ".e.yaml", NS("e1"));
	write_file(f, "f.yaml", "apiVersion: x.io/v1\nkind: Thing\n");
	start(f);
	assert_errors(f, 0, NULL);
	assert_int_equal(store_count(f->store, OBJECT_NAMESPACE), 4);
	assert_string_equal(store_get(f->store, OBJECT_NAMESPACE, "", "a2")->origin, "a.yaml:5");
	assert_string_equal(store_get(f->store, OBJECT_NAMESPACE, "", "b1")->origin, "b.json:2");
	assert_int_equal(source_n_files(f->source), 4);
}

static void
test_changes_are_seen(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	start(f);
	write_file(f, "a.yaml", NS("a1") "---\n" NS("a2"));
	run(f);
	assert_true(has(f, "a1") && has(f, "a2"));

	/* only what differs is put anew */
	generation = store_generation(f->store, OBJECT_NAMESPACE);
	write_file(f, "a.yaml", "# moved down\n" NS("a1") "---\n" NS("a3"));
	run(f);
	assert_true(has(f, "a1") && !has(f, "a2") && has(f, "a3"));
	assert_int_equal(store_generation(f->store, OBJECT_NAMESPACE), generation + 2);

	write_file(f, "a.new", NS("a4"));
	rename_file(f, "a.new", "a.yaml");
	run(f);
	assert_true(!has(f, "a1") && has(f, "a4"));

	rename_file(f, "a.yaml", "b.yaml");
	run(f);
	run(f);
	assert_true(has(f, "a4"));
	assert_errors(f, 0, NULL);

	unlink_file(f, "b.yaml");
	run(f);
	assert_false(has(f, "a4"));
	assert_int_equal(source_n_files(f->source), 0);
}

/* vim moves the old file away, then writes the new one: the objects must not go for an instant. */
static void
test_a_file_moved_away_and_written_anew(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	write_file(f, "a.yaml", NS("a1"));
	start(f);
	generation = store_generation(f->store, OBJECT_NAMESPACE);
	rename_file(f, "a.yaml", "a.yaml~");
	loop_round(f->loop, 100);
	write_file(f, "a.yaml", NS("a1"));
	run(f);
	assert_true(has(f, "a1"));
	assert_int_equal(store_generation(f->store, OBJECT_NAMESPACE), generation);
}

static void
test_a_bad_file_changes_nothing(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", NS("a1"));
	start(f);
	write_file(f, "a.yaml", NS("a2") "---\n" NS("A"));
	run(f);
	assert_errors(f, 1,
		"a.yaml:7: metadata.name: \"A\" is not a name: at most 253 of a-z, 0-9, '-' and '.', a "
		"letter or digit at "
		"both ends (Namespace A)");
	assert_true(has(f, "a1") && !has(f, "a2"));
	write_file(f, "a.yaml", "a: [\n");
	run(f);
	assert_int_equal(source_n_errors(f->source), 1);
	assert_true(has(f, "a1"));
	write_file(f, "a.yaml", NS("a2"));
	run(f);
	assert_errors(f, 0, NULL);
	assert_true(!has(f, "a1") && has(f, "a2"));
}

static void
test_the_first_of_two_stays(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", NS("x"));
	write_file(f, "b.yaml", NS("b") "---\n" NS("x"));
	start(f);
	assert_errors(f, 1,
		"b.yaml:5: Namespace x is given at a.yaml:1 already, which stays in force; remove one of "
		"them");
	assert_true(has(f, "b"));
	assert_string_equal(store_get(f->store, OBJECT_NAMESPACE, "", "x")->origin, "a.yaml:1");
	unlink_file(f, "a.yaml");
	run(f);
	assert_errors(f, 0, NULL);
	assert_string_equal(store_get(f->store, OBJECT_NAMESPACE, "", "x")->origin, "b.yaml:5");

	write_file(f, "b.yaml", NS("x") "---\n" NS("x"));
	run(f);
	assert_errors(f, 1,
		"b.yaml:5: Namespace x is given at b.yaml:1 already, which stays in force; remove one of "
		"them");
}

/* As kubelet mounts a ConfigMap: name -> ..data/name, ..data -> ..timestamp. */
static void
test_links_swapped(void **state)
{
	struct fixture *f = *state;
	char path[256];

	for (int i = 1; i <= 2; i++) {
		snprintf(path, sizeof(path), "%s/..v%d", f->dir, i);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	write_file(f, "..v1/a.yaml", NS("v1"));
	write_file(f, "..v2/a.yaml", NS("v2"));
	snprintf(path, sizeof(path), "%s/..data", f->dir);
	assert_int_equal(symlink("..v1", path), 0);
	snprintf(path, sizeof(path), "%s/a.yaml", f->dir);
	assert_int_equal(symlink("..data/a.yaml", path), 0);
	start(f);
	assert_true(has(f, "v1"));
	snprintf(path, sizeof(path), "%s/..data_tmp", f->dir);
	assert_int_equal(symlink("..v2", path), 0);
	rename_file(f, "..data_tmp", "..data");
	run(f);
	assert_true(!has(f, "v1") && has(f, "v2"));
}

static void
test_the_directory_comes_later(void **state)
{
	struct fixture *f = *state;
	char text[256];
	uint64_t end = clock_now_ns() + 5 * NS_PER_S;

	assert_int_equal(rmdir(f->dir), 0);
	start(f);
	snprintf(text, sizeof(text),
		"cluster.manifests: %s: No such file or directory; what it gave before stays in force",
		f->dir);
	assert_errors(f, 1, text);
	assert_int_equal(store_count(f->store, OBJECT_UNREAD_POLICY), 1);
	assert_int_equal(mkdir(f->dir, 0700), 0);
	write_file(f, "a.yaml", NS("a1"));
	while (!has(f, "a1") && clock_now_ns() < end)
		run(f);
	assert_true(has(f, "a1"));
	assert_errors(f, 0, NULL);
	assert_int_equal(store_count(f->store, OBJECT_UNREAD_POLICY), 0);
	write_file(f, "b.yaml", NS("b1"));
	run(f);
	assert_true(has(f, "b1"));
}

/* --- what is wrong from the start */

#define POLICY(name, ns, spec)                                                                             \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " name ", namespace: " ns \
	"}\nspec: " spec "\n"

static void
append_unread(const struct object *object, void *arg)
{
	const struct unread_policy_object *u = (const struct unread_policy_object *)object;
	bool is_of_all = u->pods.match_labels.n == 0 && u->pods.n_expressions == 0;
	char *text = arg;

	snprintf(text + strlen(text), 512 - strlen(text), "%s|%s%s\n", object->ns, object->origin,
		is_of_all ? "" : "|selected");
}

static void
assert_unread(struct fixture *f, const char *expected)
{
	char text[512] = "";

	store_each(f->store, OBJECT_UNREAD_POLICY, append_unread, text);
	assert_string_equal(text, expected);
}

static void
test_a_start_with_a_policy_that_has_an_error(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		NS("a1") "---\n" POLICY("x", "shop", "{podSelector: {}, ingres: []}") "---\n" POLICY("b",
			"bank",
			"{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{}]}]}") "---\n" POLICY("g"
													   "o"
													   "o"
													   "d",
			"shop", "{podSelector: {}}"));
	start(f);
	assert_int_equal(source_n_errors(f->source), 2);
	assert_unread(
		f, "bank|a.yaml:10 (NetworkPolicy bank/b)|selected\nshop|a.yaml:5 (NetworkPolicy shop/x)\n");
	/* what can be read counts */
	assert_true(has(f, "a1"));
	assert_non_null(store_get(f->store, OBJECT_NETWORK_POLICY, "shop", "good"));
	/* not half: all that was wrong is closed until nothing is wrong */
	write_file(f, "a.yaml", NS("a2") "---\n" POLICY("x", "shop", "{podSelector: {}, ingres: []}"));
	run(f);
	assert_true(has(f, "a1") && !has(f, "a2"));
	assert_int_equal(store_count(f->store, OBJECT_UNREAD_POLICY), 2);
	write_file(f, "a.yaml", NS("a2") "---\n" POLICY("x", "shop", "{podSelector: {}, ingress: []}"));
	run(f);
	assert_errors(f, 0, NULL);
	assert_unread(f, "");
	assert_true(has(f, "a2") && !has(f, "a1"));
	/* from here on the file was fine, and keeps what it gave */
	write_file(f, "a.yaml", POLICY("x", "shop", "{podSelector: {}, ingres: []}"));
	run(f);
	assert_int_equal(source_n_errors(f->source), 1);
	assert_unread(f, "");
	assert_non_null(store_get(f->store, OBJECT_NETWORK_POLICY, "shop", "x"));
	/* as a file that comes with an error changes nothing */
	write_file(f, "b.yaml", NS("b1") "---\n" POLICY("z", "shop", "{podSelector: {}, ingres: []}"));
	run(f);
	assert_int_equal(source_n_errors(f->source), 2);
	assert_unread(f, "");
	assert_false(has(f, "b1"));
}

static void
test_a_file_with_an_error_goes(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", POLICY("x", "shop", "{podSelector: {}, ingres: []}"));
	start(f);
	assert_int_equal(store_count(f->store, OBJECT_UNREAD_POLICY), 1);
	unlink_file(f, "a.yaml");
	run(f);
	run(f);
	assert_unread(f, "");
	assert_errors(f, 0, NULL);
}

#define HEAD "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"

/* What is known of policies, by a file's text. */
static void
test_what_is_known_of_unread_policies(void **state)
{
	static const struct {
		const char *text, *unread;
	} cases[] = {
		/* documents with errors */
		{ "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: "
		  "shop}\n",
			"shop|a.yaml:1 (NetworkPolicy shop/x)\n" },
		{ HEAD "metadata: {name: x}\nspec: []\n", "default|a.yaml:1 (NetworkPolicy default/x)\n" },
		{ HEAD "metadata: {name: x, namespace: Shop}\n", "|a.yaml:1 (NetworkPolicy x)\n" },
		{ HEAD "metadata: shop\n", "|a.yaml:1 (NetworkPolicy)\n" },
		{ HEAD "metadata: {namespace: shop}\n", "shop|a.yaml:1 (NetworkPolicy in shop)\n" },
		{ "Kind: NetworkPolicy\nmetadata: {name: x, namespace: shop}\n", "|a.yaml:1\n" },
		{ "[NetworkPolicy]\n", "|a.yaml:1\n" },
		{ "hello\n", "" },
		{ "kind: NetworkPolicyList\napiVersion: networking.k8s.io/v1\nitems:\n- kind: "
		  "NetworkPolicy\n",
			"|a.yaml:1\n" },
		{ "kind: List\napiVersion: v1\nitems: {kind: NetworkPolicy}\n", "|a.yaml:1\n" },
		{ "kind: List\napiVersion: v1\nitems:\n- kind: List\n  items: [{kind: NetworkPolicy}]\n",
			"|a.yaml:4\n" },
		{ "kind: Pod\napiVersion: v1\nmetadata: {name: NetworkPolicy}\n", "" },
		/* texts that are no YAML */
		{ HEAD "metadata:\n  name: x\n  namespace: shop\nspec:\n  podSelector: {}\n ingress: []\n",
			"shop|a.yaml:8 (NetworkPolicy shop/x)\n" },
		{ HEAD "metadata:\n  name: x\n  namespace: shop\nspec:\n  podSelector: {\n",
			"shop|a.yaml:8 (NetworkPolicy shop/x)\n" },
		{ HEAD "metadata: {name: x, namespace: shop}\nspec: [\nstatus: {}\n---\n" NS("a1"),
			"shop|a.yaml:6 (NetworkPolicy shop/x)\n" },
		/* the first document's quote ends nowhere, and the second is read all the same */
		{ HEAD "metadata: {name: \"x, namespace: shop}\n---\n" NS("a1"), "|a.yaml:4\n" },
		{ NS("a1") "---\n" HEAD "metadata: {name: x}\nspec: [\n", "|a.yaml:9\n" },
		{ HEAD "metadata:\n\tnamespace: shop\n", "|a.yaml:4\n" },
		{ "kind: ConfigMap\nmetadata: {name: NetworkPolicy}\ndata: [\n", "" },
		{ "kind: List\nmetadata: {name: NetworkPolicy}\nitems: [\n", "|a.yaml:4\n" },
		{ "kind: [\n", "" },
		/* what stands before the error is another document, or ends one */
		{ "kind: ConfigMap\nmetadata: {name: x}\n...\nkind: NetworkPolicy\n bad\n", "|a.yaml:4\n" },
		{ "kind: ConfigMap\nmetadata: {name: x}\r---\rkind: NetworkPolicy\rspec: [\r",
			"|a.yaml:6\n" },
		{ "kind: ConfigMap\nmetadata: {name: x}\u2028---\u2028kind: NetworkPolicy\u2028spec: [\u2028",
			"|a.yaml:6\n" },
		{ "kind: ConfigMap\n...\n" HEAD "metadata: {name: x}\nspec: [\n", "|a.yaml:3\n" },
		{ "{\"kind\": \"NetworkPolicy\", \"metadata\": {\"namespace\": \"shop\"}, \"spec\": {\n",
			"|a.yaml:2\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(f, "a.yaml", cases[i].text);
		start(f);
		if (strstr(cases[i].text, "kind: Pod\n") == NULL)
			assert_int_equal(source_n_errors(f->source), 1);
		assert_unread(f, cases[i].unread);
		assert_int_equal(has(f, "a1"), strstr(cases[i].text, "name: a1") != NULL);
		source_free(f->source);
		store_free(f->store);
		f->store = store_new();
	}
	f->source = NULL;
}

static void
test_a_start_with_a_file_that_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/a.yaml", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	start(f);
	assert_unread(f, "|a.yaml\n");
	assert_int_equal(rmdir(path), 0);
	write_file(f, "a.yaml", NS("a1"));
	run(f);
	run(f);
	assert_unread(f, "");
	assert_true(has(f, "a1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_are_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_moved_away_and_written_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_bad_file_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_first_of_two_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_swapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_directory_comes_later, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_start_with_a_policy_that_has_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_with_an_error_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_known_of_unread_policies, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_start_with_a_file_that_cannot_be_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
