#include "control/report/cluster_events.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/admin/view.h"
#include "control/daemon.h"
#include "control/report/event_book.h"
#include "dataplane/clock.h"
#include "tests/support/objects.h"
#include "tests/support/yaml_objects.h"

#define NODES 20

/* Nodes that know the same objects. */
struct world {
	struct store *store;
	struct {
		struct daemon daemon;
		struct view view;
		struct cluster_events *events;
		char name[16];
	} nodes[NODES];
};

static void
make_world(struct world *w)
{
	*w = (struct world){ .store = store_new() };
	for (unsigned i = 0; i < NODES; i++) {
		snprintf(w->nodes[i].name, sizeof(w->nodes[i].name), "node-%u", i);
		put_node(w->store, w->nodes[i].name, NULL, NULL, NULL);
		w->nodes[i].daemon.store = w->store;
		w->nodes[i].daemon.config.node.name = w->nodes[i].name;
		w->nodes[i].daemon.event_book = event_book_new(w->nodes[i].name);
		w->nodes[i].events = cluster_events_new(&w->nodes[i].daemon);
	}
}

static void
free_world(struct world *w)
{
	for (unsigned i = 0; i < NODES; i++) {
		cluster_events_free(w->nodes[i].events);
		event_book_free(w->nodes[i].daemon.event_book);
	}
	store_free(w->store);
}

/* What a node has to say then: "reason object;" each, without saying it twice. */
static const char *
look(struct world *w, unsigned i)
{
	static char text[512];
	struct event_book *book = w->nodes[i].daemon.event_book;
	struct event_write write;
	uint64_t wait_ns;
	size_t len = 0;

	*text = '\0';
	cluster_events_look(w->nodes[i].events, &w->nodes[i].view,
		&(struct event_subject){ "Node", "v1", "", w->nodes[i].name, "" });
	while (event_book_next(book, clock_now_ns(), &write, &wait_ns)) {
		json_t *body = json_loads(write.body, 0, NULL);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s;",
			json_string_value(json_object_get(body, "reason")),
			json_string_value(json_object_get(json_object_get(body, "involvedObject"), "name")));
		json_decref(body);
		event_book_written(book, write.entry, 201);
		event_write_fini(&write);
	}
	return text;
}

static void
addresses_that_run_out_are_told_when_they_do(void **state)
{
	struct world w;
	struct address_range_view *range = &w.nodes[0].view.ranges[V4];

	make_world(&w);
	*range = (struct address_range_view){ "10.244.1.0/24", 100, 79 };
	assert_string_equal(look(&w, 0), "");
	range->used = 85;
	assert_string_equal(look(&w, 0), "PodAddressesLow node-0;");
	range->used = 86;
	assert_string_equal(look(&w, 0), "");
	range->used = 100;
	assert_string_equal(look(&w, 0), "PodAddressesUsedUp node-0;");
	assert_string_equal(look(&w, 0), "");
	/* it has become better, and worse again */
	range->used = 10;
	assert_string_equal(look(&w, 0), "");
	range->used = 90;
	assert_string_equal(look(&w, 0), "PodAddressesLow node-0;");
	free_world(&w);
}

static void
two_nodes_tell_what_all_see(void **state)
{
	unsigned tellers[NODES] = { 0 }, n_busy = 0;
	struct world w;

	make_world(&w);
	for (unsigned k = 0; k < 10; k++) {
		char text[128], expected[64];
		unsigned n = 0;

		snprintf(text, sizeof(text),
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: ns-%u, annotations: "
			"{ringway.io/policy-mode: audit}}\n",
			k);
		put_yaml(w.store, text);
		snprintf(expected, sizeof(expected), "PolicyAudit ns-%u;", k);
		for (unsigned i = 0; i < NODES; i++) {
			const char *said = look(&w, i);

			if (*said == '\0')
				continue;
			assert_string_equal(said, expected);
			tellers[i]++;
			n++;
		}
		assert_int_equal(n, 2);
	}
	/* not always the same ones */
	for (unsigned i = 0; i < NODES; i++)
		n_busy += tellers[i] != 0;
	assert_true(n_busy > 6);
	free_world(&w);
}

static void
two_nodes_tell_of_networks_of_services_that_the_configuration_lacks(void **state)
{
	char *networks[] = { "10.96.0.0/16" };
	struct world w;
	unsigned n = 0;

	make_world(&w);
	put_yaml(w.store,
		"apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\n"
		"spec: {cidrs: [10.96.0.0/16]}\n---\n"
		"apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: more}\n"
		"spec: {cidrs: [10.97.0.0/16]}\n");
	for (unsigned i = 0; i < NODES; i++) {
		const char *said;

		w.nodes[i].daemon.config.cluster.service_cidrs = (struct string_list){ 1, networks };
		said = look(&w, i);
		if (*said == '\0')
			continue;
		assert_string_equal(said, "ServiceCIDRNotConfigured more;");
		assert_string_equal(look(&w, i), "");
		n++;
	}
	assert_int_equal(n, 2);
	free_world(&w);
}

static void
two_nodes_say_that_policies_are_only_tried_out(void **state)
{
	struct world w;
	unsigned n = 0;

	make_world(&w);
	for (unsigned i = 0; i < NODES; i++) {
		char expected[64];
		const char *said;

		w.nodes[i].view.policy_mode = POLICY_MODE_AUDIT;
		said = look(&w, i);
		if (*said == '\0')
			continue;
		snprintf(expected, sizeof(expected), "PolicyAudit %s;", w.nodes[i].name);
		assert_string_equal(said, expected);
		assert_string_equal(look(&w, i), "");
		n++;
	}
	assert_int_equal(n, 2);
	free_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_run_out_are_told_when_they_do),
		cmocka_unit_test(two_nodes_tell_what_all_see),
		cmocka_unit_test(two_nodes_tell_of_networks_of_services_that_the_configuration_lacks),
		cmocka_unit_test(two_nodes_say_that_policies_are_only_tried_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
