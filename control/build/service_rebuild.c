#include "control/build/service_build_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/host_ports.h"
#include "control/build/service_claims.h"

/* What one build works with. */
struct build {
	struct service_builder *b;
	struct wanted_context context;
	struct service_table *table;
};

static const struct service_object *
service_of(const struct service_builder *b, const struct service_record *r)
{
	return (const struct service_object *)store_get(b->store, OBJECT_SERVICE, r->ns, r->name);
}

static const struct frontend *
find_frontend(const struct build *x, const struct wanted_frontend *w)
{
	return service_frontend(
		x->table, addr_hash(&w->addr, w->port, w->proto), &w->addr, w->port, w->proto);
}

static int
collect_wanted(struct build *x, struct service_record *r)
{
	const struct service_object *service = service_of(x->b, r);

	wanted_fini(&r->coming);
	if (host_ports_is_name(r->name))
		return host_ports_collect(&r->coming, x->context.facts, r->ns, r->name);
	r->needs_nodes = service != NULL && wanted_needs_nodes(service);
	return service == NULL ? 0 : wanted_collect(&r->coming, &x->context, service);
}

static bool
is_wanted(const struct wanted *w, const struct wanted_frontend *f)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->frontends[i].port == f->port && w->frontends[i].proto == f->proto &&
			ip_addr_eq(&w->frontends[i].addr, &f->addr))
			return true;
	return false;
}

/* Removes the frontends that a service had and wants no longer; *n_removed counts them. */
static int
remove_unwanted(struct build *x, struct service_record *r, uint32_t *n_removed)
{
	for (size_t i = 0; i < r->built.n; i++) {
		const struct wanted_frontend *w = &r->built.frontends[i];
		const struct frontend *f = find_frontend(x, w);

		if (f == NULL || f->service != r->id || is_wanted(&r->coming, w))
			continue;
		if (frontend_unbuild(&x->b->frontends, f) < 0)
			return -ENOMEM;
		++*n_removed;
	}
	return 0;
}

/* What is free now may be what others have waited for. */
static int
mark_blocked(struct build *x)
{
	struct service_records *records = &x->b->records;
	uint32_t first = records->n_dirty;

	for (uint32_t i = 0; i < records->n; i++)
		if (records->items[i]->is_blocked && !service_records_mark(records, records->items[i]))
			return -ENOMEM;
	for (uint32_t i = first; i < records->n_dirty; i++)
		if (collect_wanted(x, records->items[records->dirty[i]]) < 0)
			return -ENOMEM;
	service_records_sort(records, 0);
	return 0;
}

/* Takes a frontend from a service that comes later, which is looked at (again) after this one. */
static int
take_over(struct build *x, const struct frontend *f, struct service_record *from)
{
	bool was_dirty = from->is_dirty;

	if (frontend_unbuild(&x->b->frontends, f) < 0 || !service_records_mark(&x->b->records, from))
		return -ENOMEM;
	from->will_be_blocked = true;
	return was_dirty ? 0 : collect_wanted(x, from);
}

static int
build_host_port(struct build *x, const struct wanted_frontend *w, uint32_t number)
{
	struct wanted_frontend wanted = *w;
	struct host_port_service port;
	const struct slice_object *slice = &port.slice;

	host_port_describe(&port, &x->context.facts->host_ports[w->service_port],
		ip_addr_is_v4(&w->addr) ? V4 : V6, x->b->common.node);
	wanted.service_port = 0;
	return frontend_build(&x->b->frontends, &wanted, number, &port.service, &slice, 1);
}

static int
build_frontend(struct build *x, const struct service_record *r, const struct wanted_frontend *w,
	const struct service_object *service)
{
	if (w->kind == FRONTEND_HOST_PORT)
		return build_host_port(x, w, r->id);
	return frontend_build(&x->b->frontends, w, r->id, service, x->b->slices.items, x->b->slices.n);
}

static int
build_service(struct build *x, struct service_record *r)
{
	const struct service_object *service = service_of(x->b, r);

	r->will_be_blocked = false;
	x->b->frontends.n_slotless = 0;
	if (r->coming.n != 0 && service_record_slices(r, x->b->store, &x->b->slices) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < r->coming.n; i++) {
		const struct wanted_frontend *w = &r->coming.frontends[i];
		const struct frontend *f = find_frontend(x, w);

		if (f != NULL && f->service != r->id) {
			struct service_record *other = x->b->records.items[f->service];

			if (service_comes_first(x->b->store, other, r)) {
				r->will_be_blocked = true;
				continue;
			}
			if (take_over(x, f, other) < 0)
				return -ENOMEM;
		}
		if (build_frontend(x, r, w, service) < 0)
			return -ENOMEM;
	}
	r->is_slotless = x->b->frontends.n_slotless != 0;
	return 0;
}

static int
build_changed(struct build *x)
{
	struct service_records *records = &x->b->records;
	uint32_t n_removed = 0;
	bool is_any_younger = false;

	service_records_sort(records, 0);
	for (uint32_t i = 0; i < records->n_dirty; i++) {
		struct service_record *r = records->items[records->dirty[i]];

		if (collect_wanted(x, r) < 0)
			return -ENOMEM;
		/* made anew: others may come before it now */
		is_any_younger |= service_age_is_older(r->created_s, service_age(x->b->store, r));
	}
	for (uint32_t i = 0; i < records->n_dirty; i++)
		if (remove_unwanted(x, records->items[records->dirty[i]], &n_removed) < 0)
			return -ENOMEM;
	if ((n_removed != 0 || is_any_younger) && x->b->n_blocked != 0 && mark_blocked(x) < 0)
		return -ENOMEM;
	/* the list may grow meanwhile */
	for (uint32_t i = 0; i < records->n_dirty; i++)
		if (build_service(x, records->items[records->dirty[i]]) < 0)
			return -ENOMEM;
	return 0;
}

static bool
exists(const struct service_record *r, void *arg)
{
	const struct build *x = arg;

	if (host_ports_is_name(r->name))
		return host_ports_exist(x->context.facts, r->ns, r->name);
	return service_of(x->b, r) != NULL;
}

/* The records' state is that of the new version, or stays that of the last. */
static void
settle_records(struct build *x, bool has_failed)
{
	struct service_builder *b = x->b;
	struct service_records *records = &b->records;

	for (uint32_t i = 0; i < records->n_dirty; i++) {
		struct service_record *r = records->items[records->dirty[i]];

		if (has_failed) {
			wanted_fini(&r->coming);
			continue;
		}
		wanted_fini(&r->built);
		r->built = r->coming;
		r->created_s = service_age(b->store, r);
		r->coming = (struct wanted){ 0 };
		b->n_blocked -= r->is_blocked;
		b->n_blocked += r->will_be_blocked;
		r->is_blocked = r->will_be_blocked;
	}
	if (!has_failed)
		service_records_settle(records, exists, x);
}

static void
count_endpoints(const struct object *object, void *arg)
{
	const struct slice_object *slice = (const struct slice_object *)object;

	*(size_t *)arg += slice->n_endpoints;
}

/* With room for what there is now; more makes it grow. */
static struct service_table *
first_table(const struct service_builder *b)
{
	uint32_t n_services = (uint32_t)store_count(b->store, OBJECT_SERVICE);
	size_t n_endpoints = 0;

	store_each(b->store, OBJECT_ENDPOINT_SLICE, count_endpoints, &n_endpoints);
	return service_table_new(b->pool, n_services, (uint32_t)n_endpoints);
}

int
service_rebuild(struct service_builder *b, const struct build_facts *facts, struct service_table **out)
{
	struct build_facts effective = *facts;
	struct build x = { b, { &effective, b->store },
		b->last == NULL ? first_table(b) : service_table_next(b->last) };
	size_t n_ends;
	int result;

	if (x.table == NULL)
		return -ENOMEM;
	effective.n_node_port_addrs = b->common.n_node_port_addrs;
	effective.node_port_addrs = b->common.node_port_addrs;
	b->frontends.table = x.table;
	b->frontends.node = b->common.node;
	b->frontends.zone = b->common.zone;
	b->frontends.n_own_addrs = facts->n_own_addrs;
	b->frontends.own_addrs = facts->own_addrs;
	n_ends = b->frontends.n_ends;
	result = build_changed(&x);
	if (result < 0)
		b->frontends.n_ends = n_ends;
	frontend_builder_settle_slots(&b->frontends, result < 0);
	settle_records(&x, result < 0);
	if (result < 0) {
		service_table_free(x.table);
		return result;
	}
	service_table_commit(x.table);
	b->last = *out = x.table;
	return 0;
}
