#include "control/node/neighbours.h"

static struct neighbour *
find(const struct neighbours *s, const struct ip_addr *addr)
{
	for (size_t i = 0; i < s->n; i++)
		if (ip_addr_eq(&s->all[i].addr, addr))
			return (struct neighbour *)&s->all[i];
	return NULL;
}

static bool
is_pending(const struct neighbour *n)
{
	return !n->is_resolved && !n->is_gateway;
}

static void
count_pending(struct neighbours *s)
{
	s->n_pending = 0;
	for (size_t i = 0; i < s->n; i++)
		s->n_pending += is_pending(&s->all[i]);
}

static void
drop(struct neighbours *s, struct neighbour *n)
{
	*n = s->all[--s->n];
	count_pending(s);
}

/* A place for another one: when all are taken, that of one after the other, gateways aside. NULL: all are gateways. */
static struct neighbour *
take_place(struct neighbours *s)
{
	if (s->n < NEIGHBOURS_MAX)
		return &s->all[s->n++];
	for (size_t i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *n = &s->all[s->victim];

		s->victim = (s->victim + 1) % NEIGHBOURS_MAX;
		if (!n->is_gateway)
			return n;
	}
	return NULL;
}

bool
neighbours_add(struct neighbours *s, const struct ip_addr *addr, bool is_gateway)
{
	struct neighbour *n = find(s, addr);

	if (n != NULL) {
		n->is_gateway |= is_gateway;
		count_pending(s);
		return false;
	}
	if (!is_gateway && s->n_pending == NEIGHBOURS_PENDING_MAX)
		return false;
	n = take_place(s);
	if (n == NULL)
		return false;
	*n = (struct neighbour){ .addr = *addr, .is_gateway = is_gateway };
	count_pending(s);
	return true;
}

bool
neighbours_learn(struct neighbours *s, const struct ip_addr *addr, const struct mac_addr *mac)
{
	struct neighbour *n = find(s, addr);
	bool news;

	if (n == NULL)
		return false;
	if (mac == NULL) {
		news = n->is_resolved;
		n->is_resolved = false;
		n->mac = (struct mac_addr){ 0 };
		if (!n->is_gateway)
			drop(s, n);
		return news;
	}
	news = !n->is_resolved || memcmp(&n->mac, mac, sizeof(*mac)) != 0;
	n->is_resolved = true;
	n->mac = *mac;
	count_pending(s);
	return news;
}

bool
neighbours_filter(struct neighbours *s, bool (*keep)(struct neighbour *n, void *arg), void *arg)
{
	size_t n = 0, before = s->n;

	for (size_t i = 0; i < before; i++)
		if (keep(&s->all[i], arg))
			s->all[n++] = s->all[i];
	s->n = n;
	s->victim = 0;
	count_pending(s);
	return n != before;
}

const struct neighbour *
neighbours_find(const struct neighbours *s, const struct ip_addr *addr)
{
	return find(s, addr);
}
