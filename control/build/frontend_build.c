#include "control/build/frontend_build.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/frontend_build_internal.h"
#include "control/build/maglev.h"

void
frontend_builder_fini(struct frontend_builder *b)
{
	free(b->assigned.items);
	free(b->released.items);
	free(b->ends);
	free(b->selected);
	free(b->backends);
	free(b->sorted);
	free(b->numbers);
}

/* Backends. */

int
frontend_builder_make_room(struct frontend_builder *b, size_t n)
{
	size_t room = b->room == 0 ? 64 : b->room;

	if (b->room != 0 && n <= b->room)
		return 0;
	while (room < n)
		room *= 2;
	free(b->selected);
	free(b->backends);
	free(b->sorted);
	free(b->numbers);
	b->selected = malloc(room * sizeof(*b->selected));
	b->backends = malloc(room * sizeof(*b->backends));
	b->sorted = malloc(2 * room * sizeof(*b->sorted));
	b->numbers = malloc(4 * room * sizeof(*b->numbers));
	b->room = 0;
	if (b->selected == NULL || b->backends == NULL || b->sorted == NULL || b->numbers == NULL)
		return -ENOMEM;
	b->room = room;
	return 0;
}

/* Another pod under a former one's address has another uid; where slices do not tell, another name, as a rule. */
static uint32_t
generation_of(const struct slice_endpoint *ep)
{
	uint32_t hash = 0;

	if (ep->pod_uid != 0)
		return ep->pod_uid;
	for (const char *c = ep->pod; *c != '\0'; c++)
		hash = hash * 31 + (uint8_t)*c;
	return hash_mix(hash);
}

/* What a selected endpoint is as a backend, without its slot. */
static struct backend
backend_of(const struct selected_endpoint *s, const char *ns)
{
	return (struct backend){
		.addr = s->addr,
		.port = s->port,
		.flags = (uint8_t)((s->flags & SELECTED_LOCAL ? BACKEND_LOCAL : 0) |
				   (s->flags & SELECTED_DRAINING ? BACKEND_DRAINING : 0) |
				   (s->flags & SELECTED_OUTSIDE ? BACKEND_OUTSIDE : 0)),
		.generation = generation_of(s->endpoint),
		.pod = pod_digest(ns, s->endpoint->pod),
	};
}

/* Fills b->backends: those for inside traffic, then the others. */
static void
gather_backends(struct frontend_builder *b, const struct endpoint_selection *s, const char *ns,
	struct frontend_shape *shape)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n && n < MAGLEV_BACKENDS_MAX; i++)
		if (b->selected[i].flags & SELECTED_INSIDE)
			b->backends[n++] = backend_of(&b->selected[i], ns);
	shape->n_backends = n;
	for (uint32_t i = 0; i < s->n && s->is_local && n < MAGLEV_BACKENDS_MAX; i++)
		if (!(b->selected[i].flags & SELECTED_INSIDE))
			b->backends[n++] = backend_of(&b->selected[i], ns);
	shape->n_outside_only = n - shape->n_backends;
}

static uint32_t
count_outside(const struct frontend_builder *b, const struct frontend_shape *shape)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < shape->n_backends + shape->n_outside_only; i++)
		n += (b->backends[i].flags & BACKEND_OUTSIDE) != 0;
	return n;
}

/* Whether the service's source ranges have an address of this node, of the family of the frontend's. */
static bool
admits_node(const struct frontend_builder *b, const struct wanted_frontend *w,
	const struct service_object *service)
{
	for (size_t i = 0; i < b->n_own_addrs; i++)
		for (size_t k = 0; k < service->n_source_ranges; k++)
			if (ip_addr_is_v4(&b->own_addrs[i]) == ip_addr_is_v4(&w->addr) &&
				ip_prefix_contains(&service->source_ranges[k], &b->own_addrs[i]))
				return true;
	return false;
}

static uint16_t
flags_of(const struct frontend_builder *b, const struct wanted_frontend *w,
	const struct service_object *service, const struct endpoint_selection *s)
{
	bool has_ranges = w->kind == FRONTEND_LOAD_BALANCER && service->n_source_ranges != 0;

	return (uint16_t)((frontend_kind_is_exposed(w->kind) ? FRONTEND_EXPOSED : 0) |
			  (service->affinity_timeout_s != 0 ? FRONTEND_AFFINITY : 0) |
			  (s->is_local ? FRONTEND_LOCAL : 0) | (s->drops_empty ? FRONTEND_DROP_EMPTY : 0) |
			  (has_ranges ? FRONTEND_SOURCE_RANGES : 0) |
			  (has_ranges && admits_node(b, w, service) ? FRONTEND_ADMITS_NODE : 0));
}

static bool
is_same_extra(
	const struct frontend *f, const struct frontend_shape *shape, const struct service_object *service)
{
	const struct frontend_extra *x = f->extra;

	if (!shape->has_extra)
		return x == NULL || (f->flags & FRONTEND_MOVING); /* it is there for the move alone */
	if (x == NULL)
		return false;
	return x->affinity_timeout_s == service->affinity_timeout_s && x->n_ranges == shape->n_ranges &&
	       x->n_outside_only == shape->n_outside_only &&
	       (x->n_ranges == 0 ||
		       memcmp(x->ranges, service->source_ranges, x->n_ranges * sizeof(*x->ranges)) == 0);
}

/* The pairs that found no slot. */
static uint32_t
count_slotless(const struct frontend *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_backends; i++)
		n += f->backends[i].slot == 0;
	return n;
}

/* Whether the frontend that is there is what it has to be, or will be when its move is through; the slots and buckets follow
 * from that. */
static bool
is_same(const struct frontend_builder *b, const struct frontend *is, const struct frontend *f,
	const struct frontend_shape *shape, const struct service_object *service)
{
	if (count_slotless(f) != 0 || f->kind != is->kind || (f->flags & ~FRONTEND_MOVING) != is->flags ||
		f->n_backends != shape->n_backends || !is_same_extra(f, shape, service))
		return false;
	for (uint32_t i = 0; i < shape->n_backends + shape->n_outside_only; i++) {
		const struct backend *x = &f->backends[i], *y = &b->backends[i];

		if (!ip_addr_eq(&x->addr, &y->addr) || x->port != y->port || x->flags != y->flags ||
			x->generation != y->generation)
			return false;
	}
	return true;
}

static void
fill_moving(struct frontend_builder *b, const struct frontend_shape *shape, const struct bucket_way *w,
	struct frontend_parts *parts)
{
	struct backend *leaving = parts->backends + shape->n_backends + shape->n_outside_only;

	for (uint32_t i = 0; i < w->plan.n_leaving; i++) {
		leaving[i] = w->old.backends[w->plan.leaving[i]];
		leaving[i].flags &= (uint8_t)~BACKEND_OUTSIDE;
	}
	memcpy(parts->buckets, w->plan.buckets, w->plan.n_buckets * sizeof(*parts->buckets));
	if (shape->n_next_buckets != 0)
		memcpy(parts->next_buckets, w->target.buckets,
			shape->n_next_buckets * sizeof(*parts->next_buckets));
}

static int
fill_frontend(struct frontend_builder *b, struct frontend *f, const struct frontend_shape *shape,
	const struct service_object *service, uint32_t n_outside, const struct bucket_way *w)
{
	uint32_t n = shape->n_backends + shape->n_outside_only;
	struct frontend_parts parts;

	if (service_table_shape(b->table, f, shape, &parts) < 0)
		return -ENOMEM;
	if (n != 0)
		memcpy(parts.backends, b->backends, n * sizeof(*parts.backends));
	if (f->flags & FRONTEND_MOVING)
		fill_moving(b, shape, w, &parts);
	else if (shape->n_buckets != 0)
		frontend_fill_buckets(b, f, shape->n_backends, 0, parts.buckets, shape->n_buckets);
	if (!shape->has_extra)
		return 0;
	parts.extra->affinity_timeout_s = service->affinity_timeout_s;
	parts.extra->n_outside = n_outside;
	if (shape->n_ranges != 0)
		memcpy(parts.ranges, service->source_ranges, shape->n_ranges * sizeof(*parts.ranges));
	if (shape->n_outside_buckets != 0)
		frontend_fill_buckets(
			b, f, n, BACKEND_OUTSIDE, parts.outside_buckets, shape->n_outside_buckets);
	return 0;
}

/* Fills the frontend, as one with moving buckets if need be. */
static int
shape_frontend(struct frontend_builder *b, const struct frontend *there, struct frontend *f,
	struct frontend_shape *shape, const struct service_object *service, uint32_t n_outside)
{
	struct bucket_way w;
	int result = bucket_way_find(b, there, f, shape, &w);

	if (result == 0 && w.plan.n_moving != 0) {
		f->flags |= FRONTEND_MOVING;
		shape->has_extra = true;
		shape->n_leaving = w.plan.n_leaving;
		shape->n_next_buckets = shape->n_buckets;
		shape->n_buckets = w.plan.n_buckets;
	}
	if (result == 0)
		result = fill_frontend(b, f, shape, service, n_outside, &w);
	if (result == 0 && w.plan.n_moving == 0)
		moves_end(b->moves, &f->addr, f->port, f->proto);
	else if (result == 0 && moves_begin(b->moves, f, w.plan.n_moving, b->now_ns) == NULL)
		result = -ENOMEM;
	bucket_way_fini(&w);
	return result;
}

static int
put_frontend(struct frontend_builder *b, const struct frontend *f)
{
	const struct frontend *there = service_frontend(
		b->table, addr_hash(&f->addr, f->port, f->proto), &f->addr, f->port, f->proto);
	struct frontend was = { 0 };
	uint32_t ref;
	int result;

	if (there != NULL) {
		was = *there; /* its piece stays until the version before goes */
		result = service_table_replace(b->table, f);
		ref = service_table_ref(b->table, &f->addr, f->port, f->proto);
	} else {
		result = service_table_add(b->table, f, &ref);
	}
	if (result == 0)
		result = frontend_change_pairs(b, &was, f, ref);
	b->n_slotless += count_slotless(f);
	return result;
}

/* Whether buckets of a move may flip. */
static bool
may_go_on(struct frontend_builder *b, const struct frontend *there)
{
	const struct move *move = moves_find(b->moves, &there->addr, there->port, there->proto);

	if (!(there->flags & FRONTEND_MOVING))
		return false;
	if (move == NULL || move->settled != NULL)
		return true;
	for (uint32_t i = frontend_count_backends(there) - there->extra->n_leaving;
		i < frontend_count_backends(there); i++)
		if (frontend_backend_is_gone(&there->backends[i], b))
			return true;
	return false;
}

int
frontend_build(struct frontend_builder *b, const struct wanted_frontend *wanted, uint32_t number,
	const struct service_object *service, const struct slice_object *const *slices, size_t n_slices)
{
	const struct endpoint_question question = {
		.service = service,
		.port = &service->ports[wanted->service_port],
		.slices = slices,
		.n_slices = n_slices,
		.is_v4 = ip_addr_is_v4(&wanted->addr),
		.is_exposed = frontend_kind_is_exposed(wanted->kind),
		.node = b->node,
		.zone = b->zone,
	};
	struct frontend f = { wanted->addr, wanted->port, wanted->proto, wanted->kind, .service = number };
	const struct frontend *there =
		service_frontend(b->table, addr_hash(&f.addr, f.port, f.proto), &f.addr, f.port, f.proto);
	size_t room = endpoint_select_room(&question),
	       old = there == NULL ? 0 : frontend_count_backends(there);
	struct frontend_shape shape = { 0 };
	struct endpoint_selection selection;
	uint32_t n_outside;

	if (frontend_builder_make_room(b, room > old ? room : old) < 0)
		return -ENOMEM;
	selection = endpoint_select(&question, b->selected);
	gather_backends(b, &selection, service->object.ns, &shape);
	f.flags = flags_of(b, wanted, service, &selection);
	shape.has_extra = (f.flags & (FRONTEND_AFFINITY | FRONTEND_LOCAL | FRONTEND_SOURCE_RANGES)) != 0;
	shape.n_ranges = f.flags & FRONTEND_SOURCE_RANGES ? (uint32_t)service->n_source_ranges : 0;
	if (there != NULL && is_same(b, &f, there, &shape, service) && !may_go_on(b, there))
		return 0;
	n_outside = count_outside(b, &shape);
	shape.n_buckets = shape.n_backends == 0 ? 0 : maglev_size(shape.n_backends);
	if (selection.is_local && n_outside != 0)
		shape.n_outside_buckets = maglev_size(n_outside);
	if (shape_frontend(b, there, &f, &shape, service, n_outside) < 0)
		return -ENOMEM;
	return put_frontend(b, &f);
}

int
frontend_unbuild(struct frontend_builder *b, const struct frontend *f)
{
	const struct frontend was = *f;
	uint32_t ref = service_table_ref(b->table, &f->addr, f->port, f->proto);

	moves_end(b->moves, &f->addr, f->port, f->proto);
	for (uint32_t i = 0; i < frontend_count_backends(&was); i++)
		if (frontend_end_pair(b, &was, ref, &was.backends[i]) < 0)
			return -ENOMEM;
	return service_table_remove(b->table, &was.addr, was.port, was.proto);
}
