/* Which networks of services the configuration lacks. */
#include "control/admin/service_networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/config.h"
#include "control/model/store.h"
#include "tests/support/objects.h"
#include "tests/support/yaml_objects.h"

#define OBJECT(name, cidrs)                                                           \
	"apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: " name \
	"}\nspec: {cidrs: [" cidrs "]}\n"

/* The texts with these networks in the configuration, each with an end of line. */
static const char *
texts(const struct store *s, char *const *networks, size_t n)
{
	static char all[1024];
	struct config config = { .cluster.service_cidrs = { n, (char **)networks } };
	json_t *list = service_networks_texts(s, &config);
	const json_t *text;
	size_t i;

	*all = '\0';
	json_array_foreach (list, i, text) {
		strcat(all, json_string_value(text));
		strcat(all, "\n");
	}
	json_decref(list);
	return all;
}

static void
a_network_that_is_within_a_configured_one_is_not_told(void **state)
{
	char *wide[] = { "10.96.0.0/12", "fd00:10:96::/108" },
	     *exact[] = { "10.96.0.0/16", "fd00:10:96::/112" },
	     *narrow[] = { "10.96.0.0/17", "fd00:10:96::/112" }, *other[] = { "::/0" };
	struct store *s = store_new();

	assert_string_equal(texts(s, NULL, 0), "");
	put_yaml(s, OBJECT("kubernetes", "10.96.0.0/16, 'fd00:10:96::/112'"));
	assert_string_equal(texts(s, wide, 2), "");
	assert_string_equal(texts(s, exact, 2), "");
	assert_string_equal(
		texts(s, narrow, 2), "10.96.0.0/16 of ServiceCIDR kubernetes " SERVICE_NETWORK_PROBLEM "\n");
	assert_string_equal(
		texts(s, other, 1), "10.96.0.0/16 of ServiceCIDR kubernetes " SERVICE_NETWORK_PROBLEM "\n");
	assert_string_equal(texts(s, NULL, 0),
		"10.96.0.0/16 of ServiceCIDR kubernetes " SERVICE_NETWORK_PROBLEM "\n"
		"fd00:10:96::/112 of ServiceCIDR kubernetes " SERVICE_NETWORK_PROBLEM "\n");
	store_free(s);
}

static void
services_with_addresses_there_are_told(void **state)
{
	char *networks[] = { "10.96.0.0/16", "10.97.128.0/17" };
	struct store *s = store_new();

	put_yaml(s, OBJECT("more", "10.97.0.0/16"));
	put_service(s, "shop", "old", NULL, NULL, "10.96.0.10", NULL, 80, 6);
	put_service(s, "shop", "served", NULL, NULL, "10.97.128.10", NULL, 80, 6);
	put_service(s, "shop", "web", NULL, NULL, "10.97.0.10", "fd00:10:96::10", 80, 6);
	assert_string_equal(texts(s, networks, 2), "10.97.0.0/16 of ServiceCIDR more " SERVICE_NETWORK_PROBLEM
						   "; 1 has an address there: shop/web\n");
	put_service(s, "shop", "api", NULL, NULL, "10.97.0.11", NULL, 80, 6);
	assert_string_equal(texts(s, networks, 2), "10.97.0.0/16 of ServiceCIDR more " SERVICE_NETWORK_PROBLEM
						   "; 2 have an address there: shop/api and others\n");
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_that_is_within_a_configured_one_is_not_told),
		cmocka_unit_test(services_with_addresses_there_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
