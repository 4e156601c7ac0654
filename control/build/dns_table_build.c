#include "control/build/dns_table_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/build/dns_backends.h"
#include "control/build/endpoint_select.h"
#include "control/build/facts.h"
#include "control/model/watch.h"
#include "dataplane/net/headers.h"

/* Names that a step makes: a few milliseconds' work. */
#define STEP_NAMES 512

/* A version of the zone, which goes when no table names it, but not before those that were made before it. */
struct held_zone {
	struct dns_zone *zone;
	unsigned refs;
	struct held_zone *next;
};

struct dns_table_builder {
	struct store *store;
	const struct dns_options *options;
	struct dns_cache *cache;
	struct store_watch *watch; /* services and slices */
	struct dns_builder *zones;
	struct held_zone *first,
		*last; /* in the order in which they were made; the last one is in force, or soon will be */
	bool is_due;
	bool out_of_memory; /* changes could not be noted: all slices are looked at next time */
	size_t n_slices, slices_room;
	char **slices;                            /* names of the DNS service's */
	struct dns_backends backends[N_FAMILIES]; /* or those that there were last */
	const struct local_pod *pods;             /* attached here */
	size_t n_pods;
	const struct dns_table *newest; /* NULL: it was released */
};

/* --- life */

struct dns_table_builder *
dns_table_builder_new(
	struct store *store, const struct dns_options *options, struct dns_cache *cache, uint64_t seed)
{
	const struct dns_build_config config = {
		.zone = options->zone_text,
		.ttl_s = options->ttl_s,
		.pods = options->pods,
		.server_ns = options->service_ns,
		.server = options->service,
		.serial = (uint32_t)time(NULL),
		.seed = seed,
	};
	struct dns_table_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->store = store;
	b->options = options;
	b->cache = cache;
	b->is_due = true;
	b->watch = store_watch_new(store_watches(store), 1u << OBJECT_SERVICE | 1u << OBJECT_ENDPOINT_SLICE);
	if (b->watch == NULL || dns_builder_new(&b->zones, store, &config) < 0) {
		dns_table_builder_free(b);
		return NULL;
	}
	return b;
}

static void
forget_slices(struct dns_table_builder *b)
{
	for (size_t i = 0; i < b->n_slices; i++)
		free(b->slices[i]);
	b->n_slices = 0;
}

/* From the first on, as far as nobody needs them. */
static void
release_zones(struct dns_table_builder *b, bool is_end)
{
	while (b->first != NULL && b->first->refs == 0 && (is_end || b->first != b->last)) {
		struct held_zone *h = b->first;

		b->first = h->next;
		dns_builder_release(b->zones, h->zone);
		free(h);
	}
}

void
dns_table_builder_free(struct dns_table_builder *b)
{
	if (b == NULL)
		return;
	release_zones(b, true);
	dns_builder_free(b->zones);
	forget_slices(b);
	free(b->slices);
	store_watch_free(b->watch);
	free(b);
}

/* --- the DNS service */

static const struct service_object *
find_service(const struct dns_table_builder *b)
{
	return (const struct service_object *)store_get(
		b->store, OBJECT_SERVICE, b->options->service_ns, b->options->service);
}

static bool
is_ours(const struct dns_table_builder *b, const struct object *slice)
{
	return slice != NULL && strcmp(slice->ns, b->options->service_ns) == 0 &&
	       strcmp(((const struct slice_object *)slice)->service, b->options->service) == 0;
}

static size_t
find_slice(const struct dns_table_builder *b, const char *name)
{
	size_t i = 0;

	while (i < b->n_slices && strcmp(b->slices[i], name) != 0)
		i++;
	return i;
}

static bool
add_slice(struct dns_table_builder *b, const char *name)
{
	if (find_slice(b, name) < b->n_slices)
		return true;
	if (b->n_slices == b->slices_room) {
		size_t room = 2 * b->slices_room + 8;
		char **slices = reallocarray(b->slices, room, sizeof(*slices));

		if (slices == NULL)
			return false;
		b->slices = slices;
		b->slices_room = room;
	}
	b->slices[b->n_slices] = strdup(name);
	return b->slices[b->n_slices] != NULL && ++b->n_slices != 0;
}

static void
remove_slice(struct dns_table_builder *b, const char *name)
{
	size_t i = find_slice(b, name);

	if (i == b->n_slices)
		return;
	free(b->slices[i]);
	b->slices[i] = b->slices[--b->n_slices];
	b->is_due = true;
}

static void
note_slice(struct dns_table_builder *b, const char *ns, const char *name)
{
	const struct object *slice;

	if (strcmp(ns, b->options->service_ns) != 0)
		return;
	slice = store_get(b->store, OBJECT_ENDPOINT_SLICE, ns, name);
	if (!is_ours(b, slice)) {
		remove_slice(b, name);
	} else {
		b->out_of_memory |= !add_slice(b, name);
		b->is_due = true;
	}
}

static void
note(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct dns_table_builder *b = arg;

	if (kind == OBJECT_ENDPOINT_SLICE)
		note_slice(b, ns, name);
	else
		b->is_due |=
			strcmp(name, b->options->service) == 0 && strcmp(ns, b->options->service_ns) == 0;
}

static void
look_at_slice(const struct object *object, void *arg)
{
	note_slice(arg, object->ns, object->name);
}

static int
find_changes(struct dns_table_builder *b)
{
	if (store_watch_take(b->watch, note, b) && !b->out_of_memory)
		return 0;
	b->out_of_memory = false;
	b->is_due = true;
	forget_slices(b);
	store_each(b->store, OBJECT_ENDPOINT_SLICE, look_at_slice, b);
	return b->out_of_memory ? -ENOMEM : 0;
}

static int
find_backends(struct dns_table_builder *b, const struct service_port *port)
{
	const struct slice_object **slices = calloc(b->n_slices + 1, sizeof(const struct slice_object *));
	struct dns_backends found[N_FAMILIES] = { 0 };
	size_t n = 0;
	int result;

	if (slices == NULL)
		return -ENOMEM;
	for (size_t i = 0; port != NULL && i < b->n_slices; i++) {
		const struct object *slice =
			store_get(b->store, OBJECT_ENDPOINT_SLICE, b->options->service_ns, b->slices[i]);

		if (slice != NULL)
			slices[n++] = (const struct slice_object *)slice;
	}
	result = dns_backends_find(found, port, slices, n);
	for (unsigned f = 0; f < N_FAMILIES && result == 0; f++)
		if (found[f].n != 0)
			b->backends[f] = found[f];
		else /* those that there were last */
			b->backends[f].are_ready = false;
	free(slices);
	return result;
}

/* --- the zone */

bool
dns_table_builder_has_work(const struct dns_table_builder *b)
{
	return b->out_of_memory || !store_watch_is_idle(b->watch) || !dns_builder_is_idle(b->zones);
}

bool
dns_table_builder_is_due(const struct dns_table_builder *b)
{
	return b->is_due;
}

static int
step_zone(struct dns_table_builder *b)
{
	struct held_zone *h = calloc(1, sizeof(*h)); /* before the step: then nothing may fail */
	struct dns_zone *zone = NULL;
	int result = h == NULL ? -ENOMEM : dns_builder_step(b->zones, STEP_NAMES, &zone);

	if (result < 0 || zone == NULL) {
		free(h);
		return result == -EAGAIN ? 0 : result;
	}
	h->zone = zone;
	if (b->last == NULL)
		b->first = h;
	else
		b->last->next = h;
	b->last = h;
	b->is_due = true;
	release_zones(b, false); /* the one before, if no table ever had it */
	return 0;
}

int
dns_table_builder_step(struct dns_table_builder *b)
{
	int result = find_changes(b);

	return result < 0 || dns_builder_is_idle(b->zones) ? result : step_zone(b);
}

struct piece_pool_books
dns_table_builder_books(const struct dns_table_builder *b)
{
	return dns_builder_books(b->zones);
}

/* --- the table */

static void
add_asked(struct dns_table *t, const struct ip_addr *addr, uint16_t port)
{
	if (t->n_asked < DNS_ASKED_MAX && !dns_table_asks(t, addr, port))
		t->asked[t->n_asked++] = (struct dns_server){ .addr = *addr, .port = port };
}

static void
fill_asked(struct dns_table *t, const struct dns_options *o, const struct service_object *service,
	const struct service_port *port)
{
	for (unsigned i = 0; i < o->n_local; i++)
		add_asked(t, &o->local[i], DNS_PORT);
	if (port == NULL || !service_is_served(service))
		return;
	for (size_t i = 0; i < service->n_cluster_ips; i++)
		if (!ip_addr_is_none(&service->cluster_ips[i]))
			add_asked(t, &service->cluster_ips[i], port->port);
}

/* The endpoints that are ready, of both families in turn, since there may not be room for all; without any, others of the family of the
 * service's first address. */
static void
fill_endpoints(struct dns_forward *all, const struct dns_backends backends[static N_FAMILIES],
	const struct service_object *service)
{
	bool prefers_v6 =
		service != NULL && service->n_cluster_ips != 0 && !ip_addr_is_v4(&service->cluster_ips[0]);
	const struct dns_backends *first = &backends[prefers_v6 ? V6 : V4],
				  *second = &backends[prefers_v6 ? V4 : V6];
	unsigned n_second;

	if (first->n == 0 || (second->are_ready && !first->are_ready)) {
		first = second;
		n_second = 0;
	} else {
		n_second = second->are_ready ? second->n : 0;
	}
	for (unsigned i = 0; i < first->n || i < n_second; i++) {
		if (i < first->n && all->n < DNS_UPSTREAMS_MAX)
			all->servers[all->n++] = first->servers[i];
		if (i < n_second && all->n < DNS_UPSTREAMS_MAX)
			all->servers[all->n++] = second->servers[i];
	}
}

/* What is asked here would come back, for ever. */
static void
leave_out_asked(struct dns_forward *f, const struct dns_table *t)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < f->n; i++)
		if (!dns_table_asks(t, &f->servers[i].addr, f->servers[i].port))
			f->servers[n++] = f->servers[i];
	memset(f->servers + n, 0, (f->n - n) * sizeof(*f->servers));
	f->n = n;
}

/* Stub domains, and all else behind them. */
static void
fill_forwards(struct dns_table *t, const struct dns_options *o, const struct dns_backends *backends,
	const struct service_object *service)
{
	struct dns_forward *all = &t->forwards[o->n_stubs];

	memcpy(t->forwards, o->stubs, o->n_stubs * sizeof(*o->stubs));
	t->n_forwards = (uint8_t)(o->n_stubs + 1);
	all->zone.len = 1;
	all->n = (uint16_t)o->n_upstreams;
	memcpy(all->servers, o->upstreams, o->n_upstreams * sizeof(*o->upstreams));
	if (o->n_upstreams == 0)
		fill_endpoints(all, backends, service);
	for (unsigned i = 0; i < t->n_forwards; i++)
		leave_out_asked(&t->forwards[i], t);
}

/* With the namespaces behind the forwards. */
static size_t
table_size(const struct dns_table_builder *b)
{
	return sizeof(struct dns_table) + (b->options->n_stubs + 1) * sizeof(struct dns_forward) +
	       (b->options->completes_searches ? PORTS_MAX * sizeof(struct dns_namespace) : 0);
}

void
dns_table_builder_see_pods(struct dns_table_builder *b, const struct local_pod *pods, size_t n)
{
	b->pods = pods;
	b->n_pods = n;
}

/* Namespaces are labels (RFC 1123) in lower case. */
static void
fill_namespaces(const struct dns_table_builder *b, struct dns_table *t)
{
	struct dns_namespace *all = (struct dns_namespace *)&t->forwards[b->options->n_stubs + 1];

	t->namespaces = all;
	for (size_t i = 0; i < b->n_pods; i++) {
		const struct local_pod *pod = &b->pods[i];
		size_t len = strlen(pod->ns);

		if (pod->port >= PORTS_MAX || len == 0 || len > DNS_LABEL_MAX)
			continue;
		all[pod->port].len = (uint8_t)(len + 1);
		all[pod->port].label[0] = (uint8_t)len;
		memcpy(all[pod->port].label + 1, pod->ns, len);
	}
}

/* Where the namespaces are is each table's own. */
static bool
tables_equal(const struct dns_table_builder *b, struct dns_table *t, const struct dns_table *other)
{
	const struct dns_namespace *namespaces = t->namespaces;
	bool equal;

	t->namespaces = other->namespaces;
	equal = memcmp(t, other, table_size(b)) == 0;
	t->namespaces = namespaces;
	return equal;
}

static void
fill(struct dns_table_builder *b, const struct service_object *service, const struct service_port *port,
	struct dns_table *t)
{
	const struct dns_options *o = b->options;

	t->zone = b->last == NULL ? NULL : b->last->zone;
	t->cache = b->cache;
	t->is_shadow = o->is_shadow;
	fill_asked(t, o, service, port);
	for (unsigned f = 0; f < N_FAMILIES; f++) {
		t->backends[f].n = (uint16_t)b->backends[f].n;
		memcpy(t->backends[f].servers, b->backends[f].servers,
			b->backends[f].n * sizeof(struct dns_server));
	}
	t->n_suffixes = (uint8_t)o->n_suffixes;
	memcpy(t->suffixes, o->suffixes, sizeof(t->suffixes));
	fill_forwards(t, o, b->backends, service);
	if (o->completes_searches)
		fill_namespaces(b, t);
}

int
dns_table_builder_build(
	struct dns_table_builder *b, const struct dns_table *last, const struct dns_table **out)
{
	const struct service_object *service = find_service(b);
	const struct service_port *port = dns_service_port(service, PROTO_UDP);
	struct dns_table *t;

	if (find_changes(b) < 0)
		return -ENOMEM;
	*out = last;
	/* pods come and go without changing objects that are watched */
	if (last != NULL && last == b->newest && !b->is_due && !b->options->completes_searches)
		return 0;
	t = calloc(1, table_size(b));
	if (t == NULL || find_backends(b, port) < 0) {
		free(t);
		return -ENOMEM;
	}
	fill(b, service, port, t);
	b->is_due = false;
	if (last != NULL && tables_equal(b, t, last)) {
		free(t);
		b->newest = last;
		return 0;
	}
	if (b->last != NULL)
		b->last->refs++;
	*out = b->newest = t;
	return 0;
}

void
dns_table_builder_release(struct dns_table_builder *b, const struct dns_table *t)
{
	if (t == NULL)
		return;
	for (struct held_zone *h = b->first; h != NULL; h = h->next)
		h->refs -= h->zone == t->zone;
	if (b->newest == t)
		b->newest = NULL;
	free((void *)t);
	release_zones(b, false);
}
