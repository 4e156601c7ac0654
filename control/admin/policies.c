#include "control/admin/policies.h"

#include "control/admin/drops.h"
#include "control/build/policy_build.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/lint/lint.h"
#include "control/model/network_policy.h"

struct policies_listing {
	const struct daemon *d;
	const struct policy_builder *builder;
	json_t *told;  /* what the builder tells, by "namespace/name" */
	json_t *items; /* of the store */
	const char *build_error;
};

static json_t *
rules_json(const struct policies_listing *l, const struct policy_told *p, json_int_t *hits, bool *has_idle)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule_told *rule = &p->rules[i];
		json_int_t n = (json_int_t)policy_builder_hits(l->builder, rule->number);

		*hits += n;
		*has_idle |= rule->has_no_peer;
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:I, s:b}", "direction",
				      rule->direction == POLICY_INGRESS ? "ingress" : "egress", "index",
				      (int)rule->index, "hits", n, "nobody", rule->has_no_peer));
	}
	return list;
}

static json_t *
key_of(const char *ns, const char *name)
{
	return json_sprintf("%s/%s", ns, name);
}

static void
add_told(const struct policy_told *p, void *arg)
{
	struct policies_listing *l = arg;
	json_t *key = key_of(p->ns, p->name), *rules;
	json_int_t hits = 0;
	bool has_idle = false;

	rules = rules_json(l, p, &hits, &has_idle);
	json_object_set_new(l->told, json_string_value(key),
		json_pack("{s:i, s:I, s:o, s:s}", "pods", (int)p->n_pods, "hits", hits, "rules", rules,
			"problem", has_idle ? "a rule's selectors and networks match nobody" : ""));
	json_decref(key);
}

static json_t *
directions_json(const struct network_policy_object *policy)
{
	json_t *list = json_array();

	if (policy->isolates[POLICY_INGRESS])
		json_array_append_new(list, json_string("ingress"));
	if (policy->isolates[POLICY_EGRESS])
		json_array_append_new(list, json_string("egress"));
	return list;
}

/* One whose tables could not be built has nothing but what was written. */
static void
add_policy(const struct object *object, void *arg)
{
	struct policies_listing *l = arg;
	json_t *key = key_of(object->ns, object->name), *item;
	uint64_t version = publisher_policy_version(l->d->publisher, object->ns, object->name);

	item = json_pack("{s:s, s:s, s:o, s:s, s:o, s:b, s:i, s:i, s:[], s:s}", "namespace", object->ns,
		"name", object->name, "directions",
		directions_json((const struct network_policy_object *)object), "mode",
		policy_builder_is_audit(l->builder, object->ns) ? "audit" : "enforce", "generation",
		version == 0 ? json_null() : json_integer((json_int_t)version), "pending", version == 0,
		"pods", 0, "hits", 0, "rules", "problem", "");
	json_object_update(item, json_object_get(l->told, json_string_value(key)));
	if (version == 0)
		json_object_set_new(
			item, "problem", json_sprintf("not in force as it is now: %s", l->build_error));
	json_array_append_new(l->items, item);
	json_decref(key);
}

void
policies_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct policies_listing l = { .d = d, .builder = publisher_policies(d->publisher) };
	struct publisher_status status;
	struct view *v;

	publisher_flush(d->publisher);
	status = publisher_status(d->publisher);
	v = view_new(d);
	l.told = json_object();
	if (v == NULL || !policy_builder_each(l.builder, add_told, &l)) {
		view_free(v);
		json_decref(l.told);
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	l.items = json_array();
	l.build_error = status.error;
	store_each(d->store, OBJECT_NETWORK_POLICY, add_policy, &l);
	reply->json = json_pack("{s:I, s:o, s:o}", "version", (json_int_t)status.version, "policies", l.items,
		"sets", drops_by_policies_json(v));
	json_decref(l.told);
	view_free(v);
}

void
policies_lint_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct lint l;

	if (!lint_run(&l, d->store)) {
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	reply->json = lint_json(&l);
	lint_fini(&l);
}
