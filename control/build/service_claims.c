#include "control/build/service_claims.h"

#include "control/build/service_build_internal.h"

int64_t
service_age(const struct store *store, const struct service_record *r)
{
	const struct object *service = store_get(store, OBJECT_SERVICE, r->ns, r->name);

	return service == NULL ? 0 : service->created_s;
}

bool
service_age_is_older(int64_t a, int64_t b)
{
	return a != 0 && (b == 0 || a < b);
}

bool
service_comes_first(const struct store *store, const struct service_record *a, const struct service_record *b)
{
	int64_t x = service_age(store, a), y = service_age(store, b);
	int order = strcmp(a->ns, b->ns);

	if (x != y)
		return service_age_is_older(x, y);
	return (order != 0 ? order : strcmp(a->name, b->name)) < 0;
}

void
service_builder_each_lost(const struct service_builder *b, const char *ns, const char *name,
	void (*fn)(const struct lost_claim *claim, void *arg), void *arg)
{
	const struct service_record *r = service_records_find(&b->records, ns, name);

	for (size_t i = 0; r != NULL && b->last != NULL && i < r->built.n; i++) {
		const struct wanted_frontend *w = &r->built.frontends[i];
		const struct frontend *f = service_frontend(
			b->last, addr_hash(&w->addr, w->port, w->proto), &w->addr, w->port, w->proto);
		const struct service_record *holder;

		if (f == NULL || f->service == r->id)
			continue;
		holder = b->records.items[f->service];
		fn(&(struct lost_claim){ w, holder->ns, holder->name,
			   service_age_is_older(service_age(b->store, holder), service_age(b->store, r)) },
			arg);
	}
}
