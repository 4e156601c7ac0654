/* From policies, pods and namespaces to tables: whatever changes in whatever order, the tables say what the policies say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/policy_build.h"
#include "control/model/network_policy.h"
#include "tests/support/objects.h"
#include "tests/support/policy_world.h"

#define N_KEPT 3 /* versions in use at a time */

struct judged {
	bool is_closed, is_isolated, is_allowed, is_audit;
	uint32_t number; /* of the rule that allows */
};

static struct judged
judge(const struct policy_table *t, const struct policy_question *q)
{
	const struct pod_policy *pod = t == NULL ? NULL : policy_of_port(t, q->pod->port);
	const struct rule_table *rules = pod == NULL ? NULL : pod->rules[q->direction];
	struct judged j = { .is_closed = pod != NULL && pod->is_closed,
		.is_isolated = rules != NULL,
		.is_audit = pod != NULL && pod->is_audit };
	int bit;

	if (j.is_closed)
		assert_true(pod->rules[POLICY_INGRESS] == NULL && pod->rules[POLICY_EGRESS] == NULL);
	j.is_allowed = !j.is_closed && rules == NULL;
	if (j.is_closed || rules == NULL)
		return j;
	bit = rule_table_match(rules, identity_of(t->identities, &q->remote), q->proto, q->port);
	j.is_allowed = bit >= 0;
	j.number = bit < 0 ? 0 : rules->ids[bit];
	return j;
}

/* The rule that the oracle names must be the one that the table names. */
static bool
is_rule(const struct policy_builder *b, uint32_t number, const struct oracle_verdict *v,
	enum policy_direction direction)
{
	struct policy_number what;

	return policy_builder_number(b, number, &what) && strcmp(what.ns, v->policy->object.ns) == 0 &&
	       strcmp(what.name, v->policy->object.name) == 0 && what.rule == (int)v->rule &&
	       what.direction == direction;
}

struct tally {
	unsigned n_asked, n_isolated, n_allowed, n_closed, n_versions;
};

static void
compare(struct policy_world *w, const struct policy_builder *b, const struct policy_table *t,
	struct tally *tally)
{
	const struct oracle_cluster c = { w->store, w->n_locals, w->locals, w->mode };
	struct policy_question q;
	struct oracle_verdict v;
	struct judged j;
	char remote[IP_ADDR_STRLEN];

	if (!policy_world_ask(w, &q))
		return;
	v = oracle_judge(&c, q.pod, q.direction, &q.remote, q.proto, q.port);
	j = judge(t, &q);
	if (v.is_closed != j.is_closed || v.is_allowed != j.is_allowed ||
		(!v.is_closed && v.is_isolated != j.is_isolated) ||
		(!v.is_allowed && v.is_audit != j.is_audit) ||
		(!v.is_closed && v.policy != NULL && !is_rule(b, j.number, &v, q.direction)))
		fail_msg("%s/%s %s %s protocol %u port %u: closed %d, isolated %d, allowed %d, audit %d; "
			 "the table says %d, %d, %d, %d",
			q.pod->ns, q.pod->name, q.direction == POLICY_INGRESS ? "from" : "to",
			ip_addr_format(&q.remote, remote), q.proto, q.port, v.is_closed, v.is_isolated,
			v.is_allowed, v.is_audit, j.is_closed, j.is_isolated, j.is_allowed, j.is_audit);
	tally->n_asked++;
	tally->n_closed += v.is_closed;
	tally->n_isolated += v.is_isolated && !v.is_closed;
	tally->n_allowed += v.is_isolated && v.is_allowed;
}

/* A version may be in use while others are built. */
static void
keep(struct policy_builder *b, const struct policy_table **kept, const struct policy_table *t)
{
	if (t == kept[N_KEPT - 1])
		return;
	policy_builder_release(b, kept[0]);
	memmove(&kept[0], &kept[1], (N_KEPT - 1) * sizeof(kept[0]));
	kept[N_KEPT - 1] = t;
}

static void
run_world(uint64_t seed, unsigned policies_max, unsigned n_steps, struct tally *tally)
{
	const struct policy_table *kept[N_KEPT] = { 0 }, *next;
	struct policy_builder *b;
	struct policy_world w;

	policy_world_init(&w, seed, policies_max);
	w.mode = seed % 3 == 0 ? POLICY_MODE_AUDIT : POLICY_MODE_ENFORCE;
	b = policy_builder_new(w.store);
	assert_non_null(b);
	for (unsigned step = 0; step < n_steps; step++) {
		struct build_facts facts = { .policy_mode = w.mode };

		for (uint32_t n = policy_world_draw(&w, step < 20 ? 10 : 3); n > 0; n--)
			policy_world_change(&w);
		facts.n_pods = w.n_locals;
		facts.pods = w.locals;
		assert_int_equal(policy_builder_build(b, &facts, kept[N_KEPT - 1], &next), 0);
		assert_true(policy_builder_is_idle(b));
		tally->n_versions += next != kept[N_KEPT - 1];
		keep(b, kept, next);
		for (unsigned i = 0; i < 100; i++)
			compare(&w, b, next, tally);
	}
	for (unsigned i = 0; i < N_KEPT; i++)
		policy_builder_release(b, kept[i]);
	policy_builder_free(b);
	policy_world_fini(&w);
}

static void
tables_say_what_policies_say(void **state)
{
	struct tally tally = { 0 };

	for (uint64_t seed = 1; seed <= 100; seed++)
		run_world(seed, seed % 4 == 0 ? 60 : 12, 40, &tally);
	print_message(
		"%u questions, %u of them to isolated pods, of which %u were allowed, %u to closed ones; %u "
		"versions\n",
		tally.n_asked, tally.n_isolated, tally.n_allowed, tally.n_closed, tally.n_versions);
	assert_in_range(tally.n_allowed * 100ul / tally.n_isolated, 30, 70);
}

/* --- by hand: a policy of "shop" that lets pods with app=web in, to all pods or those with app=db */

static void
put_policy_of(struct store *store, const char *ns, const char *name, bool is_for_all)
{
	struct network_policy_object *o = calloc(1, sizeof(*o));
	struct selector *peers = calloc(1, sizeof(*peers));

	o->object = (struct object){ .kind = OBJECT_NETWORK_POLICY, .ns = strdup(ns), .name = strdup(name) };
	if (!is_for_all) {
		o->pods.match_labels = (struct labels){ 1, calloc(1, sizeof(struct label)) };
		o->pods.match_labels.items[0] = (struct label){ strdup("app"), strdup("db") };
	}
	peers->match_labels = (struct labels){ 1, calloc(1, sizeof(struct label)) };
	peers->match_labels.items[0] = (struct label){ strdup("app"), strdup("web") };
	o->isolates[POLICY_INGRESS] = true;
	o->n_rules[POLICY_INGRESS] = 1;
	o->rules[POLICY_INGRESS] = calloc(1, sizeof(struct policy_rule));
	o->rules[POLICY_INGRESS]->n_peers = 1;
	o->rules[POLICY_INGRESS]->peers = calloc(1, sizeof(struct policy_peer));
	o->rules[POLICY_INGRESS]->peers->pods = peers;
	assert_int_equal(store_put(store, &o->object), 0);
}

static void
put_policy(struct store *store, const char *name, bool is_for_all)
{
	put_policy_of(store, "shop", name, is_for_all);
}

struct shop {
	struct store *store;
	struct policy_builder *b;
	const struct policy_table *table;
	struct ip_addr web;
	struct local_pod pods[3];
	struct build_facts facts;
};

static void
shop_open(struct shop *s)
{
	*s = (struct shop){ .store = store_new() };
	s->b = policy_builder_new(s->store);
	for (uint16_t i = 0; i < 3; i++)
		s->pods[i] = (struct local_pod){ .port = i, .ns = "shop" };
	s->pods[0].name = "db-0";
	s->pods[1].name = "db-1";
	s->pods[2].name = "web-0";
	assert_true(ip_addr_parse("10.244.0.10", &s->pods[0].addrs[V4]));
	assert_true(ip_addr_parse("10.244.0.11", &s->pods[1].addrs[V4]));
	assert_true(ip_addr_parse("10.244.0.12", &s->pods[2].addrs[V4]));
	assert_true(ip_addr_parse("10.244.1.10", &s->web));
	s->facts.n_pods = 3;
	s->facts.pods = s->pods;
	put_pod(s->store, "shop", "db-0", "a", "app", "db", NULL, NULL);
	put_pod(s->store, "shop", "db-1", "a", "app", "db", NULL, NULL);
	put_pod(s->store, "shop", "web-0", "a", "app", "web", NULL, NULL);
}

static bool
shop_build(struct shop *s)
{
	const struct policy_table *next;

	assert_int_equal(policy_builder_build(s->b, &s->facts, s->table, &next), 0);
	if (next == s->table)
		return false;
	policy_builder_release(s->b, s->table);
	s->table = next;
	return true;
}

static void
shop_close(struct shop *s)
{
	policy_builder_release(s->b, s->table);
	policy_builder_free(s->b);
	store_free(s->store);
}

static const struct rule_table *
rules_of(const struct shop *s, uint16_t port)
{
	const struct pod_policy *pod = s->table == NULL ? NULL : policy_of_port(s->table, port);

	return pod == NULL ? NULL : pod->rules[POLICY_INGRESS];
}

static void
pods_with_the_same_policies_share_their_rules(void **state)
{
	struct shop s;

	shop_open(&s);
	assert_false(shop_build(&s));
	put_policy(s.store, "db", false);
	assert_true(shop_build(&s));
	assert_non_null(rules_of(&s, 0));
	assert_ptr_equal(rules_of(&s, 0), rules_of(&s, 1));
	assert_null(rules_of(&s, 2));
	assert_null(s.table->pods[0].rules[POLICY_EGRESS]);
	store_remove(s.store, OBJECT_NETWORK_POLICY, "shop", "db");
	assert_true(shop_build(&s));
	assert_null(s.table);
	shop_close(&s);
}

static void
what_a_change_does_not_concern_stays(void **state)
{
	const struct rule_table *former;
	const struct policy_table *version;
	struct shop s;

	shop_open(&s);
	put_policy(s.store, "db", false);
	put_pod(s.store, "shop", "web-1", "b", "app", "web", "10.244.1.10", NULL);
	assert_true(shop_build(&s));
	former = rules_of(&s, 0);
	assert_true(rule_table_match(former, identity_of(s.table->identities, &s.web), PROTO_TCP, 80) >= 0);
	/* another of its kind: the rules are about kinds */
	put_pod(s.store, "shop", "web-2", "b", "app", "web", "10.244.1.11", NULL);
	assert_true(shop_build(&s));
	assert_ptr_equal(rules_of(&s, 0), former);
	/* it changes its labels: others' rules stay */
	put_pod(s.store, "shop", "web-1", "b", "app", "x", "10.244.1.10", NULL);
	assert_true(shop_build(&s));
	assert_ptr_equal(rules_of(&s, 0), former);
	assert_true(rule_table_match(former, identity_of(s.table->identities, &s.web), PROTO_TCP, 80) < 0);
	/* a policy that selects nobody here changes nothing at all */
	version = s.table;
	put_pod(s.store, "other", "p", "b", "app", "db", NULL, NULL);
	shop_build(&s);
	store_remove(s.store, OBJECT_POD, "other", "p");
	shop_build(&s);
	assert_ptr_equal(rules_of(&s, 0), former);
	assert_true(policy_builder_is_idle(s.b));
	version = s.table;
	assert_false(shop_build(&s));
	assert_ptr_equal(s.table, version);
	shop_close(&s);
}

static void
note_name(const char *ns, const char *name, void *arg)
{
	snprintf(arg, 64, "%s/%s", ns, name);
}

static void
a_pod_is_closed_until_it_is_known_what_selects_it(void **state)
{
	char name[64] = "";
	struct shop s;

	shop_open(&s);
	s.pods[1].name = "nobody";
	put_policy(s.store, "db", false);
	assert_true(shop_build(&s));
	assert_true(policy_of_port(s.table, 1)->is_closed);
	assert_non_null(policy_builder_closed(s.b, 1));
	assert_null(policy_builder_closed(s.b, 0));
	/* where all policies select all pods, it is known */
	put_policy(s.store, "db", true);
	assert_true(shop_build(&s));
	assert_false(policy_of_port(s.table, 1)->is_closed);
	assert_non_null(rules_of(&s, 1));
	policy_builder_each_isolating(s.b, 1, POLICY_INGRESS, note_name, name);
	assert_string_equal(name, "shop/db");
	*name = '\0';
	policy_builder_each_isolating(s.b, 1, POLICY_EGRESS, note_name, name);
	assert_string_equal(name, "");
	put_policy(s.store, "db", false);
	assert_true(shop_build(&s));
	put_pod(s.store, "shop", "nobody", "a", "app", "web", NULL, NULL);
	assert_true(shop_build(&s));
	assert_int_equal(s.table->by_port[1], ENDPOINT_NONE);
	shop_close(&s);
}

static void
put_pod_of(struct store *store, const char *name, const char *label, const char *uid, const char *static_uid)
{
	struct pod_object *pod;

	put_pod(store, "shop", name, "a", "app", label, NULL, NULL);
	pod = (struct pod_object *)store_get(store, OBJECT_POD, "shop", name); /* nobody has seen it yet */
	pod->uid = pod_uid_digest(uid);
	pod->static_uid = pod_uid_digest(static_uid);
}

/* A pod that was made again under its name, as a StatefulSet's are: the labels of the former one say nothing of it. */
static void
a_pod_is_not_judged_by_its_predecessors_labels(void **state)
{
	struct shop s;

	shop_open(&s);
	for (unsigned i = 0; i < 3; i++)
		s.pods[i].uid = pod_uid_digest("new");
	put_pod_of(s.store, "db-0", "db", "former", "");
	put_pod_of(s.store, "db-1", "db", "mirror", "new"); /* a static pod's */
	put_pod_of(s.store, "web-0", "web", "", "");        /* whose it is, is not known */
	put_policy(s.store, "db", false);
	assert_true(shop_build(&s));
	assert_true(policy_of_port(s.table, 0)->is_closed);
	assert_non_null(policy_builder_closed(s.b, 0));
	assert_non_null(rules_of(&s, 1));
	assert_int_equal(s.table->by_port[2], ENDPOINT_NONE);
	/* to others it is nobody, either */
	assert_int_equal(identity_of(s.table->identities, &s.pods[0].addrs[V4]), IDENTITY_OTHER);
	put_pod_of(s.store, "web-0", "web", "former", "");
	assert_true(shop_build(&s));
	assert_true(policy_of_port(s.table, 2)->is_closed);
	assert_int_equal(identity_of(s.table->identities, &s.pods[2].addrs[V4]), IDENTITY_OTHER);
	/* the store follows: same labels, and others */
	put_pod_of(s.store, "web-0", "web", "new", "");
	put_pod_of(s.store, "db-0", "x", "new", "");
	assert_true(shop_build(&s));
	assert_int_equal(s.table->by_port[0], ENDPOINT_NONE);
	assert_int_equal(s.table->by_port[2], ENDPOINT_NONE);
	assert_int_not_equal(identity_of(s.table->identities, &s.pods[2].addrs[V4]), IDENTITY_OTHER);
	/* and it is made again */
	s.pods[2].uid = pod_uid_digest("newer");
	assert_true(shop_build(&s));
	assert_true(policy_of_port(s.table, 2)->is_closed);
	assert_int_equal(identity_of(s.table->identities, &s.pods[2].addrs[V4]), IDENTITY_OTHER);
	shop_close(&s);
}

/* A policy by which pods of a namespace ("": any) are closed; all of them, or those with app=db. */
static void
put_unread(struct store *store, const char *ns, const char *name, bool is_for_all)
{
	struct unread_policy_object *u = calloc(1, sizeof(*u));

	u->object = (struct object){ .kind = OBJECT_UNREAD_POLICY,
		.ns = strdup(ns),
		.name = strdup(name),
		.origin = strdup("shop.yaml:7 (NetworkPolicy shop/db)") };
	if (!is_for_all) {
		u->pods.match_labels = (struct labels){ 1, calloc(1, sizeof(struct label)) };
		u->pods.match_labels.items[0] = (struct label){ strdup("app"), strdup("db") };
	}
	assert_int_equal(store_put(store, &u->object), 0);
}

static void
assert_closed(const struct shop *s, const char *ports)
{
	for (uint16_t port = 0; port < 3; port++) {
		const struct pod_policy *pod = s->table == NULL ? NULL : policy_of_port(s->table, port);
		bool is_closed = pod != NULL && pod->is_closed;

		assert_int_equal(is_closed, ports[port] == 'x');
		assert_int_equal(is_closed, policy_builder_closed(s->b, port) != NULL);
	}
}

static void
pods_are_closed_that_an_unread_policy_may_select(void **state)
{
	struct shop s;

	shop_open(&s);
	s.pods[2].ns = "bank";
	/* with no other policy anywhere */
	put_unread(s.store, "", "a", true);
	assert_false(policy_builder_is_idle(s.b));
	assert_true(shop_build(&s));
	assert_closed(&s, "xxx");
	assert_non_null(strstr(policy_builder_closed(s.b, 2), "may hold NetworkPolicies of any namespace"));
	store_remove(s.store, OBJECT_UNREAD_POLICY, "", "a");
	put_unread(s.store, "shop", "b", true);
	assert_true(shop_build(&s));
	assert_closed(&s, "xx-");
	assert_string_equal(policy_builder_closed(s.b, 0),
		"shop.yaml:7 (NetworkPolicy shop/db) could not be read when the daemon started: all pods of "
		"namespace shop are closed until it is mended");
	/* those with a label, and those whose labels are not known */
	store_remove(s.store, OBJECT_UNREAD_POLICY, "shop", "b");
	put_unread(s.store, "shop", "c", false);
	put_pod(s.store, "shop", "db-1", "a", "app", "web", NULL, NULL);
	assert_true(shop_build(&s));
	assert_closed(&s, "x--");
	store_remove(s.store, OBJECT_POD, "shop", "db-1");
	assert_true(shop_build(&s));
	assert_closed(&s, "xx-");
	/* whatever else allows something */
	put_policy(s.store, "db", false);
	shop_build(&s);
	assert_closed(&s, "xx-");
	assert_null(rules_of(&s, 0));
	store_remove(s.store, OBJECT_UNREAD_POLICY, "shop", "c");
	put_pod(s.store, "shop", "db-1", "a", "app", "web", NULL, NULL);
	assert_true(shop_build(&s));
	assert_closed(&s, "---");
	assert_non_null(rules_of(&s, 0));
	shop_close(&s);
}

static void
denials_and_rules_have_names(void **state)
{
	struct policy_number what;
	struct shop s;

	shop_open(&s);
	put_policy(s.store, "db", false);
	put_policy(s.store, "all", true);
	assert_true(shop_build(&s));
	assert_true(policy_builder_number(s.b, rules_of(&s, 0)->denied, &what));
	assert_int_equal(what.rule, -1);
	assert_string_equal(what.name, "shop/all, shop/db");
	assert_int_equal(rules_of(&s, 0)->n_rules, 2);
	assert_true(policy_builder_number(s.b, rules_of(&s, 0)->ids[1], &what));
	assert_string_equal(what.ns, "shop");
	assert_string_equal(what.name, "db");
	assert_int_equal(what.rule, 0);
	assert_false(policy_builder_number(s.b, 0, &what));
	shop_close(&s);
}

/* --- audit */

static void
annotate_shop(struct shop *s, bool has_mode, enum policy_mode mode)
{
	struct namespace_object *o = calloc(1, sizeof(*o));

	o->object = (struct object){ .kind = OBJECT_NAMESPACE, .ns = strdup(""), .name = strdup("shop") };
	o->has_policy_mode = has_mode;
	o->policy_mode = mode;
	assert_int_equal(store_put(s->store, &o->object), 0);
	assert_false(policy_builder_is_idle(s->b));
}

static bool
is_audit(const struct shop *s, uint16_t port)
{
	return policy_of_port(s->table, port)->is_audit;
}

/* Each namespace as it says, else as the cluster is. */
static void
a_namespace_overrides_the_clusters_mode(void **state)
{
	const struct rule_table *former;
	struct shop s;

	for (enum policy_mode mode = 0; mode < N_POLICY_MODES; mode++) {
		bool is_default = mode == POLICY_MODE_AUDIT;

		shop_open(&s);
		s.facts.policy_mode = mode;
		put_policy(s.store, "db", false);
		assert_true(shop_build(&s));
		assert_int_equal(is_audit(&s, 0), is_default);
		former = rules_of(&s, 0);
		annotate_shop(&s, false, POLICY_MODE_ENFORCE);
		shop_build(&s);
		annotate_shop(&s, true, mode);
		shop_build(&s);
		assert_ptr_equal(rules_of(&s, 0), former);
		annotate_shop(&s, true, is_default ? POLICY_MODE_ENFORCE : POLICY_MODE_AUDIT);
		assert_true(shop_build(&s));
		assert_int_equal(is_audit(&s, 0), !is_default);
		assert_int_equal(is_audit(&s, 1), !is_default);
		assert_int_equal(policy_builder_is_audit(s.b, "shop"), !is_default);
		assert_int_equal(policy_builder_is_audit(s.b, "bank"), is_default);
		store_remove(s.store, OBJECT_NAMESPACE, "", "shop");
		assert_true(shop_build(&s));
		assert_int_equal(is_audit(&s, 0), is_default);
		shop_close(&s);
	}
}

/* Pods with the same policies share them still, and other namespaces' stay as they are; what was dropped and what passed is
 * counted by different numbers. */
static void
a_change_of_mode_concerns_its_namespace(void **state)
{
	const struct rule_table *bank;
	struct policy_number what;
	uint32_t enforced;
	struct shop s;

	shop_open(&s);
	s.pods[2].ns = "bank";
	put_pod(s.store, "bank", "web-0", "a", "app", "web", NULL, NULL);
	put_policy(s.store, "db", false);
	put_policy_of(s.store, "bank", "all", true);
	assert_true(shop_build(&s));
	bank = rules_of(&s, 2);
	enforced = rules_of(&s, 0)->denied;
	assert_true(policy_builder_number(s.b, enforced, &what));
	assert_false(what.is_audit);
	annotate_shop(&s, true, POLICY_MODE_AUDIT);
	assert_true(shop_build(&s));
	assert_true(is_audit(&s, 0));
	assert_false(is_audit(&s, 2));
	assert_ptr_equal(rules_of(&s, 0), rules_of(&s, 1));
	assert_ptr_equal(rules_of(&s, 2), bank);
	assert_int_not_equal(rules_of(&s, 0)->denied, enforced);
	assert_true(policy_builder_number(s.b, rules_of(&s, 0)->denied, &what));
	assert_true(what.is_audit);
	assert_string_equal(what.name, "shop/db");
	assert_false(shop_build(&s));
	shop_close(&s);
}

static void
a_closed_pod_has_its_namespaces_mode(void **state)
{
	struct shop s;

	shop_open(&s);
	s.pods[1].name = "nobody";
	put_policy(s.store, "db", false);
	assert_true(shop_build(&s));
	assert_true(policy_of_port(s.table, 1)->is_closed);
	assert_false(is_audit(&s, 1));
	annotate_shop(&s, true, POLICY_MODE_AUDIT);
	assert_true(shop_build(&s));
	assert_true(policy_of_port(s.table, 1)->is_closed);
	assert_true(is_audit(&s, 1));
	shop_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_with_the_same_policies_share_their_rules),
		cmocka_unit_test(what_a_change_does_not_concern_stays),
		cmocka_unit_test(a_pod_is_closed_until_it_is_known_what_selects_it),
		cmocka_unit_test(a_pod_is_not_judged_by_its_predecessors_labels),
		cmocka_unit_test(pods_are_closed_that_an_unread_policy_may_select),
		cmocka_unit_test(denials_and_rules_have_names),
		cmocka_unit_test(a_namespace_overrides_the_clusters_mode),
		cmocka_unit_test(a_change_of_mode_concerns_its_namespace),
		cmocka_unit_test(a_closed_pod_has_its_namespaces_mode),
		cmocka_unit_test(tables_say_what_policies_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
