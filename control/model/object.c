#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/network_policy.h"

#define UID_TEXT "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx"

bool
object_uid_parse(const char *text, uint8_t uid[static 16])
{
	uint8_t u[16];

	if (strlen(text) != OBJECT_UID_SIZE - 1 || strspn(text, "0123456789abcdef-") != OBJECT_UID_SIZE - 1 ||
		sscanf(text, UID_TEXT, &u[0], &u[1], &u[2], &u[3], &u[4], &u[5], &u[6], &u[7], &u[8], &u[9],
			&u[10], &u[11], &u[12], &u[13], &u[14], &u[15]) != 16)
		return false;
	memcpy(uid, u, sizeof(u));
	return true;
}

const char *
object_uid_format(const struct object *object, char buf[static OBJECT_UID_SIZE])
{
	static const uint8_t none[16];
	const uint8_t *u = object->uid;
	char *at = buf;

	*buf = '\0';
	for (unsigned i = 0; i < 16 && memcmp(u, none, sizeof(none)) != 0; i++)
		at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	return buf;
}

/* FNV-1a: they are random, and who makes pods does not choose them. */
uint64_t
pod_uid_digest(const char *uid)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	if (*uid == '\0')
		return 0;
	for (; *uid != '\0'; uid++)
		hash = (hash ^ (uint8_t)*uid) * 0x100000001b3ull;
	return hash == 0 ? 1 : hash;
}

static void
labels_fini(struct labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
}

static void
node_fini(struct object *object)
{
	struct node_object *node = (struct node_object *)object;

	free(node->addrs);
	free(node->external_addrs);
	free(node->pod_cidrs);
	labels_fini(&node->labels);
}

static void
namespace_fini(struct object *object)
{
	labels_fini(&((struct namespace_object *)object)->labels);
}

static void
pod_fini(struct object *object)
{
	struct pod_object *pod = (struct pod_object *)object;

	labels_fini(&pod->labels);
	free(pod->node);
	free(pod->hostname);
	free(pod->subdomain);
	free(pod->addrs);
	for (size_t i = 0; i < pod->n_ports; i++)
		free(pod->ports[i].name);
	free(pod->ports);
}

static void
service_fini(struct object *object)
{
	struct service_object *service = (struct service_object *)object;

	free(service->external_name);
	labels_fini(&service->selector);
	free(service->lb_class);
	free(service->cluster_ips);
	free(service->external_ips);
	free(service->ingress);
	free(service->source_ranges);
	for (size_t i = 0; i < service->n_ports; i++) {
		free(service->ports[i].name);
		free(service->ports[i].target_name);
	}
	free(service->ports);
}

static void
texts_free(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void
hints_free(struct endpoint_hints *hints)
{
	if (hints == NULL)
		return;
	texts_free(hints->zones, hints->n_zones);
	texts_free(hints->nodes, hints->n_nodes);
	free(hints);
}

static void
slice_fini(struct object *object)
{
	struct slice_object *slice = (struct slice_object *)object;

	free(slice->service);
	for (size_t i = 0; i < slice->n_ports; i++)
		free(slice->ports[i].name);
	free(slice->ports);
	for (size_t i = 0; i < slice->n_endpoints; i++) {
		free(slice->endpoints[i].addrs);
		free(slice->endpoints[i].node);
		free(slice->endpoints[i].pod);
		free(slice->endpoints[i].zone);
		free(slice->endpoints[i].hostname);
		hints_free(slice->endpoints[i].hints);
	}
	free(slice->endpoints);
}

static void
service_cidr_fini(struct object *object)
{
	free(((struct service_cidr_object *)object)->cidrs);
}

static const struct {
	const char *name;
	void (*fini)(struct object *object);
} kinds[N_OBJECT_KINDS] = {
	[OBJECT_NODE] = { "Node", node_fini },
	[OBJECT_NAMESPACE] = { "Namespace", namespace_fini },
	[OBJECT_POD] = { "Pod", pod_fini },
	[OBJECT_SERVICE] = { "Service", service_fini },
	[OBJECT_ENDPOINT_SLICE] = { "EndpointSlice", slice_fini },
	[OBJECT_NETWORK_POLICY] = { "NetworkPolicy", network_policy_fini },
	[OBJECT_SERVICE_CIDR] = { "ServiceCIDR", service_cidr_fini },
	[OBJECT_UNREAD_POLICY] = { "UnreadPolicy", unread_policy_fini },
};

void
object_free(struct object *object)
{
	if (object == NULL)
		return;
	kinds[object->kind].fini(object);
	free(object->ns);
	free(object->name);
	free(object->origin);
	free(object);
}

const char *
object_kind_name(enum object_kind kind)
{
	return kinds[kind].name;
}

const char *
labels_get(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->n; i++)
		if (strcmp(labels->items[i].key, key) == 0)
			return labels->items[i].value;
	return NULL;
}

const char *
service_type_name(enum service_type type)
{
	static const char *const names[] = {
		[SERVICE_CLUSTER_IP] = "ClusterIP",
		[SERVICE_NODE_PORT] = "NodePort",
		[SERVICE_LOAD_BALANCER] = "LoadBalancer",
		[SERVICE_EXTERNAL_NAME] = "ExternalName",
	};

	return names[type];
}

const char *
node_zone(const struct node_object *node)
{
	const char *zone = labels_get(&node->labels, "topology.kubernetes.io/zone");

	return zone == NULL ? "" : zone;
}
