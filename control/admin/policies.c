#include "control/admin/policies.h"

#include "control/build/policy_build.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "dataplane/engine.h"

struct policies_listing {
	const struct daemon *d;
	json_t *items;
};

/* Packets that a rule allowed, on all workers since the daemon began. */
static json_int_t
hits_of(const struct daemon *d, uint32_t number)
{
	uint64_t n = 0;

	for (unsigned w = 0; number != 0 && w < engine_n_workers(d->engine); w++) {
		const struct policy_hits *hits = engine_worker(d->engine, w)->policy_hits;

		if (hits != NULL)
			n += __atomic_load_n(&hits->counts[number], __ATOMIC_RELAXED);
	}
	return (json_int_t)n;
}

static json_t *
rules_json(const struct daemon *d, const struct policy_told *p, json_int_t *hits, bool *has_idle)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule_told *rule = &p->rules[i];
		json_int_t n = hits_of(d, rule->number);

		*hits += n;
		*has_idle |= rule->has_no_peer;
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:I, s:b}", "direction",
				      rule->direction == POLICY_INGRESS ? "ingress" : "egress", "index",
				      (int)rule->index, "hits", n, "nobody", rule->has_no_peer));
	}
	return list;
}

static void
add_policy(const struct policy_told *p, void *arg)
{
	struct policies_listing *l = arg;
	json_t *directions = json_array(), *rules;
	json_int_t hits = 0;
	bool has_idle = false;

	if (p->isolates[POLICY_INGRESS])
		json_array_append_new(directions, json_string("ingress"));
	if (p->isolates[POLICY_EGRESS])
		json_array_append_new(directions, json_string("egress"));
	rules = rules_json(l->d, p, &hits, &has_idle);
	json_array_append_new(l->items,
		json_pack("{s:s, s:s, s:o, s:i, s:I, s:o, s:s}", "namespace", p->ns, "name", p->name,
			"directions", directions, "pods", (int)p->n_pods, "hits", hits, "rules", rules,
			"problem", has_idle ? "a rule's selectors and networks match nobody" : ""));
}

void
policies_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct policies_listing l = { .d = d, .items = json_array() };
	struct publisher_status status;

	publisher_flush(d->publisher);
	status = publisher_status(d->publisher);
	if (!policy_builder_each(publisher_policies(d->publisher), add_policy, &l)) {
		json_decref(l.items);
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	reply->json = json_pack("{s:I, s:o}", "version", (json_int_t)status.version, "policies", l.items);
}
