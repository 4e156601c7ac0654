#include "control/lint/lint_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/selector.h"

static void
add_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct lint_world *w = arg;

	if (!pod->host_network && !pod->has_ended)
		w->pods[w->n_pods++] = pod;
}

static void
add_policy(const struct object *object, void *arg)
{
	struct lint_world *w = arg;

	w->policies[w->n_policies++] = (const struct network_policy_object *)object;
}

static void
add_node(const struct object *object, void *arg)
{
	struct lint_world *w = arg;

	w->nodes[w->n_nodes++] = (const struct node_object *)object;
}

static int
compare_namespaces(const void *a, const void *b)
{
	const struct lint_namespace *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	if (order != 0)
		return order;
	return (one->labels == NULL) - (other->labels == NULL); /* what has an object first */
}

static void
add_namespace(const struct object *object, void *arg)
{
	struct lint_world *w = arg;

	w->namespaces[w->n_namespaces++] = (struct lint_namespace){ .name = object->name,
		.labels = &((const struct namespace_object *)object)->labels };
}

/* Objects may be in namespaces of which there is no object. */
static void
imply_namespace(struct lint_world *w, const struct object *object)
{
	struct lint_namespace *next = &w->namespaces[w->n_namespaces];

	if (w->n_namespaces != 0 && strcmp(next[-1].name, object->ns) == 0)
		return;
	*next = (struct lint_namespace){ .name = object->ns };
	w->n_namespaces++;
}

static void
order_namespaces(struct lint_world *w)
{
	size_t n = 0, pod = 0;

	if (w->n_namespaces != 0)
		qsort(w->namespaces, w->n_namespaces, sizeof(w->namespaces[0]), compare_namespaces);
	for (size_t i = 0; i < w->n_namespaces; i++)
		if (n == 0 || strcmp(w->namespaces[n - 1].name, w->namespaces[i].name) != 0)
			w->namespaces[n++] = w->namespaces[i];
	w->n_namespaces = n;
	for (size_t i = 0; i < n; i++) {
		struct lint_namespace *ns = &w->namespaces[i];

		ns->own = (struct label){ (char *)NAMESPACE_NAME_LABEL, (char *)ns->name };
		ns->implied = (struct labels){ 1, &ns->own };
		ns->first_pod = pod;
		while (pod < w->n_pods && strcmp(w->pods[pod]->object.ns, ns->name) == 0)
			pod++;
		ns->n_pods = pod - ns->first_pod;
	}
}

void
lint_world_fini(struct lint_world *w)
{
	free(w->pods);
	free(w->policies);
	free(w->nodes);
	free(w->namespaces);
}

bool
lint_world_init(struct lint_world *w, struct lint *out, const struct store *store)
{
	size_t n_pods = store_count(store, OBJECT_POD),
	       n_policies = store_count(store, OBJECT_NETWORK_POLICY);
	size_t n_namespaces = store_count(store, OBJECT_NAMESPACE);

	*w = (struct lint_world){ .out = out,
		.store = store,
		.pods = calloc(n_pods + 1, sizeof(struct pod_object *)),
		.policies = calloc(n_policies + 1, sizeof(struct network_policy_object *)),
		.nodes = calloc(store_count(store, OBJECT_NODE) + 1, sizeof(struct node_object *)),
		.namespaces = calloc(n_namespaces + n_pods + n_policies + 1, sizeof(struct lint_namespace)) };
	if (w->pods == NULL || w->policies == NULL || w->nodes == NULL || w->namespaces == NULL) {
		lint_world_fini(w);
		return false;
	}
	store_each(store, OBJECT_POD, add_pod, w);
	store_each(store, OBJECT_NETWORK_POLICY, add_policy, w);
	store_each(store, OBJECT_NODE, add_node, w);
	store_each(store, OBJECT_NAMESPACE, add_namespace, w);
	for (size_t i = 0; i < w->n_pods; i++)
		imply_namespace(w, &w->pods[i]->object);
	for (size_t i = 0; i < w->n_policies; i++)
		imply_namespace(w, &w->policies[i]->object);
	order_namespaces(w);
	return true;
}

const struct lint_namespace *
lint_namespace(const struct lint_world *w, const char *name)
{
	const struct lint_namespace key = { .name = name };
	size_t low = 0, high = w->n_namespaces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(w->namespaces[middle].name, key.name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->n_namespaces && strcmp(w->namespaces[low].name, name) == 0 ? &w->namespaces[low]
										   : NULL;
}

const struct labels *
lint_namespace_labels(const struct lint_namespace *ns)
{
	return ns->labels == NULL ? &ns->implied : ns->labels;
}

/* --- selectors and networks */

const char *
lint_selector_text(const struct selector *s, char text[static SELECTOR_TEXT_SIZE])
{
	static const char *const words[] = { [SELECTOR_IN] = " in (", [SELECTOR_NOT_IN] = " notin (" };
	FILE *f = fmemopen(text, SELECTOR_TEXT_SIZE, "w");
	const char *comma = "";

	text[0] = '\0';
	if (f == NULL)
		return text;
	for (size_t i = 0; i < s->match_labels.n; i++, comma = ",")
		fprintf(f, "%s%s=%s", comma, s->match_labels.items[i].key, s->match_labels.items[i].value);
	for (size_t i = 0; i < s->n_expressions; i++, comma = ",") {
		const struct selector_expression *e = &s->expressions[i];

		fprintf(f, "%s%s%s%s", comma, e->op == SELECTOR_DOES_NOT_EXIST ? "!" : "", e->key,
			e->op <= SELECTOR_NOT_IN ? words[e->op] : "");
		for (size_t v = 0; v < e->n_values; v++)
			fprintf(f, "%s%s", v == 0 ? "" : ",", e->values[v]);
		if (e->op <= SELECTOR_NOT_IN)
			fputc(')', f);
	}
	if (selector_is_empty(s))
		fputs("{}", f);
	fclose(f);
	text[SELECTOR_TEXT_SIZE - 1] = '\0';
	return text;
}

void
lint_guess(struct nearest *n, const struct selector *s, const struct labels *labels)
{
	for (size_t i = 0; i < s->match_labels.n; i++)
		nearest_label(n, s->match_labels.items[i].key, s->match_labels.items[i].value, labels);
	for (size_t i = 0; i < s->n_expressions; i++)
		for (size_t v = 0; s->expressions[i].op == SELECTOR_IN && v < s->expressions[i].n_values; v++)
			nearest_label(n, s->expressions[i].key, s->expressions[i].values[v], labels);
}

bool
lint_is_peer(const struct lint_world *w, const char *policy_ns, const struct policy_peer *peer,
	const struct pod_object *pod)
{
	if (peer->namespaces == NULL) {
		if (strcmp(pod->object.ns, policy_ns) != 0)
			return false;
	} else if (!selector_matches(
			   peer->namespaces, lint_namespace_labels(lint_namespace(w, pod->object.ns)))) {
		return false;
	}
	return peer->pods == NULL || selector_matches(peer->pods, &pod->labels);
}

bool
lint_block_has(const struct ip_block *block, const struct ip_addr *addr)
{
	for (size_t i = 0; i < block->n_excepts; i++)
		if (ip_prefix_contains(&block->excepts[i], addr))
			return false;
	return ip_prefix_contains(&block->cidr, addr);
}

/* --- findings */

void
lint_add(struct lint_world *w, const struct network_policy_object *policy, const char *kind, int direction,
	int rule, const char *advice, const char *format, ...)
{
	struct lint *l = w->out;
	struct lint_finding *f;
	va_list args;

	if (l->n == l->room) {
		size_t room = l->room == 0 ? 16 : 2 * l->room;
		struct lint_finding *grown = reallocarray(l->findings, room, sizeof(*grown));

		if (grown == NULL) {
			l->is_short = true;
			return;
		}
		l->findings = grown;
		l->room = room;
	}
	f = &l->findings[l->n++];
	*f = (struct lint_finding){ kind, policy->object.ns, policy->object.name, direction, rule, NULL,
		strdup(advice) };
	va_start(args, format);
	if (vasprintf(&f->text, format, args) < 0)
		f->text = NULL;
	va_end(args);
	l->is_short |= f->text == NULL || f->advice == NULL;
}
