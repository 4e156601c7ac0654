#include "control/build/health_targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/endpoint_select.h"

/* A ready endpoint of this node. */
struct local_endpoint {
	size_t target;
	struct ip_addr addr;
};

struct search {
	const char *node;
	struct health_target *targets;
	size_t n_targets, targets_room;
	struct local_endpoint *locals;
	size_t n_locals, locals_room;
	bool failed;
};

/* Makes room for one more item. */
static bool
grow(void **items, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room == 0 ? 16 : *room * 2;
	void *grown;

	if (n < *room)
		return true;
	grown = realloc(*items, wanted * size);
	if (grown == NULL)
		return false;
	*items = grown;
	*room = wanted;
	return true;
}

static void
add_target(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;
	struct search *s = arg;

	if (service->type != SERVICE_LOAD_BALANCER || !service->external_local ||
		service->health_check_node_port == 0 || !service_is_served(service))
		return;
	if (!grow((void **)&s->targets, s->n_targets, &s->targets_room, sizeof(*s->targets)))
		s->failed = true;
	else
		s->targets[s->n_targets++] = (struct health_target){
			.service = service,
			.port = service->health_check_node_port,
		};
}

static int
compare_to_service(const void *key, const void *item)
{
	const struct slice_object *slice = key;
	const struct service_object *service = ((const struct health_target *)item)->service;
	int order = strcmp(slice->object.ns, service->object.ns);

	return order != 0 ? order : strcmp(slice->service, service->object.name);
}

static void
add_locals(const struct object *object, void *arg)
{
	const struct slice_object *slice = (const struct slice_object *)object;
	struct search *s = arg;
	const struct health_target *t =
		bsearch(slice, s->targets, s->n_targets, sizeof(*t), compare_to_service);

	for (size_t i = 0; t != NULL && i < slice->n_endpoints && !s->failed; i++) {
		const struct slice_endpoint *e = &slice->endpoints[i];

		if (e->n_addrs == 0 || strcmp(e->node, s->node) != 0 ||
			!(e->ready || t->service->publish_not_ready))
			continue;
		if (!grow((void **)&s->locals, s->n_locals, &s->locals_room, sizeof(*s->locals)))
			s->failed = true;
		else
			s->locals[s->n_locals++] =
				(struct local_endpoint){ (size_t)(t - s->targets), e->addrs[0] };
	}
}

static int
compare_locals(const void *x, const void *y)
{
	const struct local_endpoint *a = x, *b = y;

	if (a->target != b->target)
		return a->target < b->target ? -1 : 1;
	return ip_addr_cmp(&a->addr, &b->addr);
}

/* Each address counts once, in however many slices it is. */
static void
count_locals(struct search *s)
{
	uint32_t n[2] = { 0 }; /* of one target, by family */

	if (s->n_locals != 0)
		qsort(s->locals, s->n_locals, sizeof(*s->locals), compare_locals);
	for (size_t i = 0; i < s->n_locals; i++) {
		const struct local_endpoint *e = &s->locals[i];
		uint32_t *n_local = &s->targets[e->target].n_local;

		if (i == 0 || e[-1].target != e->target)
			n[0] = n[1] = 0;
		if (i != 0 && compare_locals(&e[-1], e) == 0)
			continue;
		n[ip_addr_is_v4(&e->addr)]++;
		*n_local = n[0] > n[1] ? n[0] : n[1];
	}
}

int
health_targets(const struct store *store, const char *node, struct health_target **out, size_t *n)
{
	struct search s = { .node = node };

	store_each(store, OBJECT_SERVICE, add_target, &s);
	if (s.n_targets != 0 && !s.failed)
		store_each(store, OBJECT_ENDPOINT_SLICE, add_locals, &s);
	if (!s.failed)
		count_locals(&s);
	free(s.locals);
	if (s.failed) {
		free(s.targets);
		return -ENOMEM;
	}
	*out = s.targets;
	*n = s.n_targets;
	return 0;
}
