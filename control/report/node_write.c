#include "control/report/node_write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/admin/view.h"

const char *
stamp_print(int64_t seconds, char buf[static STAMP_SIZE])
{
	time_t t = (time_t)seconds;
	struct tm utc;

	if (gmtime_r(&t, &utc) == NULL || strftime(buf, STAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		*buf = '\0';
	return buf;
}

struct readiness
readiness_of(const struct view *v, const char *cni_trouble)
{
	if (!v->is_ready)
		return (struct readiness){ false, v->not_ready_word, v->not_ready };
	if (v->saved_s >= 0)
		return (struct readiness){ false, "NotSynced",
			"packets flow by objects as they were saved: the API server has not told everything "
			"since "
			"the start" };
	if (cni_trouble != NULL)
		return (struct readiness){ false, "CNIConfiguration", cni_trouble };
	return (struct readiness){ true, "Ready", "pods can be attached and packets flow" };
}

static const char *
status_of(const struct readiness *r)
{
	return r->is_ready ? "True" : "False";
}

/* As it comes back, so cut as what is seen is. */
static struct node_condition
condition_of(const struct readiness *r)
{
	struct node_condition c = { 0 };

	snprintf(c.status, sizeof(c.status), "%s", status_of(r));
	snprintf(c.reason, sizeof(c.reason), "%s", r->reason);
	snprintf(c.message, sizeof(c.message), "%s", r->message);
	return c;
}

static bool
says_same(const struct node_condition *a, const struct node_condition *b)
{
	return strcmp(a->status, b->status) == 0 && strcmp(a->reason, b->reason) == 0 &&
	       strcmp(a->message, b->message) == 0;
}

bool
condition_is_due(struct condition_keeper *k, const struct readiness *now, const struct api_own_node *node,
	uint64_t now_ns)
{
	const struct node_condition wanted = condition_of(now), *there = &node->condition;

	if (k->since_ns == 0 || now->is_ready != k->is_ready) {
		k->since_ns = now_ns;
		k->is_ready = now->is_ready;
	}
	if (node->n_seen == 0 || says_same(&wanted, there))
		return false;
	if (k->told_ns != 0 && says_same(&wanted, &k->told) &&
		(node->n_seen == k->told_n_seen || now_ns - k->told_ns < CONDITION_ECHO_NS))
		return false;
	if (strcmp(wanted.status, there->status) == 0)
		return k->told_ns == 0 || now_ns - k->told_ns >= CONDITION_REST_NS;
	if (now->is_ready && strcmp(k->told.status, "False") != 0)
		return true;
	return now_ns - k->since_ns >= (now->is_ready ? READY_AGAIN_NS : UNREADY_GRACE_NS);
}

void
condition_told(
	struct condition_keeper *k, const struct readiness *told, uint64_t told_n_seen, uint64_t now_ns)
{
	k->told_ns = now_ns;
	k->told_n_seen = told_n_seen;
	k->told = condition_of(told);
}

bool
condition_is_transition(const struct readiness *now, const struct api_own_node *node)
{
	return strcmp(node->condition.status, status_of(now)) != 0;
}

char *
condition_patch(const struct readiness *now, const struct api_own_node *node, int64_t now_s)
{
	const struct node_condition wanted = condition_of(now), *there = &node->condition;
	bool stays = strcmp(there->status, wanted.status) == 0 && *there->since != '\0';
	char stamp[STAMP_SIZE];
	json_t *patch;
	char *text;

	stamp_print(now_s, stamp);
	patch = json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s, s:s}]}}", "status", "conditions", "type",
		NODE_CONDITION_TYPE, "status", wanted.status, "reason", wanted.reason, "message",
		wanted.message, "lastHeartbeatTime", stamp, "lastTransitionTime",
		stays ? there->since : stamp);
	text = patch == NULL ? NULL : json_dumps(patch, JSON_COMPACT);
	json_decref(patch);
	return text;
}

static bool
is_ours(const json_t *taint)
{
	const char *key = json_string_value(json_object_get(taint, "key"));

	return key != NULL && strcmp(key, NOT_READY_TAINT) == 0;
}

bool
taint_is_there(const struct api_own_node *node)
{
	const json_t *taint;
	size_t i;

	json_array_foreach (node->taints, i, taint)
		if (is_ours(taint))
			return true;
	return false;
}

/* A list has no key in this kind of patch, so all others are said again: the version sees to it that none is lost. */
char *
taint_patch(const struct api_own_node *node)
{
	json_t *others = json_array(), *taint, *patch;
	size_t i;
	char *text;

	json_array_foreach (node->taints, i, taint)
		if (!is_ours(taint))
			json_array_append(others, taint);
	patch = json_pack("{s:{s:s}, s:{s:o}}", "metadata", "resourceVersion", node->resource_version, "spec",
		"taints", others);
	text = patch == NULL ? NULL : json_dumps(patch, JSON_COMPACT);
	json_decref(patch);
	return text;
}
