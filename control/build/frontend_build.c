#include "control/build/frontend_build.h"

#include <errno.h>
#include <stdlib.h>

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

/* Slots. */

static int
list_pair(struct pair_list *l, const struct frontend *f, const struct backend *b)
{
	if (l->n == l->room) {
		size_t room = l->room == 0 ? 64 : 2 * l->room;
		struct slot_record *items = realloc(l->items, room * sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct slot_record){
		.backend_addr = b->addr,
		.backend_port = b->port,
		.frontend_addr = f->addr,
		.frontend_port = f->port,
		.proto = f->proto,
	};
	return 0;
}

void
frontend_builder_settle_slots(struct frontend_builder *b, bool has_failed)
{
	struct pair_list *l = has_failed ? &b->assigned : &b->released;

	for (size_t i = 0; i < l->n; i++) {
		const struct slot_record *r = &l->items[i];

		slots_release(b->slots, &r->backend_addr, r->backend_port, r->proto, &r->frontend_addr,
			r->frontend_port);
	}
	b->assigned.n = b->released.n = 0;
}

bool
frontend_builder_end_backend(struct frontend_builder *b, const struct backend_end *end)
{
	if (b->n_ends == b->ends_room) {
		size_t room = b->ends_room == 0 ? 16 : 2 * b->ends_room;
		struct backend_end *ends = realloc(b->ends, room * sizeof(*ends));

		if (ends == NULL)
			return false;
		b->ends = ends;
		b->ends_room = room;
	}
	b->ends[b->n_ends++] = *end;
	return true;
}

/* A frontend's backend that was not there before. */
static int
begin_pair(struct frontend_builder *b, const struct frontend *f, uint32_t ref, struct backend *backend,
	bool needs_slot)
{
	backend->slot = 0;
	if (needs_slot) {
		backend->slot =
			slots_assign(b->slots, &backend->addr, backend->port, f->proto, &f->addr, f->port);
		if (backend->slot != 0 && list_pair(&b->assigned, f, backend) < 0)
			return -ENOMEM;
	}
	return service_table_link(b->table, backend, f->proto, ref);
}

/* A backend that is the frontend's no longer. */
static int
end_pair(struct frontend_builder *b, const struct frontend *f, uint32_t ref, const struct backend *backend)
{
	if (backend->slot != 0 && list_pair(&b->released, f, backend) < 0)
		return -ENOMEM;
	return service_table_unlink(b->table, backend, f->proto, ref);
}

/* A backend that was there before: it keeps its slot, and gets one if there was none. */
static int
continue_pair(struct frontend_builder *b, const struct frontend *f, uint32_t ref, const struct backend *old,
	struct backend *backend, bool needs_slot)
{
	const struct backend_end end = {
		.addr = old->addr, .port = old->port, .generation = backend->generation
	};

	if (old->generation != 0 && old->generation != backend->generation &&
		!frontend_builder_end_backend(b, &end))
		return -ENOMEM;
	backend->slot = old->slot;
	if ((old->slot != 0) == needs_slot)
		return 0;
	if (end_pair(b, f, ref, old) < 0)
		return -ENOMEM;
	return begin_pair(b, f, ref, backend, needs_slot);
}

static int
compare_backends(const void *x, const void *y)
{
	const struct backend *a = *(const struct backend *const *)x, *b = *(const struct backend *const *)y;
	int order = ip_addr_cmp(&a->addr, &b->addr);

	return order != 0 ? order : (int)a->port - (int)b->port;
}

static uint32_t
count_backends(const struct frontend *f)
{
	return f->n_backends + (f->extra == NULL ? 0 : f->extra->n_outside_only + f->extra->n_leaving);
}

/* Pointers to all backends, by address and port. */
static uint32_t
sort_backends(const struct frontend *f, const struct backend **sorted)
{
	uint32_t n = count_backends(f);

	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &f->backends[i];
	if (n > 1 && n != f->n_backends)
		qsort(sorted, n, sizeof(*sorted), compare_backends); /* two sorted runs */
	return n;
}

/* From the backends of the frontend that was to those of the one that is. */
static int
change_pairs(struct frontend_builder *b, const struct frontend *was, const struct frontend *is, uint32_t ref)
{
	const struct backend **olds = b->sorted, **news = b->sorted + b->room;
	uint32_t n_olds = sort_backends(was, olds), n_news = sort_backends(is, news), i = 0, k = 0;
	int result = 0;

	while (result == 0 && (i < n_olds || k < n_news)) {
		int order = i == n_olds ? 1 : k == n_news ? -1 : compare_backends(&olds[i], &news[k]);
		struct backend *backend =
			k == n_news ? NULL : (struct backend *)news[k]; /* in our own piece */
		/* old buckets may name any of them */
		bool needs_slot = k != n_news &&
				  (news[k] < is->backends + is->n_backends || (is->flags & FRONTEND_MOVING));

		if (order < 0)
			result = end_pair(b, is, ref, olds[i]);
		else if (order > 0)
			result = begin_pair(b, is, ref, backend, needs_slot);
		else
			result = continue_pair(b, is, ref, olds[i], backend, needs_slot);
		i += order <= 0;
		k += order >= 0;
	}
	return result;
}

/* Backends. */

/* Room for the backends of this frontend, old and new. */
static int
make_room(struct frontend_builder *b, size_t n)
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

static uint16_t
flags_of(const struct wanted_frontend *w, const struct service_object *service,
	const struct endpoint_selection *s)
{
	bool has_ranges = w->kind == FRONTEND_LOAD_BALANCER && service->n_source_ranges != 0;

	return (uint16_t)((w->kind != FRONTEND_CLUSTER_IP ? FRONTEND_EXPOSED : 0) |
			  (service->affinity_timeout_s != 0 ? FRONTEND_AFFINITY : 0) |
			  (s->is_local ? FRONTEND_LOCAL : 0) | (s->drops_empty ? FRONTEND_DROP_EMPTY : 0) |
			  (has_ranges ? FRONTEND_SOURCE_RANGES : 0));
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

/* Buckets over the backends that have all of 'flags'. */
static void
fill_buckets(struct frontend_builder *b, const struct frontend *f, uint32_t n_backends, uint8_t flags,
	uint16_t *buckets, uint32_t size)
{
	uint32_t *hashes = b->numbers, *scratch = b->numbers + b->room, *which = b->numbers + 3 * b->room;
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_backends; i++)
		if ((f->backends[i].flags & flags) == flags) {
			hashes[n] = addr_hash(&f->backends[i].addr, f->backends[i].port, f->proto);
			which[n++] = i;
		}
	maglev_fill(buckets, size, hashes, n, scratch);
	for (uint32_t i = 0; n != n_backends && i < size; i++)
		buckets[i] = (uint16_t)which[buckets[i]];
}

/* Moves. */

/* The way of a frontend's buckets from what they are to what they are to be. */
struct way {
	struct bucket_side old, target;
	struct move_plan plan;
	struct backend *former; /* of a former process */
	uint16_t *former_buckets, *target_buckets;
};

static void
way_fini(struct way *w)
{
	free(w->plan.buckets);
	free(w->plan.leaving);
	free(w->plan.map);
	free(w->former);
	free(w->former_buckets);
	free(w->target_buckets);
}

static bool
is_of_frontend(const struct slot_record *r, const struct frontend *f)
{
	return r->frontend_port == f->port && r->proto == f->proto && ip_addr_eq(&r->frontend_addr, &f->addr);
}

static int
compare_key(const struct slot_record *r, const struct frontend *f)
{
	int order = ip_addr_cmp(&r->frontend_addr, &f->addr);

	if (order != 0)
		return order;
	return r->frontend_port != f->port ? (int)r->frontend_port - (int)f->port
					   : (int)r->proto - (int)f->proto;
}

static size_t
first_former(const struct frontend_builder *b, const struct frontend *f)
{
	size_t low = 0, high = b->n_former;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_key(&b->former[middle], f) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What a former process's buckets were follows from its backends, and these from their slots. */
static int
recall_former(struct frontend_builder *b, const struct frontend *f, struct way *w)
{
	size_t first = first_former(b, f), n = 0;
	struct frontend was = { .proto = f->proto };

	while (first + n < b->n_former && is_of_frontend(&b->former[first + n], f))
		n++;
	if (n == 0)
		return 0;
	w->former = calloc(n, sizeof(*w->former));
	w->former_buckets = malloc(maglev_size((uint32_t)n) * sizeof(uint16_t));
	if (w->former == NULL || w->former_buckets == NULL || make_room(b, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		w->former[i] = (struct backend){
			.addr = b->former[first + i].backend_addr,
			.port = b->former[first + i].backend_port,
		};
	was.backends = w->former;
	fill_buckets(b, &was, (uint32_t)n, 0, w->former_buckets, maglev_size((uint32_t)n));
	w->old = (struct bucket_side){ w->former, (uint32_t)n, (uint32_t)n, w->former_buckets,
		maglev_size((uint32_t)n) - 1 };
	return 0;
}

static bool
is_gone(const struct backend *backend, void *arg)
{
	const struct frontend_builder *b = arg;

	return b->gone != NULL && gone_pods_has(b->gone, backend->pod);
}

static int
aim(struct frontend_builder *b, const struct frontend *f, const struct frontend_shape *shape, struct way *w)
{
	struct frontend aimed = { .proto = f->proto, .backends = b->backends };

	w->target = (struct bucket_side){
		.backends = b->backends,
		.n = shape->n_backends,
		.n_all = shape->n_backends + shape->n_outside_only,
	};
	if (shape->n_buckets == 0)
		return 0;
	w->target_buckets = malloc(shape->n_buckets * sizeof(uint16_t));
	if (w->target_buckets == NULL)
		return -ENOMEM;
	fill_buckets(b, &aimed, shape->n_backends, 0, w->target_buckets, shape->n_buckets);
	w->target.buckets = w->target_buckets;
	w->target.mask = shape->n_buckets - 1;
	return 0;
}

/* Finds out whether buckets have to move, from 'there' (NULL: from what a former process had). *w is to be freed whatever
 * comes back. */
static int
find_way(struct frontend_builder *b, const struct frontend *there, const struct frontend *f,
	const struct frontend_shape *shape, struct way *w)
{
	size_t n;

	*w = (struct way){ 0 };
	if (there != NULL && service_has_buckets(there))
		w->old = (struct bucket_side){ there->backends, there->n_backends, count_backends(there),
			there->buckets, there->bucket_mask };
	else if (there == NULL && recall_former(b, f, w) < 0)
		return -ENOMEM;
	if (w->old.buckets == NULL)
		return 0;
	if (aim(b, f, shape, w) < 0)
		return -ENOMEM;
	n = (w->old.mask > w->target.mask ? w->old.mask : w->target.mask) + 1;
	w->plan.buckets = malloc(n * sizeof(*w->plan.buckets));
	w->plan.leaving = malloc((w->old.n_all + 1) * sizeof(*w->plan.leaving));
	w->plan.map = malloc((w->old.n_all + 1) * sizeof(*w->plan.map));
	if (w->plan.buckets == NULL || w->plan.leaving == NULL || w->plan.map == NULL)
		return -ENOMEM;
	moves_plan(
		&w->plan, &w->old, &w->target, moves_find(b->moves, &f->addr, f->port, f->proto), is_gone, b);
	return 0;
}

static void
fill_moving(struct frontend_builder *b, const struct frontend_shape *shape, const struct way *w,
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
	const struct service_object *service, uint32_t n_outside, const struct way *w)
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
		fill_buckets(b, f, shape->n_backends, 0, parts.buckets, shape->n_buckets);
	if (!shape->has_extra)
		return 0;
	parts.extra->affinity_timeout_s = service->affinity_timeout_s;
	parts.extra->n_outside = n_outside;
	if (shape->n_ranges != 0)
		memcpy(parts.ranges, service->source_ranges, shape->n_ranges * sizeof(*parts.ranges));
	if (shape->n_outside_buckets != 0)
		fill_buckets(b, f, n, BACKEND_OUTSIDE, parts.outside_buckets, shape->n_outside_buckets);
	return 0;
}

/* Fills the frontend, as one with moving buckets if need be. */
static int
shape_frontend(struct frontend_builder *b, const struct frontend *there, struct frontend *f,
	struct frontend_shape *shape, const struct service_object *service, uint32_t n_outside)
{
	struct way w;
	int result = find_way(b, there, f, shape, &w);

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
	way_fini(&w);
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
		result = change_pairs(b, &was, f, ref);
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
	for (uint32_t i = count_backends(there) - there->extra->n_leaving; i < count_backends(there); i++)
		if (is_gone(&there->backends[i], b))
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
		.is_exposed = wanted->kind != FRONTEND_CLUSTER_IP,
		.node = b->node,
		.zone = b->zone,
	};
	struct frontend f = { wanted->addr, wanted->port, wanted->proto, wanted->kind, .service = number };
	const struct frontend *there =
		service_frontend(b->table, addr_hash(&f.addr, f.port, f.proto), &f.addr, f.port, f.proto);
	size_t room = endpoint_select_room(&question), old = there == NULL ? 0 : count_backends(there);
	struct frontend_shape shape = { 0 };
	struct endpoint_selection selection;
	uint32_t n_outside;

	if (make_room(b, room > old ? room : old) < 0)
		return -ENOMEM;
	selection = endpoint_select(&question, b->selected);
	gather_backends(b, &selection, service->object.ns, &shape);
	f.flags = flags_of(wanted, service, &selection);
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
	for (uint32_t i = 0; i < count_backends(&was); i++)
		if (end_pair(b, &was, ref, &was.backends[i]) < 0)
			return -ENOMEM;
	return service_table_remove(b->table, &was.addr, was.port, was.proto);
}
