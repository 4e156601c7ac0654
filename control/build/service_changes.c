#include "control/build/service_build_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/host_ports.h"

void
service_common_fini(struct service_common *c)
{
	free(c->node);
	free(c->zone);
}

static void
note_slice(struct service_builder *b, const struct slice_object *slice, const char *ns, const char *name)
{
	bool has_service = slice != NULL && slice->service[0] != '\0';

	b->out_of_memory |=
		!service_records_slice(&b->records, ns, name, has_service ? slice->service : NULL);
}

static void
note_change(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct service_builder *b = arg;

	if (kind == OBJECT_NODE)
		b->nodes_changed = true;
	else if (kind == OBJECT_SERVICE)
		b->out_of_memory |= !service_records_touch(&b->records, ns, name);
	else
		note_slice(b, (const struct slice_object *)store_get(b->store, kind, ns, name), ns, name);
}

static void
note_object(const struct object *object, void *arg)
{
	struct service_builder *b = arg;

	if (object->kind == OBJECT_SERVICE)
		b->out_of_memory |= !service_records_touch(&b->records, object->ns, object->name);
	else
		note_slice(b, (const struct slice_object *)object, object->ns, object->name);
}

static void
note_all(struct service_builder *b)
{
	b->out_of_memory = !service_records_mark_all(&b->records);
	store_each(b->store, OBJECT_SERVICE, note_object, b);
	store_each(b->store, OBJECT_ENDPOINT_SLICE, note_object, b);
	b->nodes_changed = true;
}

static uint64_t
digest(uint64_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) /* FNV-1a */
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t
digest_prefixes(uint64_t sum, const struct ip_prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum = digest(sum, &prefixes[i].addr, sizeof(prefixes[i].addr));
		sum = digest(sum, &prefixes[i].len, sizeof(prefixes[i].len));
	}
	return digest(sum, &n, sizeof(n));
}

static void
digest_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	uint64_t *sum = arg;

	if (node->n_addrs != 0)
		*sum = digest(*sum, node->addrs, node->n_addrs * sizeof(*node->addrs));
	if (node->n_external_addrs != 0)
		*sum = digest(
			*sum, node->external_addrs, node->n_external_addrs * sizeof(*node->external_addrs));
	*sum = digest_prefixes(*sum, node->pod_cidrs, node->n_pod_cidrs);
}

static void
add_node_port_addrs(struct service_common *c, const struct build_facts *facts, const struct node_object *self)
{
	size_t max = sizeof(c->node_port_addrs) / sizeof(c->node_port_addrs[0]);
	bool has[N_FAMILIES] = { false };

	if (facts->n_node_port_addrs != 0) {
		c->n_node_port_addrs = facts->n_node_port_addrs < max ? facts->n_node_port_addrs : max;
		memcpy(c->node_port_addrs, facts->node_port_addrs,
			c->n_node_port_addrs * sizeof(c->node_port_addrs[0]));
		return;
	}
	for (size_t i = 0; self != NULL && i < self->n_addrs; i++) { /* the first of each family */
		enum family_index family = ip_addr_is_v4(&self->addrs[i]) ? V4 : V6;

		if (!has[family])
			c->node_port_addrs[c->n_node_port_addrs++] = self->addrs[i];
		has[family] = true;
	}
}

static int
common_collect(struct service_common *c, const struct service_builder *b, const struct build_facts *facts)
{
	const char *name = facts->node_name == NULL ? "" : facts->node_name;
	const struct node_object *self =
		(const struct node_object *)store_get(b->store, OBJECT_NODE, "", name);

	*c = (struct service_common){ .node = strdup(name),
		.zone = strdup(self == NULL ? "" : node_zone(self)) };
	add_node_port_addrs(c, facts, self);
	c->ranges = digest_prefixes(c->ranges, facts->service_cidrs, facts->n_service_cidrs);
	c->ranges = digest_prefixes(c->ranges, facts->pod_cidrs, facts->n_pod_cidrs);
	c->ranges = digest_prefixes(c->ranges, facts->external_ranges, facts->n_external_ranges);
	if (facts->n_own_addrs != 0)
		c->ranges =
			digest(c->ranges, facts->own_addrs, facts->n_own_addrs * sizeof(*facts->own_addrs));
	if (c->node != NULL && c->zone != NULL)
		return 0;
	service_common_fini(c);
	return -ENOMEM;
}

static bool
common_is_same(const struct service_common *a, const struct service_common *b)
{
	return a->node != NULL && strcmp(a->node, b->node) == 0 && strcmp(a->zone, b->zone) == 0 &&
	       a->ranges == b->ranges && a->n_node_port_addrs == b->n_node_port_addrs &&
	       memcmp(a->node_port_addrs, b->node_port_addrs, sizeof(a->node_port_addrs)) == 0;
}

/* Services whose addresses could be a node's. */
static void
note_nodes(struct service_builder *b)
{
	uint64_t nodes = 0;

	store_each(b->store, OBJECT_NODE, digest_node, &nodes);
	for (uint32_t i = 0; nodes != b->nodes && i < b->records.n; i++)
		if (b->records.items[i]->needs_nodes)
			b->out_of_memory |= !service_records_mark(&b->records, b->records.items[i]);
	b->nodes = nodes;
	b->nodes_changed = false;
}

/* Host ports come and go together with their pods. */
static void
note_host_ports(struct service_builder *b, const struct build_facts *facts)
{
	char name[HOST_PORTS_NAME_SIZE];

	for (uint32_t i = 0; i < b->records.n; i++) {
		struct service_record *r = b->records.items[i];

		if (r->name != NULL && host_ports_is_name(r->name))
			b->out_of_memory |= !service_records_mark(&b->records, r);
	}
	for (size_t i = 0; i < facts->n_host_ports; i++)
		b->out_of_memory |= !service_records_touch(&b->records, facts->host_ports[i].pod_ns,
			host_ports_name(&facts->host_ports[i], name));
	b->host_ports = host_ports_digest(facts);
}

void
service_changes_slotless(struct service_builder *b)
{
	for (uint32_t i = 0; i < b->records.n; i++)
		if (b->records.items[i]->is_slotless)
			b->out_of_memory |= !service_records_mark(&b->records, b->records.items[i]);
}

static void
note_end(uint64_t pod, void *arg)
{
	struct service_builder *b = arg;

	/* without memory, pins end with their sockets */
	frontend_builder_end_backend(&b->frontends, &(struct backend_end){ .pod = pod });
}

static void
mark_move(struct move *move, void *arg)
{
	struct service_builder *b = arg;

	if (move->service < b->records.n)
		b->out_of_memory |= !service_records_mark(&b->records, b->records.items[move->service]);
}

void
service_changes_gone(struct service_builder *b)
{
	size_t n = b->frontends.n_ends;

	gone_pods_update(b->gone, note_end, b);
	if (b->frontends.n_ends != n)
		moves_each(b->moves, mark_move, b);
}

int
service_changes_find(struct service_builder *b, const struct build_facts *facts)
{
	struct service_common common;
	bool is_all;

	if (common_collect(&common, b, facts) < 0)
		return -ENOMEM;
	service_changes_gone(b);
	is_all = !store_watch_take(b->watch, note_change, b) || b->out_of_memory || b->last == NULL ||
		 !common_is_same(&b->common, &common);
	if (is_all)
		note_all(b);
	if (is_all || b->host_ports != host_ports_digest(facts))
		note_host_ports(b, facts);
	service_common_fini(&b->common);
	b->common = common;
	if (b->nodes_changed)
		note_nodes(b);
	return b->out_of_memory ? -ENOMEM : 0;
}
