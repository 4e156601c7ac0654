#include "control/build/service_build.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/facts.h"
#include "control/build/frontend_build.h"
#include "control/build/host_ports.h"
#include "control/build/service_records.h"
#include "control/model/watch.h"

/* What all services depend on: when it changes, all are looked at. */
struct common {
	char *node, *zone;
	struct ip_addr node_port_addrs[2 * N_FAMILIES];
	size_t n_node_port_addrs;
	uint64_t ranges; /* digest of configured ranges and of the node's own addresses */
};

struct service_builder {
	struct store *store;
	struct slots *slots;
	struct store_watch *watch;
	struct piece_pool *pool;
	struct service_records records;
	struct frontend_builder frontends;
	struct gone_pods *gone;
	struct common common;
	uint64_t nodes;      /* digest of all nodes' addresses and pod ranges */
	uint64_t host_ports; /* digest */
	bool nodes_changed;
	bool is_started;    /* some build succeeded */
	bool out_of_memory; /* a change could not be noted: all is looked at next time */
	uint32_t n_blocked;
	struct service_table *last; /* NULL after its release */
	struct moves *moves;
	size_t n_former, former_room;
	struct slot_record *former; /* until the first build */
	size_t slices_room;
	const struct slice_object **slices; /* scratch, of one service */
};

/* Pairs of a former process. */

static void
recall_pair(const struct slot_record *record, void *arg)
{
	struct service_builder *b = arg;

	if (record->released_s != 0)
		return;
	if (b->n_former == b->former_room) {
		size_t room = b->former_room == 0 ? 256 : 2 * b->former_room;
		struct slot_record *grown = realloc(b->former, room * sizeof(*grown));

		if (grown == NULL) {
			b->out_of_memory = true;
			return;
		}
		b->former = grown;
		b->former_room = room;
	}
	b->former[b->n_former++] = *record;
}

static int
compare_pairs(const void *x, const void *y)
{
	const struct slot_record *a = x, *b = y;
	int order = ip_addr_cmp(&a->frontend_addr, &b->frontend_addr);

	if (order == 0)
		order = (int)a->frontend_port - (int)b->frontend_port;
	if (order == 0)
		order = (int)a->proto - (int)b->proto;
	if (order == 0)
		order = ip_addr_cmp(&a->backend_addr, &b->backend_addr);
	return order != 0 ? order : (int)a->backend_port - (int)b->backend_port;
}

/* By frontend, and as its backends are ordered. */
static bool
recall_pairs(struct service_builder *b)
{
	slots_each(b->slots, recall_pair, b);
	if (b->n_former != 0)
		qsort(b->former, b->n_former, sizeof(*b->former), compare_pairs);
	return !b->out_of_memory;
}

struct service_builder *
service_builder_new(struct store *store, struct slots *slots)
{
	struct service_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->store = store;
	b->slots = slots;
	service_records_init(&b->records);
	b->frontends.slots = slots;
	b->pool = piece_pool_new();
	b->frontends.gone = b->gone = gone_pods_new(store);
	b->moves = b->frontends.moves = moves_new();
	b->watch = store_watch_new(
		store, 1u << OBJECT_SERVICE | 1u << OBJECT_ENDPOINT_SLICE | 1u << OBJECT_NODE);
	if (b->pool == NULL || b->gone == NULL || b->watch == NULL || b->moves == NULL || !recall_pairs(b)) {
		service_builder_free(b);
		return NULL;
	}
	return b;
}

static void
common_fini(struct common *c)
{
	free(c->node);
	free(c->zone);
}

void
service_builder_free(struct service_builder *b)
{
	if (b == NULL)
		return;
	store_watch_free(b->watch);
	frontend_builder_fini(&b->frontends);
	service_records_fini(&b->records);
	piece_pool_free(b->pool);
	moves_free(b->moves);
	gone_pods_free(b->gone);
	free(b->former);
	common_fini(&b->common);
	free(b->slices);
	free(b);
}

bool
service_builder_is_idle(const struct service_builder *b)
{
	return store_watch_is_idle(b->watch) && b->records.n_dirty == 0 && !b->out_of_memory &&
	       (moves_n(b->moves) == 0 || gone_pods_is_idle(b->gone));
}

/* Changes. */

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
add_node_port_addrs(struct common *c, const struct build_facts *facts, const struct node_object *self)
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
common_collect(struct common *c, const struct service_builder *b, const struct build_facts *facts)
{
	const char *name = facts->node_name == NULL ? "" : facts->node_name;
	const struct node_object *self =
		(const struct node_object *)store_get(b->store, OBJECT_NODE, "", name);

	*c = (struct common){ .node = strdup(name), .zone = strdup(self == NULL ? "" : node_zone(self)) };
	add_node_port_addrs(c, facts, self);
	c->ranges = digest_prefixes(c->ranges, facts->service_cidrs, facts->n_service_cidrs);
	c->ranges = digest_prefixes(c->ranges, facts->pod_cidrs, facts->n_pod_cidrs);
	c->ranges = digest_prefixes(c->ranges, facts->external_ranges, facts->n_external_ranges);
	if (facts->n_own_addrs != 0)
		c->ranges =
			digest(c->ranges, facts->own_addrs, facts->n_own_addrs * sizeof(*facts->own_addrs));
	if (c->node != NULL && c->zone != NULL)
		return 0;
	common_fini(c);
	return -ENOMEM;
}

static bool
common_is_same(const struct common *a, const struct common *b)
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

/* A slot that has rested may be what they waited for. */
static void
note_slotless(struct service_builder *b)
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

/* Buckets that wait for a pod that is gone wait no longer. */
static void
note_gone(struct service_builder *b)
{
	size_t n = b->frontends.n_ends;

	gone_pods_update(b->gone, note_end, b);
	if (b->frontends.n_ends != n)
		moves_each(b->moves, mark_move, b);
}

const struct backend_end *
service_builder_ends(struct service_builder *b, size_t *n)
{
	note_gone(b);
	*n = b->frontends.n_ends;
	b->frontends.n_ends = 0;
	return b->frontends.ends;
}

/* Notes what changed since the last build: in the store, in facts. */
static int
find_changes(struct service_builder *b, const struct build_facts *facts)
{
	struct common common;
	bool is_all;

	if (common_collect(&common, b, facts) < 0)
		return -ENOMEM;
	note_gone(b);
	is_all = !store_watch_take(b->watch, note_change, b) || b->out_of_memory || b->last == NULL ||
		 !common_is_same(&b->common, &common);
	if (is_all)
		note_all(b);
	if (is_all || b->host_ports != host_ports_digest(facts))
		note_host_ports(b, facts);
	common_fini(&b->common);
	b->common = common;
	if (b->nodes_changed)
		note_nodes(b);
	return b->out_of_memory ? -ENOMEM : 0;
}

/* The build. */

/* What one build works with. */
struct build {
	struct service_builder *b;
	struct wanted_context context;
	struct service_table *table;
};

static const struct service_object *
service_of(const struct service_builder *b, const struct service_record *r)
{
	return (const struct service_object *)store_get(b->store, OBJECT_SERVICE, r->ns, r->name);
}

static const struct frontend *
find_frontend(const struct build *x, const struct wanted_frontend *w)
{
	return service_frontend(
		x->table, addr_hash(&w->addr, w->port, w->proto), &w->addr, w->port, w->proto);
}

static int
collect_wanted(struct build *x, struct service_record *r)
{
	const struct service_object *service = service_of(x->b, r);

	wanted_fini(&r->coming);
	if (host_ports_is_name(r->name))
		return host_ports_collect(&r->coming, x->context.facts, r->ns, r->name);
	r->needs_nodes = service != NULL && wanted_needs_nodes(service);
	return service == NULL ? 0 : wanted_collect(&r->coming, &x->context, service);
}

static bool
is_wanted(const struct wanted *w, const struct wanted_frontend *f)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->frontends[i].port == f->port && w->frontends[i].proto == f->proto &&
			ip_addr_eq(&w->frontends[i].addr, &f->addr))
			return true;
	return false;
}

/* Removes the frontends that a service had and wants no longer; *n_removed counts them. */
static int
remove_unwanted(struct build *x, struct service_record *r, uint32_t *n_removed)
{
	for (size_t i = 0; i < r->built.n; i++) {
		const struct wanted_frontend *w = &r->built.frontends[i];
		const struct frontend *f = find_frontend(x, w);

		if (f == NULL || f->service != r->id || is_wanted(&r->coming, w))
			continue;
		if (frontend_unbuild(&x->b->frontends, f) < 0)
			return -ENOMEM;
		++*n_removed;
	}
	return 0;
}

/* What is free now may be what others have waited for. */
static int
mark_blocked(struct build *x)
{
	struct service_records *records = &x->b->records;
	uint32_t first = records->n_dirty;

	for (uint32_t i = 0; i < records->n; i++)
		if (records->items[i]->is_blocked && !service_records_mark(records, records->items[i]))
			return -ENOMEM;
	for (uint32_t i = first; i < records->n_dirty; i++)
		if (collect_wanted(x, records->items[records->dirty[i]]) < 0)
			return -ENOMEM;
	service_records_sort(records, 0);
	return 0;
}

static int
compare_names(const struct service_record *a, const struct service_record *b)
{
	int order = strcmp(a->ns, b->ns);

	return order != 0 ? order : strcmp(a->name, b->name);
}

/* Takes a frontend from a service that comes later by name, which is looked at (again) after this one. */
static int
take_over(struct build *x, const struct frontend *f, struct service_record *from)
{
	bool was_dirty = from->is_dirty;

	if (frontend_unbuild(&x->b->frontends, f) < 0 || !service_records_mark(&x->b->records, from))
		return -ENOMEM;
	from->will_be_blocked = true;
	return was_dirty ? 0 : collect_wanted(x, from);
}

static int
gather_slices(struct service_builder *b, const struct service_record *r, size_t *n)
{
	*n = 0;
	if (r->n_slices > b->slices_room) {
		free(b->slices);
		b->slices_room = 0;
		b->slices = malloc(2 * r->n_slices * sizeof(*b->slices));
		if (b->slices == NULL)
			return -ENOMEM;
		b->slices_room = 2 * r->n_slices;
	}
	for (size_t i = 0; i < r->n_slices; i++) {
		const struct object *slice = store_get(b->store, OBJECT_ENDPOINT_SLICE, r->ns, r->slices[i]);

		if (slice != NULL)
			b->slices[(*n)++] = (const struct slice_object *)slice;
	}
	return 0;
}

static int
build_host_port(struct build *x, const struct wanted_frontend *w, uint32_t number)
{
	struct wanted_frontend wanted = *w;
	struct host_port_service port;
	const struct slice_object *slice = &port.slice;

	host_port_describe(&port, &x->context.facts->host_ports[w->service_port],
		ip_addr_is_v4(&w->addr) ? V4 : V6, x->b->common.node);
	wanted.service_port = 0;
	return frontend_build(&x->b->frontends, &wanted, number, &port.service, &slice, 1);
}

static int
build_frontend(struct build *x, const struct service_record *r, const struct wanted_frontend *w,
	const struct service_object *service, size_t n_slices)
{
	if (w->kind == FRONTEND_HOST_PORT)
		return build_host_port(x, w, r->id);
	return frontend_build(&x->b->frontends, w, r->id, service, x->b->slices, n_slices);
}

static int
build_service(struct build *x, struct service_record *r)
{
	const struct service_object *service = service_of(x->b, r);
	size_t n_slices = 0;

	r->will_be_blocked = false;
	x->b->frontends.n_slotless = 0;
	if (r->coming.n != 0 && gather_slices(x->b, r, &n_slices) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < r->coming.n; i++) {
		const struct wanted_frontend *w = &r->coming.frontends[i];
		const struct frontend *f = find_frontend(x, w);

		if (f != NULL && f->service != r->id) {
			struct service_record *other = x->b->records.items[f->service];

			if (compare_names(other, r) < 0) {
				r->will_be_blocked = true;
				continue;
			}
			if (take_over(x, f, other) < 0)
				return -ENOMEM;
		}
		if (build_frontend(x, r, w, service, n_slices) < 0)
			return -ENOMEM;
	}
	r->is_slotless = x->b->frontends.n_slotless != 0;
	return 0;
}

static int
build_changed(struct build *x)
{
	struct service_records *records = &x->b->records;
	uint32_t n_removed = 0;

	service_records_sort(records, 0);
	for (uint32_t i = 0; i < records->n_dirty; i++)
		if (collect_wanted(x, records->items[records->dirty[i]]) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < records->n_dirty; i++)
		if (remove_unwanted(x, records->items[records->dirty[i]], &n_removed) < 0)
			return -ENOMEM;
	if (n_removed != 0 && x->b->n_blocked != 0 && mark_blocked(x) < 0)
		return -ENOMEM;
	/* the list may grow meanwhile */
	for (uint32_t i = 0; i < records->n_dirty; i++)
		if (build_service(x, records->items[records->dirty[i]]) < 0)
			return -ENOMEM;
	return 0;
}

static bool
exists(const struct service_record *r, void *arg)
{
	const struct build *x = arg;

	if (host_ports_is_name(r->name))
		return host_ports_exist(x->context.facts, r->ns, r->name);
	return service_of(x->b, r) != NULL;
}

/* The records' state is that of the new version, or stays that of the last. */
static void
settle_records(struct build *x, bool has_failed)
{
	struct service_builder *b = x->b;
	struct service_records *records = &b->records;

	for (uint32_t i = 0; i < records->n_dirty; i++) {
		struct service_record *r = records->items[records->dirty[i]];

		if (has_failed) {
			wanted_fini(&r->coming);
			continue;
		}
		wanted_fini(&r->built);
		r->built = r->coming;
		r->coming = (struct wanted){ 0 };
		b->n_blocked -= r->is_blocked;
		b->n_blocked += r->will_be_blocked;
		r->is_blocked = r->will_be_blocked;
	}
	if (!has_failed)
		service_records_settle(records, exists, x);
}

static void
count_endpoints(const struct object *object, void *arg)
{
	const struct slice_object *slice = (const struct slice_object *)object;

	*(size_t *)arg += slice->n_endpoints;
}

/* With room for what there is now; more makes it grow. */
static struct service_table *
first_table(const struct service_builder *b)
{
	uint32_t n_services = (uint32_t)store_count(b->store, OBJECT_SERVICE);
	size_t n_endpoints = 0;

	store_each(b->store, OBJECT_ENDPOINT_SLICE, count_endpoints, &n_endpoints);
	return service_table_new(b->pool, n_services, (uint32_t)n_endpoints);
}

static int
build_version(struct service_builder *b, const struct build_facts *facts, struct service_table **out)
{
	struct build_facts effective = *facts;
	struct build x = { b, { &effective, b->store },
		b->last == NULL ? first_table(b) : service_table_next(b->last) };
	size_t n_ends;
	int result;

	if (x.table == NULL)
		return -ENOMEM;
	effective.n_node_port_addrs = b->common.n_node_port_addrs;
	effective.node_port_addrs = b->common.node_port_addrs;
	b->frontends.table = x.table;
	b->frontends.node = b->common.node;
	b->frontends.zone = b->common.zone;
	n_ends = b->frontends.n_ends;
	result = build_changed(&x);
	if (result < 0)
		b->frontends.n_ends = n_ends;
	frontend_builder_settle_slots(&b->frontends, result < 0);
	settle_records(&x, result < 0);
	if (result < 0) {
		service_table_free(x.table);
		return result;
	}
	service_table_commit(x.table);
	b->last = *out = x.table;
	return 0;
}

int
service_builder_build(struct service_builder *b, const struct build_facts *facts, uint64_t now_ns,
	struct service_table **out)
{
	int result = find_changes(b, facts);

	*out = NULL;
	if (slots_begin(b->slots, now_ns) != 0)
		note_slotless(b);
	if (result < 0 || (b->records.n_dirty == 0 && b->last != NULL))
		return result;
	b->frontends.now_ns = now_ns;
	b->frontends.n_former = b->is_started ? 0 : b->n_former;
	b->frontends.former = b->former;
	result = build_version(b, facts, out);
	if (result == 0 && !b->is_started) {
		slots_release_unasked(b->slots);
		b->is_started = true;
		free(b->former);
		b->former = NULL;
		b->n_former = 0;
	}
	return result;
}

void
service_builder_release(struct service_builder *b, struct service_table *t)
{
	if (t != NULL && b->last == t)
		b->last = NULL;
	service_table_free(t);
}

bool
service_builder_name(const struct service_builder *b, uint32_t service, const char **ns, const char **name)
{
	const struct service_record *r = service < b->records.n ? b->records.items[service] : NULL;

	if (r == NULL || r->ns == NULL)
		return false;
	*ns = r->ns;
	*name = r->name;
	return true;
}

const struct refused_addr *
service_builder_refused(const struct service_builder *b, const char *ns, const char *name, size_t *n)
{
	const struct service_record *r = service_records_find(&b->records, ns, name);

	*n = r == NULL ? 0 : r->built.n_refused;
	return r == NULL ? NULL : r->built.refused;
}

struct piece_pool_books
service_builder_books(const struct service_builder *b)
{
	return piece_pool_books(b->pool);
}

struct moves *
service_builder_moves(struct service_builder *b)
{
	return b->moves;
}

static void
mark_settled(struct move *move, void *arg)
{
	struct service_builder *b = arg;

	if (move->settled != NULL && move->service < b->records.n)
		b->out_of_memory |= !service_records_mark(&b->records, b->records.items[move->service]);
}

void
service_builder_go_on(struct service_builder *b)
{
	moves_each(b->moves, mark_settled, b);
}
