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

static void
add_slice(const struct object *object, void *arg)
{
	struct service_index *x = arg;

	x->slices[x->n_slices++] = (const struct slice_object *)object;
}

bool
service_index_init(struct service_index *x, const struct store *store, const struct service_table *services)
{
	size_t n_slices = store_count(store, OBJECT_ENDPOINT_SLICE);

	*x = (struct service_index){
		.slices = calloc(n_slices + 1, sizeof(*x->slices)),
		.services = services,
	};
	if (x->slices == NULL)
		return false;
	store_each(store, OBJECT_ENDPOINT_SLICE, add_slice, x);
	qsort(x->slices, x->n_slices, sizeof(*x->slices), compare_slices);
	return true;
}

void
service_index_fini(struct service_index *x)
{
	free(x->slices);
	x->slices = NULL;
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
	if (x->services == NULL)
		return NULL;
	return service_frontend(x->services, addr_hash(addr, port, proto), addr, port, proto);
}
