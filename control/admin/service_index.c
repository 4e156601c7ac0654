#include "control/admin/service_index.h"

#include <stdlib.h>

static int
compare_slice_key(const struct slice_object *slice, const char *ns, const char *service)
{
	int order = strcmp(slice->object.ns, ns);

	return order != 0 ? order : strcmp(slice->service, service);
}

static int
compare_slices(const void *a, const void *b)
{
	const struct slice_object *x = *(const struct slice_object *const *)a,
				  *y = *(const struct slice_object *const *)b;
	int order = compare_slice_key(x, y->object.ns, y->service);

	return order != 0 ? order : strcmp(x->object.name, y->object.name);
}

static int
compare_frontends(const void *a, const void *b)
{
	const struct frontend *x = *(const struct frontend *const *)a,
			      *y = *(const struct frontend *const *)b;
	int order = ip_addr_cmp(&x->addr, &y->addr);

	if (order == 0)
		order = (int)x->port - (int)y->port;
	return order != 0 ? order : (int)x->proto - (int)y->proto;
}

static void
add_slice(const struct object *object, void *arg)
{
	struct service_index *x = arg;

	x->slices[x->n_slices++] = (const struct slice_object *)object;
}

static void
add_frontends(struct service_index *x)
{
	for (uint32_t i = 0; i <= x->services->frontend_mask && x->n_frontends < x->services->n_frontends;
		i++)
		if (x->services->frontends[i].proto != 0)
			x->frontends[x->n_frontends++] = &x->services->frontends[i];
	qsort(x->frontends, x->n_frontends, sizeof(*x->frontends), compare_frontends);
}

bool
service_index_init(struct service_index *x, const struct store *store, const struct service_table *services)
{
	size_t n_slices = store_count(store, OBJECT_ENDPOINT_SLICE),
	       n_frontends = services == NULL ? 0 : services->n_frontends;

	*x = (struct service_index){
		.slices = calloc(n_slices + 1, sizeof(*x->slices)),
		.frontends = calloc(n_frontends + 1, sizeof(*x->frontends)),
		.services = services,
	};
	if (x->slices == NULL || x->frontends == NULL) {
		service_index_fini(x);
		return false;
	}
	store_each(store, OBJECT_ENDPOINT_SLICE, add_slice, x);
	qsort(x->slices, x->n_slices, sizeof(*x->slices), compare_slices);
	if (n_frontends != 0)
		add_frontends(x);
	return true;
}

void
service_index_fini(struct service_index *x)
{
	free(x->slices);
	free(x->frontends);
	x->slices = NULL;
	x->frontends = NULL;
}

const struct slice_object **
service_index_slices(const struct service_index *x, const struct service_object *service, size_t *n)
{
	size_t low = 0, high = x->n_slices, end;

	while (low < high) { /* the first that is not before the key */
		size_t middle = (low + high) / 2;

		if (compare_slice_key(x->slices[middle], service->object.ns, service->object.name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < x->n_slices &&
			compare_slice_key(x->slices[end], service->object.ns, service->object.name) == 0;
		end++)
		;
	*n = end - low;
	return x->slices + low;
}

const struct frontend *
service_index_frontend(
	const struct service_index *x, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	const struct frontend key = { .addr = *addr, .port = port, .proto = proto }, *wanted = &key;
	const struct frontend **found =
		bsearch(&wanted, x->frontends, x->n_frontends, sizeof(*x->frontends), compare_frontends);

	return found == NULL ? NULL : *found;
}

int
service_index_slot(
	const struct service_index *x, const struct frontend *f, const struct ip_addr *addr, uint16_t port)
{
	const struct backend *backends = x->services->backends + f->backend_base;

	for (uint32_t i = 0; i < f->n_backends; i++)
		if (backends[i].port == port && ip_addr_eq(&backends[i].addr, addr))
			return backends[i].slot;
	return -1;
}

const struct slice_port *
service_index_port(const struct slice_object *slice, const struct service_port *port)
{
	for (size_t i = 0; i < slice->n_ports; i++)
		if (slice->ports[i].proto == port->proto && strcmp(slice->ports[i].name, port->name) == 0)
			return &slice->ports[i];
	return NULL;
}
