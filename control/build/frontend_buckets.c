#include "control/build/frontend_build_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/maglev.h"

void
frontend_fill_buckets(struct frontend_builder *b, const struct frontend *f, uint32_t n_backends,
	uint8_t flags, uint16_t *buckets, uint32_t size)
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

void
bucket_way_fini(struct bucket_way *w)
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
recall_former(struct frontend_builder *b, const struct frontend *f, struct bucket_way *w)
{
	size_t first = first_former(b, f), n = 0;
	struct frontend was = { .proto = f->proto };

	while (first + n < b->n_former && is_of_frontend(&b->former[first + n], f))
		n++;
	if (n == 0)
		return 0;
	w->former = calloc(n, sizeof(*w->former));
	w->former_buckets = malloc(maglev_size((uint32_t)n) * sizeof(uint16_t));
	if (w->former == NULL || w->former_buckets == NULL || frontend_builder_make_room(b, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		w->former[i] = (struct backend){
			.addr = b->former[first + i].backend_addr,
			.port = b->former[first + i].backend_port,
		};
	was.backends = w->former;
	frontend_fill_buckets(b, &was, (uint32_t)n, 0, w->former_buckets, maglev_size((uint32_t)n));
	w->old = (struct bucket_side){ w->former, (uint32_t)n, (uint32_t)n, w->former_buckets,
		maglev_size((uint32_t)n) - 1 };
	return 0;
}

bool
frontend_backend_is_gone(const struct backend *backend, void *arg)
{
	const struct frontend_builder *b = arg;

	return b->gone != NULL && gone_pods_has(b->gone, backend->pod);
}

static int
aim(struct frontend_builder *b, const struct frontend *f, const struct frontend_shape *shape,
	struct bucket_way *w)
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
	frontend_fill_buckets(b, &aimed, shape->n_backends, 0, w->target_buckets, shape->n_buckets);
	w->target.buckets = w->target_buckets;
	w->target.mask = shape->n_buckets - 1;
	return 0;
}

int
bucket_way_find(struct frontend_builder *b, const struct frontend *there, const struct frontend *f,
	const struct frontend_shape *shape, struct bucket_way *w)
{
	size_t n;

	*w = (struct bucket_way){ 0 };
	if (there != NULL && service_has_buckets(there))
		w->old = (struct bucket_side){ there->backends, there->n_backends,
			frontend_count_backends(there), there->buckets, there->bucket_mask };
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
	moves_plan(&w->plan, &w->old, &w->target, moves_find(b->moves, &f->addr, f->port, f->proto),
		frontend_backend_is_gone, b);
	return 0;
}
