#include "control/source/api/api_own_node.h"

#include <stdio.h>
#include <string.h>

#define COPY(out, object, member) snprintf(out, sizeof(out), "%s", text_of(json_object_get(object, member)))

static const char *
text_of(const json_t *value)
{
	return json_is_string(value) ? json_string_value(value) : "";
}

static void
note_condition(struct node_condition *out, const json_t *conditions)
{
	const json_t *condition;
	size_t i;

	*out = (struct node_condition){ 0 };
	json_array_foreach (conditions, i, condition) {
		if (strcmp(text_of(json_object_get(condition, "type")), NODE_CONDITION_TYPE) != 0)
			continue;
		COPY(out->status, condition, "status");
		COPY(out->reason, condition, "reason");
		COPY(out->message, condition, "message");
		COPY(out->since, condition, "lastTransitionTime");
	}
}

bool
api_own_node_note(struct api_own_node *o, const char *name, const json_t *node)
{
	const json_t *metadata = json_object_get(node, "metadata"), *taints;

	if (strcmp(text_of(json_object_get(metadata, "name")), name) != 0)
		return false;
	taints = json_object_get(json_object_get(node, "spec"), "taints");
	json_decref(o->taints);
	o->taints = json_array_size(taints) == 0 ? NULL : json_deep_copy(taints);
	COPY(o->resource_version, metadata, "resourceVersion");
	COPY(o->uid, metadata, "uid");
	note_condition(&o->condition, json_object_get(json_object_get(node, "status"), "conditions"));
	o->n_seen++;
	return true;
}

void
api_own_node_fini(struct api_own_node *o)
{
	json_decref(o->taints);
	o->taints = NULL;
}
