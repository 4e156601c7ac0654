#include "dataplane/service/service_table.h"

bool
service_table_has_addr(const struct service_table *t, const struct ip_addr *addr)
{
	uint32_t hash = addr_hash(addr, 0, 0), i = hash & t->addr_mask;
	const struct service_addr *shard = t->addrs[hash >> SERVICE_SHARD_SHIFT];

	while (!ip_addr_is_none(&shard[i].addr) && !ip_addr_eq(&shard[i].addr, addr))
		i = (i + 1) & t->addr_mask;
	return !ip_addr_is_none(&shard[i].addr);
}

uint32_t
service_table_ref(const struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint32_t hash = addr_hash(addr, port, proto), shard = hash >> SERVICE_SHARD_SHIFT;
	const struct frontend *f = service_frontend(t, hash, addr, port, proto);

	return f == NULL ? FRONTEND_NONE : service_ref(shard, (uint32_t)(f - t->frontends[shard]));
}

bool
service_has_backend(
	const struct service_table *t, const struct frontend *f, const struct ip_addr *addr, uint16_t port)
{
	const struct reverse *r = service_reverse(t, addr_hash(addr, port, f->proto), addr, port, f->proto);
	uint32_t n = f->n_backends + (f->extra == NULL ? 0 : f->extra->n_outside_only);

	if (r == NULL)
		return false;
	for (unsigned i = 0; i < SLOTS - 1; i++)
		if (r->frontend[i] != FRONTEND_NONE && service_frontend_at(t, r->frontend[i]) == f)
			return true;
	for (uint32_t i = 0; r->n_slotless != 0 && i < n; i++)
		if (f->backends[i].port == port && ip_addr_eq(&f->backends[i].addr, addr))
			return true;
	return false;
}

void
service_table_each(const struct service_table *t, void (*fn)(const struct frontend *f, void *arg), void *arg)
{
	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++)
		for (uint32_t i = 0; i <= t->frontend_mask; i++) {
			const struct frontend *f = &t->frontends[shard][i];

			if (f->proto != 0 && f->proto != FRONTEND_GONE)
				fn(f, arg);
		}
}
