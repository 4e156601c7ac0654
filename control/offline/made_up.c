#include "control/offline/made_up.h"

#include <errno.h>
#include <stdlib.h>

#include "control/model/reserved_addrs.h"

#define RANGE_SIZE (UINT32_C(1) << 17) /* of the IPv4 range; the other has more */

struct collecting {
	struct made_up *m;
	size_t room;
	int result;
};

static void
add(struct collecting *c, const struct ip_addr *addrs, size_t n)
{
	struct made_up *m = c->m;

	if (m->n_used + n > c->room) {
		size_t room = 2 * c->room + n;
		struct ip_addr *used = reallocarray(m->used, room, sizeof(*used));

		if (used == NULL) {
			c->result = -ENOMEM;
			return;
		}
		m->used = used;
		c->room = room;
	}
	for (size_t i = 0; i < n; i++)
		m->used[m->n_used++] = addrs[i];
}

static void
add_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;

	add(arg, node->addrs, node->n_addrs);
	add(arg, node->external_addrs, node->n_external_addrs);
}

static void
add_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;

	add(arg, pod->addrs, pod->n_addrs);
}

static void
add_service(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;

	add(arg, service->cluster_ips, service->n_cluster_ips);
	for (size_t i = 0; i < service->n_ingress; i++)
		add(arg, &service->ingress[i].addr, 1);
}

static int
compare(const void *a, const void *b)
{
	return ip_addr_cmp(a, b);
}

int
made_up_init(struct made_up *m, const struct store *store)
{
	struct collecting c = { .m = m };

	*m = (struct made_up){ 0 };
	ip_prefix_parse(MADE_UP_V4, &m->ranges[V4]);
	ip_prefix_parse(MADE_UP_V6, &m->ranges[V6]);
	store_each(store, OBJECT_NODE, add_node, &c);
	store_each(store, OBJECT_POD, add_pod, &c);
	store_each(store, OBJECT_SERVICE, add_service, &c);
	if (c.result == 0 && m->n_used != 0)
		qsort(m->used, m->n_used, sizeof(*m->used), compare);
	return c.result;
}

void
made_up_fini(struct made_up *m)
{
	free(m->used);
	*m = (struct made_up){ 0 };
}

bool
made_up_take(struct made_up *m, enum family_index family, struct ip_addr *out)
{
	while (++m->next[family] < RANGE_SIZE) {
		*out = reserved_range_addr(&m->ranges[family], m->next[family]);
		if (m->n_used == 0 || bsearch(out, m->used, m->n_used, sizeof(*out), compare) == NULL)
			return true;
	}
	return false;
}
