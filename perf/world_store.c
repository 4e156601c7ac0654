#include "perf/world_store.h"

#include <string.h>

#include "perf/must.h"

/* Endpoints in one slice, as the endpoint slice controller has it by default. */
#define SLICE_ENDPOINTS 100

static struct object
object(enum object_kind kind, const char *ns, char *object_name)
{
	return (struct object){ .kind = kind, .ns = must_text("%s", ns), .name = object_name };
}

static struct object *
node_object(const struct cluster *c, uint32_t node)
{
	struct node_object *o = must_alloc(1, sizeof(*o));

	o->object = object(OBJECT_NODE, "", must_text("node-%u", node));
	o->n_addrs = 1;
	o->addrs = must_alloc(1, sizeof(o->addrs[0]));
	o->addrs[0] = cluster_node_addr(node);
	o->n_pod_cidrs = 1;
	o->pod_cidrs = must_alloc(1, sizeof(o->pod_cidrs[0]));
	o->pod_cidrs[0] = cluster_pod_cidr(c, node);
	o->tunnel_mac = cluster_tunnel_mac(node);
	return &o->object;
}

static struct object *
service_object(const struct cluster *c, uint32_t service)
{
	struct service_object *o = must_alloc(1, sizeof(*o));

	o->object = object(OBJECT_SERVICE, CLUSTER_NAMESPACE, must_text("service-%u", service));
	o->n_cluster_ips = 1;
	o->cluster_ips = must_alloc(1, sizeof(o->cluster_ips[0]));
	o->cluster_ips[0] = cluster_service_addr(c, service);
	o->n_ports = 1;
	o->ports = must_alloc(1, sizeof(o->ports[0]));
	o->ports[0] =
		(struct service_port){ .name = must_text("web"), .port = SERVICE_PORT, .proto = c->proto };
	return &o->object;
}

static void
fill_endpoint(const struct cluster *c, struct slice_endpoint *e, uint32_t node, uint32_t pod)
{
	*e = (struct slice_endpoint){
		.n_addrs = 1,
		.addrs = must_alloc(1, sizeof(e->addrs[0])),
		.ready = true,
		.serving = true,
		.node = must_text("node-%u", node),
		.pod = must_text("pod-%u-%u", node, pod),
	};
	e->addrs[0] = cluster_pod_addr(c, node, pod);
}

/* Endpoints first to first + n - 1 of a service. */
static struct object *
slice_object(const struct cluster *c, uint32_t service, uint32_t first, uint32_t n)
{
	struct slice_object *o = must_alloc(1, sizeof(*o));
	uint32_t node, pod;
	uint16_t port = 0;

	o->object =
		object(OBJECT_ENDPOINT_SLICE, CLUSTER_NAMESPACE, must_text("service-%u-%u", service, first));
	o->service = must_text("service-%u", service);
	o->family = c->shape.ipv6 ? 6 : 4;
	o->n_endpoints = n;
	o->endpoints = must_alloc(n, sizeof(o->endpoints[0]));
	for (uint32_t i = 0; i < n; i++) {
		cluster_endpoint(c, service, first + i, &node, &pod, &port);
		fill_endpoint(c, &o->endpoints[i], node, pod);
	}
	o->n_ports = 1;
	o->ports = must_alloc(1, sizeof(o->ports[0]));
	o->ports[0] = (struct slice_port){ .name = must_text("web"), .port = port, .proto = c->proto };
	return &o->object;
}

static bool
put_service(struct store *s, const struct cluster *c, uint32_t service)
{
	uint32_t size = cluster_service_size(c, service);

	if (store_put(s, service_object(c, service)) < 0)
		return false;
	for (uint32_t first = 0; first < size; first += SLICE_ENDPOINTS) {
		uint32_t n = size - first < SLICE_ENDPOINTS ? size - first : SLICE_ENDPOINTS;

		if (store_put(s, slice_object(c, service, first, n)) < 0)
			return false;
	}
	return true;
}

struct store *
world_store_new(const struct cluster *c)
{
	struct store *s = store_new();
	bool ok = s != NULL;

	for (uint32_t node = 0; ok && node < c->n_nodes; node++)
		ok = store_put(s, node_object(c, node)) == 0;
	for (uint32_t service = 0; ok && service < c->shape.n_services; service++)
		ok = put_service(s, c, service);
	if (ok)
		return s;
	store_free(s);
	return NULL;
}

struct object *
world_store_slice(const struct cluster *c, uint32_t service, uint32_t unready)
{
	uint32_t size = cluster_service_size(c, service), n = size < SLICE_ENDPOINTS ? size : SLICE_ENDPOINTS;
	struct object *o = slice_object(c, service, 0, n);

	if (unready < n)
		((struct slice_object *)o)->endpoints[unready].ready = false;
	return o;
}
