#include "control/build/service_build.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/maglev.h"

/* A growing array. */
struct list {
	void *items;
	size_t n, room;
};

/* Everything of a build; the table is made when all sizes are known. */
struct build {
	size_t n_slices;
	const struct slice_object **slices; /* by namespace and service */
	struct list frontends;              /* struct frontend, bases filled in */
	struct list backends;               /* struct backend, of one frontend after the other */
	struct list buckets;                /* uint16_t */
	struct list hashes, scratch;        /* uint32_t, of one frontend */
	uint32_t n_services;                /* seen so far */
	bool failed;                        /* out of memory */
};

/* One frontend's question: which endpoints. */
struct wanted {
	const struct service_object *service;
	const struct service_port *port;
	bool is_v4;
};

/* Room for n more items, which are part of the list then; NULL (and the build has failed) if out of memory. */
static void *
list_extend(struct build *b, struct list *l, size_t n, size_t item_size)
{
	if (l->n + n > l->room) {
		size_t room = l->room == 0 ? 64 : l->room;
		void *items;

		while (room < l->n + n)
			room *= 2;
		items = realloc(l->items, room * item_size);
		if (items == NULL) {
			b->failed = true;
			return NULL;
		}
		l->items = items;
		l->room = room;
	}
	l->n += n;
	return (uint8_t *)l->items + (l->n - n) * item_size;
}

static int
compare_to_service(const struct slice_object *slice, const char *ns, const char *service)
{
	int order = strcmp(slice->object.ns, ns);

	return order != 0 ? order : strcmp(slice->service, service);
}

/* Within a service by name, so that the order of slices does not depend on the sort. */
static int
compare_slices(const void *x, const void *y)
{
	const struct slice_object *a = *(const struct slice_object *const *)x;
	const struct slice_object *b = *(const struct slice_object *const *)y;
	int order = compare_to_service(a, b->object.ns, b->service);

	return order != 0 ? order : strcmp(a->object.name, b->object.name);
}

static void
collect_slice(const struct object *object, void *arg)
{
	struct build *b = arg;

	b->slices[b->n_slices++] = (const struct slice_object *)object;
}

static bool
collect_slices(struct build *b, const struct store *store)
{
	b->slices = malloc((store_count(store, OBJECT_ENDPOINT_SLICE) + 1) * sizeof(const void *));
	if (b->slices == NULL)
		return false;
	store_each(store, OBJECT_ENDPOINT_SLICE, collect_slice, b);
	qsort(b->slices, b->n_slices, sizeof(const void *), compare_slices);
	return true;
}

/* The index of the service's first slice, or of what comes after. */
static size_t
first_slice(const struct build *b, const struct service_object *service)
{
	size_t low = 0, high = b->n_slices;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_to_service(b->slices[middle], service->object.ns, service->object.name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct slice_port *
port_of(const struct slice_object *slice, const struct service_port *port)
{
	for (size_t i = 0; i < slice->n_ports; i++) {
		const struct slice_port *p = &slice->ports[i];

		if (p->proto == port->proto && p->port != 0 && strcmp(p->name, port->name) == 0)
			return p;
	}
	return NULL;
}

/* Another pod under a former one's address has another name, as a rule. */
static uint32_t
generation_of(const struct slice_endpoint *ep)
{
	uint32_t hash = 0;

	for (const char *c = ep->pod; *c != '\0'; c++)
		hash = hash * 31 + (uint8_t)*c;
	return hash_mix(hash);
}

static bool
is_wanted_endpoint(const struct wanted *w, const struct slice_endpoint *ep)
{
	return (ep->ready || w->service->publish_not_ready) && ep->n_addrs > 0 &&
	       ip_addr_is_v4(&ep->addrs[0]) == w->is_v4;
}

static void
add_slice(struct build *b, const struct wanted *w, const struct slice_object *slice)
{
	const struct slice_port *port = port_of(slice, w->port);

	if (port == NULL || (slice->family == 4) != w->is_v4)
		return;
	for (size_t i = 0; i < slice->n_endpoints; i++) {
		const struct slice_endpoint *ep = &slice->endpoints[i];
		struct backend *backend;

		if (!is_wanted_endpoint(w, ep))
			continue;
		backend = list_extend(b, &b->backends, 1, sizeof(*backend));
		if (backend == NULL)
			return;
		*backend = (struct backend){
			.addr = ep->addrs[0],
			.port = port->port,
			.generation = generation_of(ep),
		};
	}
}

static int
compare_backends(const void *x, const void *y)
{
	const struct backend *a = x, *b = y;
	int order = ip_addr_cmp(&a->addr, &b->addr);

	return order != 0 ? order : (int)a->port - (int)b->port;
}

/* Sorts the backends from base on and drops those that occur twice: an endpoint on its way from one slice to another
 * is in both. Returns how many are left. */
static uint32_t
settle_backends(struct build *b, size_t base)
{
	size_t n = b->backends.n - base, kept = 0;
	struct backend *all;

	if (n == 0)
		return 0;
	all = (struct backend *)b->backends.items + base;
	qsort(all, n, sizeof(*all), compare_backends);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare_backends(&all[i], &all[kept - 1]) != 0)
			all[kept++] = all[i];
	if (kept > MAGLEV_BACKENDS_MAX)
		kept = MAGLEV_BACKENDS_MAX;
	b->backends.n = base + kept;
	return (uint32_t)kept;
}

static void
fill_buckets(struct build *b, struct frontend *f, uint8_t proto)
{
	uint32_t n = f->n_backends, size = maglev_size(n);
	const struct backend *backends = (const struct backend *)b->backends.items + f->backend_base;
	uint16_t *buckets = list_extend(b, &b->buckets, size, sizeof(*buckets));
	uint32_t *hashes, *scratch;

	b->hashes.n = b->scratch.n = 0;
	hashes = list_extend(b, &b->hashes, n, sizeof(*hashes));
	scratch = list_extend(b, &b->scratch, (size_t)2 * n, sizeof(*scratch));
	if (b->failed)
		return;
	for (uint32_t i = 0; i < n; i++)
		hashes[i] = addr_hash(&backends[i].addr, backends[i].port, proto);
	maglev_fill(buckets, size, hashes, n, scratch);
	f->bucket_base = (uint32_t)(buckets - (uint16_t *)b->buckets.items);
	f->bucket_mask = size - 1;
}

static void
add_frontend(struct build *b, const struct service_object *service, size_t slice, const struct ip_addr *addr,
	const struct service_port *port)
{
	struct wanted wanted = { service, port, ip_addr_is_v4(addr) };
	struct frontend f = {
		.addr = *addr,
		.port = port->port,
		.proto = port->proto,
		.service = b->n_services,
		.backend_base = (uint32_t)b->backends.n,
	};
	struct frontend *place;

	for (; slice < b->n_slices; slice++) {
		if (compare_to_service(b->slices[slice], service->object.ns, service->object.name) != 0)
			break;
		add_slice(b, &wanted, b->slices[slice]);
	}
	f.n_backends = settle_backends(b, f.backend_base);
	if (f.n_backends != 0)
		fill_buckets(b, &f, port->proto);
	place = list_extend(b, &b->frontends, 1, sizeof(f));
	if (place != NULL)
		*place = f;
}

static void
add_service(const struct object *object, void *arg)
{
	struct build *b = arg;
	const struct service_object *service = (const struct service_object *)object;
	size_t slice = first_slice(b, service);

	for (size_t i = 0; !service->headless && i < service->n_cluster_ips; i++)
		for (size_t p = 0; p < service->n_ports && !b->failed; p++)
			if (!ip_addr_is_none(&service->cluster_ips[i]) && service->ports[p].proto != 0)
				add_frontend(b, service, slice, &service->cluster_ips[i], &service->ports[p]);
	b->n_services++;
}

/* Copies what was collected to its place, and gives out the slots. */
static void
fill_table(struct build *b, struct slots *slots, struct service_table *t)
{
	const struct frontend *frontends = b->frontends.items;

	if (b->backends.n != 0)
		memcpy(t->backends, b->backends.items, b->backends.n * sizeof(*t->backends));
	if (b->buckets.n != 0)
		memcpy(t->buckets, b->buckets.items, b->buckets.n * sizeof(*t->buckets));
	for (size_t i = 0; i < b->frontends.n; i++) {
		const struct frontend *f = &frontends[i];
		uint32_t index = service_table_add_frontend(t, f);

		if (index == FRONTEND_NONE)
			continue;
		for (uint32_t j = f->backend_base; j < f->backend_base + f->n_backends; j++) {
			struct backend *backend = &t->backends[j];

			backend->endpoint = j;
			backend->slot = slots_assign(
				slots, &backend->addr, backend->port, f->proto, &f->addr, f->port);
			service_table_add_reverse(t, backend, f->proto, index);
		}
	}
}

int
service_build(const struct store *store, struct slots *slots, uint64_t now_ns, struct service_table **out)
{
	struct build b = { 0 };
	struct service_table *t = NULL;

	if (collect_slices(&b, store)) {
		store_each(store, OBJECT_SERVICE, add_service, &b);
		if (!b.failed)
			t = service_table_new((uint32_t)b.frontends.n, (uint32_t)b.backends.n,
				(uint32_t)b.buckets.n, (uint32_t)b.backends.n);
	}
	if (t != NULL) {
		slots_begin(slots, now_ns);
		fill_table(&b, slots, t);
		slots_end(slots);
		*out = t;
	}
	free(b.slices);
	free(b.frontends.items);
	free(b.backends.items);
	free(b.buckets.items);
	free(b.hashes.items);
	free(b.scratch.items);
	return t == NULL ? -ENOMEM : 0;
}
