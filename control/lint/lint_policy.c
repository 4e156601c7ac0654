/* Policies as a whole: whom they select, and which of their rules are in force at all. */
#include "control/build/selector.h"
#include "control/lint/lint_looks.h"

static void
look_at_subject(struct lint_world *w, const struct network_policy_object *p)
{
	const struct lint_namespace *ns = lint_namespace(w, p->object.ns);
	char selector[SELECTOR_TEXT_SIZE];
	struct nearest nearest = { 0 };

	for (size_t i = 0; i < ns->n_pods; i++) {
		const struct labels *labels = &w->pods[ns->first_pod + i]->labels;

		if (selector_matches(&p->pods, labels))
			return;
		lint_guess(&nearest, &p->pods, labels);
	}
	lint_add(w, p, "selects_no_pods", -1, -1,
		"mend the labels in spec.podSelector; or remove the policy, if the pods are gone for good",
		"podSelector %s matches 0 of the %zu pods in namespace %s%s%s",
		lint_selector_text(&p->pods, selector), ns->n_pods, ns->name,
		nearest.is_found ? "; nearest is " : "", nearest.text);
}

/* policyTypes that are left out mean Ingress, and Egress too if there are rules for it: only what is written leaves rules out. */
static void
look_at_types(struct lint_world *w, const struct network_policy_object *p)
{
	static const char *const keys[] = { "ingress", "egress" };
	static const char *const advice[] = {
		"add Ingress to spec.policyTypes if the rules are meant to be in force, else remove them",
		"add Egress to spec.policyTypes if the rules are meant to be in force, else remove them",
	};

	for (int d = 0; d < N_POLICY_DIRECTIONS; d++)
		if (!p->isolates[d] && p->n_rules[d] != 0)
			lint_add(w, p, "rules_not_in_force", d, -1, advice[d],
				"spec.%s has %zu rule%s, but policyTypes leaves %s out: nothing is isolated, "
				"and "
				"nothing allowed by them",
				keys[d], p->n_rules[d], p->n_rules[d] == 1 ? "" : "s",
				d == POLICY_INGRESS ? "Ingress" : "Egress");
}

void
lint_policies(struct lint_world *w)
{
	for (size_t i = 0; i < w->n_policies; i++) {
		look_at_subject(w, w->policies[i]);
		look_at_types(w, w->policies[i]);
	}
}
