#include "control/source/api/api_scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "control/model/store.h"
#include "tests/support/objects.h"
#include "tests/support/yaml_objects.h"

#define S UINT64_C(1000000000)
#define GRACE (300 * S)

static void
it_is_narrow_again_when_none_was_needed_for_a_while(void **state)
{
	struct api_scope s = { 0 };

	assert_int_equal(api_scope_look(&s, false, 1 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, true, 2 * S, GRACE), API_SCOPE_WIDEN);
	assert_int_equal(api_scope_look(&s, true, 3 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, false, 400 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, false, 699 * S, GRACE), API_SCOPE_STAY);
	/* needed in between */
	assert_int_equal(api_scope_look(&s, true, 699 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, false, 700 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, false, 999 * S, GRACE), API_SCOPE_STAY);
	assert_true(s.is_wide);
	assert_int_equal(api_scope_look(&s, false, 1000 * S, GRACE), API_SCOPE_NARROW);
	assert_false(s.is_wide);
	assert_int_equal(api_scope_look(&s, false, 1001 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, true, 1002 * S, GRACE), API_SCOPE_WIDEN);
	/* the while begins anew */
	assert_int_equal(api_scope_look(&s, false, 5000 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, false, 5299 * S, GRACE), API_SCOPE_STAY);
	assert_int_equal(api_scope_look(&s, false, 5300 * S, GRACE), API_SCOPE_NARROW);
}

static void
put_policy(struct store *s, const char *text)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n%s", text);
	put_yaml(s, yaml);
}

static void
only_policies_with_pods_as_peers_beside_own_pods_need_others(void **state)
{
	struct store *s = store_new();

	assert_false(api_scope_needs_all(s, "a"));
	put_pod(s, "shop", "here", "a", NULL, NULL, NULL, NULL);
	put_pod(s, "other", "there", "b", NULL, NULL, NULL, NULL);
	put_policy(s, "metadata: {name: p, namespace: other}\nspec: {podSelector: {}, ingress: [{from: "
		      "[{podSelector: {}}]}]}\n");
	put_policy(s, "metadata: {name: p, namespace: aaa}\nspec: {podSelector: {}, ingress: [{from: "
		      "[{namespaceSelector: {}}]}]}\n");
	put_policy(s,
		"metadata: {name: p, namespace: shop}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: "
		"{cidr: 10.0.0.0/8}}]}, {ports: [{port: 80}]}]}\n");
	assert_false(api_scope_needs_all(s, "a"));
	assert_true(api_scope_needs_all(s, "b"));
	put_policy(s, "metadata: {name: q, namespace: shop}\nspec: {podSelector: {}, policyTypes: [Egress], "
		      "egress: "
		      "[{to: [{podSelector: {}}]}]}\n");
	assert_true(api_scope_needs_all(s, "a"));
	assert_false(api_scope_needs_all(s, "c"));
	store_remove(s, OBJECT_POD, "shop", "here");
	assert_false(api_scope_needs_all(s, "a"));
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_narrow_again_when_none_was_needed_for_a_while),
		cmocka_unit_test(only_policies_with_pods_as_peers_beside_own_pods_need_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
