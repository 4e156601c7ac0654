/* The cluster's pods, by what policies can see of them. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/identities_internal.h"

static int
compare_pods(const void *a, const void *b)
{
	const struct known_pod *x = a, *y = b;
	int by_ns = strcmp(x->ns, y->ns);

	return by_ns != 0 ? by_ns : strcmp(x->name, y->name);
}

static int
compare_groups(const void *a, const void *b)
{
	const struct pod_group *x = a, *y = b;

	if (x->key_size != y->key_size)
		return x->key_size < y->key_size ? -1 : 1;
	return memcmp(x->key, y->key, x->key_size);
}

static int
compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static int
compare_ports(const void *a, const void *b)
{
	const struct container_port *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = (int)x->proto - y->proto;
	return order != 0 ? order : (int)x->port - y->port;
}

/* Pointers into the object, in an order that does not depend on how it was written. */
static int
sort_parts(const struct pod_object *pod, struct pod_group *g)
{
	g->labels.items = calloc(pod->labels.n + 1, sizeof(*g->labels.items));
	g->ports = calloc(pod->n_ports + 1, sizeof(*g->ports));
	if (g->labels.items == NULL || g->ports == NULL)
		return -ENOMEM;
	g->ns = pod->object.ns;
	for (size_t i = 0; i < pod->labels.n; i++)
		g->labels.items[g->labels.n++] = pod->labels.items[i];
	qsort(g->labels.items, g->labels.n, sizeof(*g->labels.items), compare_labels);
	for (size_t i = 0; i < pod->n_ports; i++)
		if (*pod->ports[i].name != '\0')
			g->ports[g->n_ports++] = (struct container_port){ .name = pod->ports[i].name,
				.proto = pod->ports[i].proto,
				.port = pod->ports[i].port };
	qsort(g->ports, g->n_ports, sizeof(*g->ports), compare_ports);
	return 0;
}

static char *
append(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);

	*at += size;
	return copy;
}

/* Writes the key, and has the parts point into it. */
static int
write_key(struct pod_group *g)
{
	size_t size = strlen(g->ns) + 1;
	char *at;

	for (size_t i = 0; i < g->labels.n; i++)
		size += strlen(g->labels.items[i].key) + strlen(g->labels.items[i].value) + 2;
	for (size_t i = 0; i < g->n_ports; i++)
		size += 4 + strlen(g->ports[i].name) + 1;
	at = g->key = malloc(size);
	if (at == NULL)
		return -ENOMEM;
	g->key_size = size;
	g->ns = append(&at, g->ns);
	for (size_t i = 0; i < g->labels.n; i++) {
		g->labels.items[i].key = append(&at, g->labels.items[i].key);
		g->labels.items[i].value = append(&at, g->labels.items[i].value);
	}
	for (size_t i = 0; i < g->n_ports; i++) {
		/* begins with a byte that no label's key begins with */
		*at++ = 1;
		*at++ = (char)g->ports[i].proto;
		*at++ = (char)(g->ports[i].port >> 8);
		*at++ = (char)g->ports[i].port;
		g->ports[i].name = append(&at, g->ports[i].name);
	}
	return 0;
}

static void
group_free(struct pod_group *g)
{
	if (g == NULL)
		return;
	free(g->key);
	free(g->labels.items);
	free(g->ports);
	free(g->bits);
	free(g);
}

static struct pod_group *
group_make(const struct identities *ids, const struct pod_object *pod)
{
	struct pod_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->bits = calloc(ids->n_words, sizeof(*g->bits));
	g->is_stale = true;
	if (g->bits != NULL && sort_parts(pod, g) == 0 && write_key(g) == 0)
		return g;
	group_free(g);
	return NULL;
}

static bool
make_room(struct identities *ids)
{
	size_t room = ids->groups_room == 0 ? 64 : 2 * ids->groups_room;
	struct pod_group **grown;

	if (ids->n_groups < ids->groups_room)
		return true;
	grown = reallocarray(ids->groups, room, sizeof(struct pod_group *));
	if (grown == NULL)
		return false;
	ids->groups = grown;
	ids->groups_room = room;
	return true;
}

/* The group of a pod like this, with one more in it; NULL if out of memory. */
static struct pod_group *
group_join(struct identities *ids, const struct pod_object *pod)
{
	struct pod_group *made = make_room(ids) ? group_make(ids, pod) : NULL;
	struct pod_group **place = made == NULL ? NULL : tsearch(made, &ids->group_index, compare_groups);

	if (place == NULL) {
		group_free(made);
		return NULL;
	}
	if (*place != made) {
		group_free(made);
	} else {
		made->index = ids->n_groups;
		ids->groups[ids->n_groups++] = made;
		ids->are_groups_new = true;
	}
	(*place)->refs++;
	return *place;
}

static void
group_leave(struct identities *ids, struct pod_group *g)
{
	if (--g->refs > 0)
		return;
	tdelete(g, &ids->group_index, compare_groups);
	ids->groups[g->index] = ids->groups[--ids->n_groups];
	ids->groups[g->index]->index = g->index;
	ids->are_groups_new = true;
	group_free(g);
}

static void
known_pod_free(struct known_pod *pod)
{
	if (pod == NULL)
		return;
	free(pod->ns);
	free(pod->name);
	free(pod->addrs);
	free(pod);
}

static struct known_pod *
known_pod_new(const struct pod_object *object)
{
	struct known_pod *pod = calloc(1, sizeof(*pod));

	if (pod == NULL)
		return NULL;
	pod->ns = strdup(object->object.ns);
	pod->name = strdup(object->object.name);
	pod->addrs = calloc(object->n_addrs + 1, sizeof(*pod->addrs));
	if (pod->ns == NULL || pod->name == NULL || pod->addrs == NULL) {
		known_pod_free(pod);
		return NULL;
	}
	pod->uid = object->uid;
	pod->static_uid = object->static_uid;
	pod->n_addrs = object->n_addrs;
	memcpy(pod->addrs, object->addrs, object->n_addrs * sizeof(*pod->addrs));
	return pod;
}

static struct known_pod **
find(const struct identities *ids, const char *ns, const char *name)
{
	const struct known_pod key = { .ns = (char *)ns, .name = (char *)name };

	return tfind(&key, &ids->pods, compare_pods);
}

const struct known_pod *
known_pod_find(const struct identities *ids, const char *ns, const char *name)
{
	struct known_pod **place = find(ids, ns, name);

	return place == NULL ? NULL : *place;
}

static int
add(struct identities *ids, const struct pod_object *object)
{
	struct known_pod *pod = known_pod_new(object);

	if (pod == NULL)
		return -ENOMEM;
	pod->group = group_join(ids, object);
	if (pod->group != NULL && tsearch(pod, &ids->pods, compare_pods) != NULL)
		return 0;
	if (pod->group != NULL)
		group_leave(ids, pod->group);
	known_pod_free(pod);
	return -ENOMEM;
}

/* Whether a pod is to policies what it was: most changes of pods are about other things. */
static bool
is_the_same(const struct known_pod *a, const struct known_pod *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->uid == b->uid && a->static_uid == b->static_uid && a->group == b->group &&
	       a->n_addrs == b->n_addrs && memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(a->addrs[0])) == 0;
}

int
identities_pod_changed(struct identities *ids, const char *ns, const char *name)
{
	const struct pod_object *object =
		(const struct pod_object *)store_get(ids->store, OBJECT_POD, ns, name);
	struct known_pod **place = find(ids, ns, name), *former = place == NULL ? NULL : *place;
	int result = 0;

	if (former != NULL)
		tdelete(former, &ids->pods, compare_pods);
	/* those in the host's network have the node's address, which is no pod's */
	if (object != NULL && !object->host_network)
		result = add(ids, object);
	ids->is_dirty |= !is_the_same(former, known_pod_find(ids, ns, name));
	if (former != NULL) {
		group_leave(ids, former->group); /* last, so that a group does not end and begin anew */
		known_pod_free(former);
	}
	return result;
}

void
identities_namespace_changed(struct identities *ids, const char *ns)
{
	for (size_t i = 0; i < ids->n_groups; i++)
		if (strcmp(ids->groups[i]->ns, ns) == 0)
			ids->groups[i]->is_stale = true;
	ids->is_dirty = true;
}

struct walk {
	void (*fn)(const struct known_pod *pod, void *arg);
	void *arg;
};

static void
walk_node(const void *node, VISIT visit, void *closure)
{
	struct walk *w = closure;

	if (visit == postorder || visit == leaf)
		w->fn(*(struct known_pod *const *)node, w->arg);
}

void
known_pods_each(const struct identities *ids, void (*fn)(const struct known_pod *pod, void *arg), void *arg)
{
	struct walk w = { fn, arg };

	twalk_r(ids->pods, walk_node, &w);
}

static void
free_pod(void *pod)
{
	known_pod_free(pod);
}

static void
free_group(void *group)
{
	group_free(group);
}

void
groups_free(struct identities *ids)
{
	tdestroy(ids->pods, free_pod);
	tdestroy(ids->group_index, free_group);
	free(ids->groups);
}

const struct pod_group *
identities_group(const struct identities *ids, const struct local_pod *pod)
{
	const struct known_pod *known = known_pod_find(ids, pod->ns, pod->name);

	return known == NULL || !pod_uid_is(known->uid, known->static_uid, pod->uid) ? NULL : known->group;
}

const struct labels *
pod_group_labels(const struct pod_group *g)
{
	return &g->labels;
}

uint16_t
pod_group_port(const struct pod_group *g, const char *name, uint8_t proto)
{
	for (size_t i = 0; i < g->n_ports; i++)
		if (g->ports[i].proto == proto && strcmp(g->ports[i].name, name) == 0)
			return g->ports[i].port;
	return 0;
}
