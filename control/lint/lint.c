#include "control/lint/lint.h"

#include <stdlib.h>

#include "control/lint/lint_looks.h"

bool
lint_run(struct lint *out, const struct store *store)
{
	struct lint_world w;

	*out = (struct lint){ 0 };
	if (!lint_world_init(&w, out, store))
		return false;
	lint_dns(&w);
	lint_policies(&w);
	lint_rules(&w);
	lint_world_fini(&w);
	if (!out->is_short)
		return true;
	lint_fini(out);
	return false;
}

void
lint_fini(struct lint *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->findings[i].text);
		free(l->findings[i].advice);
	}
	free(l->findings);
	*l = (struct lint){ 0 };
}

json_t *
lint_json(const struct lint *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct lint_finding *f = &l->findings[i];

		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s}", "kind", f->kind, "namespace", f->ns,
				"name", f->name, "direction",
				f->direction < 0
					? json_null()
					: json_string(f->direction == POLICY_INGRESS ? "ingress" : "egress"),
				"rule", f->rule < 0 ? json_null() : json_integer(f->rule), "text", f->text,
				"advice", f->advice));
	}
	return json_pack("{s:o}", "findings", list);
}
