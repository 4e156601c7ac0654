#include "tests/support/objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void *
new_object(size_t size, enum object_kind kind, const char *ns, const char *name)
{
	struct object *o = calloc(1, size);

	assert_non_null(o);
	o->kind = kind;
	o->ns = strdup(ns);
	o->name = strdup(name);
	return o;
}

static void
set_labels(struct labels *labels, const char *key, const char *value)
{
	if (key == NULL)
		return;
	labels->n = 1;
	labels->items = calloc(1, sizeof(*labels->items));
	labels->items[0] = (struct label){ strdup(key), strdup(value) };
}

static void
set_addrs(size_t *n, struct ip_addr **addrs, const char *first, const char *second)
{
	*addrs = calloc(2, sizeof(**addrs));
	if (first != NULL)
		assert_true(ip_addr_parse(first, &(*addrs)[(*n)++]));
	if (second != NULL)
		assert_true(ip_addr_parse(second, &(*addrs)[(*n)++]));
}

void
put_node(struct store *s, const char *name, const char *addr, const char *cidr4, const char *cidr6)
{
	struct node_object *node = new_object(sizeof(*node), OBJECT_NODE, "", name);

	set_addrs(&node->n_addrs, &node->addrs, addr, NULL);
	node->pod_cidrs = calloc(2, sizeof(*node->pod_cidrs));
	if (cidr4 != NULL)
		assert_true(ip_prefix_parse(cidr4, &node->pod_cidrs[node->n_pod_cidrs++]));
	if (cidr6 != NULL)
		assert_true(ip_prefix_parse(cidr6, &node->pod_cidrs[node->n_pod_cidrs++]));
	assert_int_equal(store_put(s, &node->object), 0);
}

void
put_pod(struct store *s, const char *ns, const char *name, const char *node, const char *key,
	const char *value, const char *addr4, const char *addr6)
{
	struct pod_object *pod = new_object(sizeof(*pod), OBJECT_POD, ns, name);

	pod->node = strdup(node);
	set_labels(&pod->labels, key, value);
	set_addrs(&pod->n_addrs, &pod->addrs, addr4, addr6);
	assert_int_equal(store_put(s, &pod->object), 0);
}

void
put_service(struct store *s, const char *ns, const char *name, const char *key, const char *value,
	const char *addr4, const char *addr6, uint16_t port, uint8_t proto)
{
	struct service_object *service = new_object(sizeof(*service), OBJECT_SERVICE, ns, name);

	set_labels(&service->selector, key, value);
	set_addrs(&service->n_cluster_ips, &service->cluster_ips, addr4, addr6);
	service->n_ports = 1;
	service->ports = calloc(1, sizeof(*service->ports));
	service->ports[0] = (struct service_port){ .name = strdup(""), .port = port, .proto = proto };
	assert_int_equal(store_put(s, &service->object), 0);
}

void
put_slice(struct store *s, const char *ns, const char *service, const char *addr, uint16_t port,
	uint8_t proto, bool ready, const char *pod, const char *node)
{
	bool is_v6 = addr != NULL && strchr(addr, ':') != NULL;
	struct slice_object *slice;
	char name[128];

	snprintf(name, sizeof(name), "%s-%d", service, is_v6 ? 6 : 4);
	slice = new_object(sizeof(*slice), OBJECT_ENDPOINT_SLICE, ns, name);
	slice->service = strdup(service);
	slice->family = is_v6 ? 6 : 4;
	slice->n_ports = 1;
	slice->ports = calloc(1, sizeof(*slice->ports));
	slice->ports[0] = (struct slice_port){ strdup(""), port, proto };
	slice->endpoints = calloc(1, sizeof(*slice->endpoints));
	if (addr != NULL) {
		struct slice_endpoint *e = &slice->endpoints[slice->n_endpoints++];

		set_addrs(&e->n_addrs, &e->addrs, addr, NULL);
		e->ready = e->serving = ready;
		e->pod = strdup(pod);
		e->node = strdup(node);
	}
	assert_int_equal(store_put(s, &slice->object), 0);
}
