#include "control/build/dns_pods.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "dataplane/dns/dns_pod_name.h"

#define ADDRS_MAX 2 /* one of each family */

struct addr_list {
	unsigned n;
	struct ip_addr items[ADDRS_MAX];
};

struct dns_pod {
	char *ns, *name;
	bool is_dirty;
	struct addr_list built, coming;
};

static int
compare_pods(const void *a, const void *b)
{
	const struct dns_pod *x = a, *y = b;
	int order = strcmp(x->ns, y->ns);

	return order != 0 ? order : strcmp(x->name, y->name);
}

static void
pod_free(void *arg)
{
	struct dns_pod *pod = arg;

	if (pod == NULL)
		return;
	free(pod->ns);
	free(pod->name);
	free(pod);
}

void
dns_pods_fini(struct dns_pods *p)
{
	tdestroy(p->by_name, pod_free);
	free(p->dirty);
	*p = (struct dns_pods){ 0 };
}

/* Found, or made. NULL if out of memory. */
static struct dns_pod *
find(struct dns_pods *p, const char *ns, const char *name)
{
	const struct dns_pod key = { .ns = (char *)ns, .name = (char *)name };
	struct dns_pod *const *found = tfind(&key, &p->by_name, compare_pods);
	struct dns_pod *pod;

	if (found != NULL)
		return *found;
	pod = calloc(1, sizeof(*pod));
	if (pod != NULL) {
		pod->ns = strdup(ns);
		pod->name = strdup(name);
	}
	if (pod != NULL && pod->ns != NULL && pod->name != NULL &&
		tsearch(pod, &p->by_name, compare_pods) != NULL)
		return pod;
	pod_free(pod);
	return NULL;
}

static bool
mark(struct dns_pods *p, struct dns_pod *pod)
{
	if (pod->is_dirty)
		return true;
	if (p->n_dirty == p->dirty_room) {
		size_t room = 2 * p->dirty_room + 16;
		struct dns_pod **dirty = reallocarray(p->dirty, room, sizeof(struct dns_pod *));

		if (dirty == NULL)
			return false;
		p->dirty = dirty;
		p->dirty_room = room;
	}
	p->dirty[p->n_dirty++] = pod;
	pod->is_dirty = true;
	return true;
}

bool
dns_pods_touch(struct dns_pods *p, const char *ns, const char *name)
{
	struct dns_pod *pod = find(p, ns, name);

	return pod != NULL && mark(p, pod);
}

struct touching {
	struct dns_pods *p;
	const char *ns;
	bool is_done;
};

static void
touch_node(const void *node, VISIT which, void *arg)
{
	struct dns_pod *pod = *(struct dns_pod *const *)node;
	struct touching *t = arg;

	if ((which == postorder || which == leaf) && (t->ns == NULL || strcmp(pod->ns, t->ns) == 0))
		t->is_done &= mark(t->p, pod);
}

bool
dns_pods_touch_namespace(struct dns_pods *p, const char *ns)
{
	struct touching t = { p, ns, true };

	twalk_r(p->by_name, touch_node, &t);
	return t.is_done;
}

bool
dns_namespace_name(const struct dns_zone *z, const char *ns, const char *label, struct dns_wire *out)
{
	out->len = 0;
	return dns_wire_label(out, ns, strlen(ns)) && dns_wire_label(out, label, strlen(label)) &&
	       dns_wire_end(out, z->name, z->len);
}

bool
dns_namespace_is_known(const struct dns_zone *z, const char *ns)
{
	struct dns_wire name;

	return dns_namespace_name(z, ns, "svc", &name) && dns_zone_get(z, name.bytes, name.len) != NULL;
}

static void
collect(struct dns_pod *pod, const struct store *store, const struct dns_zone *z)
{
	const struct pod_object *o =
		(const struct pod_object *)store_get(store, OBJECT_POD, pod->ns, pod->name);

	pod->coming.n = 0;
	if (o == NULL || o->has_ended || !dns_namespace_is_known(z, pod->ns))
		return;
	for (size_t i = 0; i < o->n_addrs && pod->coming.n < ADDRS_MAX; i++)
		pod->coming.items[pod->coming.n++] = o->addrs[i];
}

/* One pod more, or less, has this address. */
static int
claim(struct dns_making *m, const char *ns, const struct ip_addr *addr, int more)
{
	uint8_t label[IP_ADDR_STRLEN];
	unsigned len = dns_pod_name_format(addr, label);
	const struct dns_node *old, *out;
	struct dns_wire name = { 0 }, rest;

	if (!dns_namespace_name(m->zone, ns, "pod", &rest) ||
		!dns_wire_label(&name, (const char *)label, len) ||
		!dns_wire_end(&name, rest.bytes, rest.len))
		return 0;
	old = dns_zone_get(m->zone, name.bytes, name.len);
	if (old != NULL && more < 0 && old->n_owners == 1)
		return dns_zone_remove(m->zone, old);
	dns_making_begin(m, &name, 0);
	m->n_owners = (uint32_t)((int)(old == NULL ? 0 : old->n_owners) + more);
	dns_making_set(m, ip_addr_is_v4(addr) ? DNS_TYPE_A : DNS_TYPE_AAAA);
	dns_making_addr(m, addr);
	return dns_making_end(m, &out);
}

static int
build_pod(struct dns_pod *pod, const struct store *store, struct dns_making *m)
{
	int result = 0;

	collect(pod, store, m->zone);
	if (pod->coming.n == pod->built.n &&
		memcmp(pod->coming.items, pod->built.items, pod->built.n * sizeof(*pod->built.items)) == 0)
		return 0;
	for (unsigned k = 0; k < pod->built.n && result == 0; k++)
		result = claim(m, pod->ns, &pod->built.items[k], -1);
	for (unsigned k = 0; k < pod->coming.n && result == 0; k++)
		result = claim(m, pod->ns, &pod->coming.items[k], 1);
	return result;
}

void
dns_pods_begin(struct dns_pods *p)
{
	p->n_built = 0;
}

int
dns_pods_build(struct dns_pods *p, const struct store *store, struct dns_making *m, unsigned n)
{
	for (; p->n_built < p->n_dirty; p->n_built++) {
		int result = n-- == 0 ? -EAGAIN : build_pod(p->dirty[p->n_built], store, m);

		if (result < 0)
			return result;
	}
	return 0;
}

void
dns_pods_settle(struct dns_pods *p, const struct store *store)
{
	for (size_t i = 0; i < p->n_dirty; i++) {
		struct dns_pod *pod = p->dirty[i];

		pod->is_dirty = false;
		pod->built = pod->coming;
		if (pod->built.n == 0 && store_get(store, OBJECT_POD, pod->ns, pod->name) == NULL) {
			tdelete(pod, &p->by_name, compare_pods);
			pod_free(pod);
		}
	}
	p->n_dirty = 0;
}
