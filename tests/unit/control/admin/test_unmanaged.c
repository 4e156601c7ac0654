/* Which pods of a node another network attached. */
#include "control/admin/unmanaged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/model/store.h"
#include "tests/support/objects.h"

static struct pod_object *
pod(struct store *s, const char *name)
{
	return (struct pod_object *)store_get(s, OBJECT_POD, "shop", name);
}

static void
note(const struct pod_object *o, void *arg)
{
	strcat(arg, o->object.name);
	strcat(arg, " ");
}

static void
only_running_pods_of_this_node_with_an_address_of_their_own_count(void **state)
{
	static const char *const names[] = { "web", "elsewhere", "waiting", "of-the-node", "done",
		"leaving" };
	struct store *s = store_new();
	char found[256] = "";

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_pod(s, "shop", names[i], strcmp(names[i], "elsewhere") == 0 ? "b" : "a", NULL, NULL,
			strcmp(names[i], "waiting") == 0 ? NULL : "10.88.0.2", NULL);
	pod(s, "of-the-node")->host_network = true;
	pod(s, "done")->has_ended = true;
	pod(s, "leaving")->is_terminating = true;
	unmanaged_each(s, "a", NULL, note, found);
	assert_string_equal(found, "web ");
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_running_pods_of_this_node_with_an_address_of_their_own_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
