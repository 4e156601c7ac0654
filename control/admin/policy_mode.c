#include "control/admin/policy_mode.h"

#include <stdio.h>

#define NAMES_SAID 8 /* one by one */
#define TEXT_SIZE 1024

static const struct {
	enum drop_reason reason;
	enum counter counter;
} kinds[] = {
	{ DROP_POLICY_INGRESS, COUNT_POLICY_WOULD_DROP_INGRESS },
	{ DROP_POLICY_EGRESS, COUNT_POLICY_WOULD_DROP_EGRESS },
	{ DROP_POLICY_CLOSED, COUNT_POLICY_WOULD_DROP_CLOSED },
};

json_t *
policy_mode_would_drop_json(const struct view *v)
{
	json_t *reasons = json_array();
	json_int_t total = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		json_int_t n = 0;

		for (unsigned w = 0; w < v->n_workers; w++)
			n += (json_int_t)v->workers[w].counters.counts[kinds[i].counter];
		total += n;
		if (n != 0)
			json_array_append_new(reasons,
				json_pack("{s:s, s:s, s:I}", "reason", drop_reason_label(kinds[i].reason),
					"help", drop_reason_help(kinds[i].reason), "packets", n));
	}
	return json_pack("{s:I, s:o}", "packets", total, "reasons", reasons);
}

/* Namespaces that say a mode, by name. */
struct said {
	json_t *namespaces[N_POLICY_MODES];
};

static void
note_namespace(const struct object *object, void *arg)
{
	const struct namespace_object *o = (const struct namespace_object *)object;
	struct said *said = arg;

	if (o->has_policy_mode)
		json_array_append_new(said->namespaces[o->policy_mode], json_string(object->name));
}

/* "a, b and 3 more" */
static void
print_names(const json_t *list, char *text, size_t size)
{
	size_t len = 0, n = json_array_size(list);

	for (size_t i = 0; i < n && i < NAMES_SAID; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i == 0 ? "" : ", ",
			json_string_value(json_array_get(list, i)));
	if (n > NAMES_SAID)
		snprintf(text + len, size - len, " and %zu more", n - NAMES_SAID);
}

/* "" when policies are in force everywhere. */
static void
print_mode(enum policy_mode mode, const struct said *said, json_int_t would_drop, char *text, size_t size)
{
	enum policy_mode other = mode == POLICY_MODE_AUDIT ? POLICY_MODE_ENFORCE : POLICY_MODE_AUDIT;
	char names[NAMES_SAID * 64 + 32] = "", where[sizeof(names) + 128] = "";

	*text = '\0';
	print_names(said->namespaces[other], names, sizeof(names));
	if (mode == POLICY_MODE_AUDIT)
		snprintf(where, sizeof(where), "%s%s (policy.mode: audit)",
			*names == '\0' ? "" : ", but in namespaces ", names);
	else if (*names != '\0')
		snprintf(
			where, sizeof(where), " in namespaces %s (" POLICY_MODE_ANNOTATION ": audit)", names);
	else
		return;
	snprintf(text, size, "NetworkPolicies drop nothing%s: %lld packets would have been dropped", where,
		(long long)would_drop);
}

json_t *
policy_mode_json(const struct names *n)
{
	enum policy_mode mode = n->view->policy_mode;
	struct said said = { { json_array(), json_array() } };
	json_t *would_drop = policy_mode_would_drop_json(n->view);
	char text[TEXT_SIZE];

	store_each(n->store, OBJECT_NAMESPACE, note_namespace, &said);
	print_mode(
		mode, &said, json_integer_value(json_object_get(would_drop, "packets")), text, sizeof(text));
	return json_pack("{s:s, s:o, s:o, s:o, s:s}", "mode", mode == POLICY_MODE_AUDIT ? "audit" : "enforce",
		"audit_namespaces", said.namespaces[POLICY_MODE_AUDIT], "enforce_namespaces",
		said.namespaces[POLICY_MODE_ENFORCE], "would_drop", would_drop, "text", text);
}
