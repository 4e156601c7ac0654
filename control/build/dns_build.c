#include "control/build/dns_build.h"

#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <sys/random.h>

#include "control/build/dns_changes.h"
#include "control/build/dns_own_names.h"
#include "control/build/dns_service.h"
#include "control/build/service_records.h"
#include "control/model/watch.h"

/* A service's names by its number: as they are, and of the build that goes on. Those that are not of endpoints by hash. */
struct service_nodes {
	struct dns_service_nodes built, coming;
};

struct dns_builder {
	struct store *store;
	struct store_watch *watch;
	struct piece_pool *pool;
	struct dns_build_config config;
	char *server_ns, *server;
	struct dns_wire zone;
	uint64_t seed;
	struct service_records records;
	uint32_t n_services; /* room of services */
	struct service_nodes *services;
	struct dns_pods pods;
	size_t n_namespaces, namespaces_room;
	char **namespaces;       /* changed */
	void *known;             /* tsearch: names of the namespaces that the last version has */
	bool out_of_memory;      /* a change could not be noted: all is looked at next time */
	struct dns_zone *last;   /* NULL before the first */
	struct dns_zone *coming; /* on which a step left off; NULL: none */
	uint32_t n_built;        /* of the changed services, in it */
	struct dns_making making;
	struct dns_endpoints endpoints; /* scratch */
	struct service_slices slices;   /* scratch */
};

/* --- life */

static unsigned
watched(const struct dns_build_config *config)
{
	unsigned kinds = 1u << OBJECT_NAMESPACE | 1u << OBJECT_SERVICE | 1u << OBJECT_ENDPOINT_SLICE;

	return config->pods == DNS_PODS_VERIFIED ? kinds | 1u << OBJECT_POD : kinds;
}

int
dns_builder_new(struct dns_builder **out, struct store *store, const struct dns_build_config *config)
{
	struct dns_builder *b = calloc(1, sizeof(*b));

	*out = NULL;
	if (b == NULL)
		return -ENOMEM;
	if (!dns_wire_parse(config->zone, &b->zone) || b->zone.len < 2 || b->zone.len > DNS_ZONE_NAME_MAX) {
		free(b);
		return -EINVAL;
	}
	b->store = store;
	b->config = *config;
	service_records_init(&b->records);
	b->watch = store_watch_new(store_watches(store), watched(config));
	b->pool = piece_pool_new();
	b->server_ns = strdup(config->server_ns);
	b->server = strdup(config->server);
	if (b->watch == NULL || b->pool == NULL || b->server_ns == NULL || b->server == NULL) {
		dns_builder_free(b);
		return -ENOMEM;
	}
	b->seed = config->seed;
	if (b->seed == 0 && getrandom(&b->seed, sizeof(b->seed), GRND_NONBLOCK) != sizeof(b->seed))
		b->seed = (uintptr_t)b; /* at boot: where the memory lies is chance as well */
	*out = b;
	return 0;
}

static void
forget_namespaces(struct dns_builder *b)
{
	for (size_t i = 0; i < b->n_namespaces; i++)
		free(b->namespaces[i]);
	b->n_namespaces = 0;
}

void
dns_builder_free(struct dns_builder *b)
{
	if (b == NULL)
		return;
	dns_zone_free(b->coming);
	for (uint32_t i = 0; i < b->n_services; i++) {
		dns_service_nodes_fini(&b->services[i].built);
		dns_service_nodes_fini(&b->services[i].coming);
	}
	free(b->services);
	forget_namespaces(b);
	free(b->namespaces);
	tdestroy(b->known, free);
	service_records_fini(&b->records);
	dns_pods_fini(&b->pods);
	dns_making_fini(&b->making);
	dns_endpoints_fini(&b->endpoints);
	free(b->slices.items);
	free(b->server_ns);
	free(b->server);
	store_watch_free(b->watch);
	piece_pool_free(b->pool);
	free(b);
}

bool
dns_builder_is_idle(const struct dns_builder *b)
{
	return b->last != NULL && b->coming == NULL && !b->out_of_memory && store_watch_is_idle(b->watch) &&
	       b->records.n_dirty == 0 && b->pods.n_dirty == 0 && b->n_namespaces == 0;
}

void
dns_builder_release(struct dns_builder *b, struct dns_zone *z)
{
	dns_zone_free(z);
}

struct piece_pool_books
dns_builder_books(const struct dns_builder *b)
{
	return piece_pool_books(b->pool);
}

/* --- what changed */

static bool
note_namespace(struct dns_builder *b, const char *name)
{
	if (b->n_namespaces == b->namespaces_room) {
		size_t room = 2 * b->namespaces_room + 16;
		char **namespaces = reallocarray(b->namespaces, room, sizeof(*namespaces));

		if (namespaces == NULL)
			return false;
		b->namespaces = namespaces;
		b->namespaces_room = room;
	}
	b->namespaces[b->n_namespaces] = strdup(name);
	return b->namespaces[b->n_namespaces] != NULL && ++b->n_namespaces != 0;
}

static void
note(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct dns_builder *b = arg;
	const struct slice_object *slice;
	bool is_noted;

	switch (kind) {
	case OBJECT_NAMESPACE:
		is_noted = note_namespace(b, name);
		break;
	case OBJECT_SERVICE:
		is_noted = service_records_touch(&b->records, ns, name);
		break;
	case OBJECT_POD:
		is_noted = dns_pods_touch(&b->pods, ns, name);
		break;
	default:
		slice = (const struct slice_object *)store_get(b->store, kind, ns, name);
		is_noted = service_records_slice(&b->records, ns, name,
			slice == NULL || *slice->service == '\0' ? NULL : slice->service);
		break;
	}
	b->out_of_memory |= !is_noted;
}

static void
note_object(const struct object *object, void *arg)
{
	note(object->kind, object->ns, object->name, arg);
}

static void
note_known(const void *node, VISIT which, void *arg)
{
	if (which == postorder || which == leaf)
		note(OBJECT_NAMESPACE, "", *(char *const *)node, arg);
}

static void
note_all(struct dns_builder *b)
{
	forget_namespaces(b);
	b->out_of_memory =
		!service_records_mark_all(&b->records) || !dns_pods_touch_namespace(&b->pods, NULL);
	twalk_r(b->known, note_known, b);
	for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
		if (watched(&b->config) & 1u << kind)
			store_each(b->store, kind, note_object, b);
}

static int
find_changes(struct dns_builder *b)
{
	uint32_t room = b->n_services;
	struct service_nodes *services;

	if (b->out_of_memory || !store_watch_take(b->watch, note, b))
		note_all(b);
	if (b->out_of_memory)
		return -ENOMEM;
	if (b->records.n <= room)
		return 0;
	services = reallocarray(b->services, 2 * (size_t)b->records.n, sizeof(*services));
	if (services == NULL)
		return -ENOMEM;
	memset(services + room, 0, (2 * (size_t)b->records.n - room) * sizeof(*services));
	b->services = services;
	b->n_services = 2 * b->records.n;
	return 0;
}

/* --- namespaces */

static bool
mark_namespace(struct dns_builder *b, const char *ns)
{
	bool ok = dns_pods_touch_namespace(&b->pods, ns);

	for (uint32_t i = 0; i < b->records.n; i++) {
		struct service_record *r = b->records.items[i];

		if (r->ns != NULL && strcmp(r->ns, ns) == 0)
			ok &= service_records_mark(&b->records, r);
	}
	return ok;
}

static int
change_namespace_name(struct dns_builder *b, const char *ns, const char *label, uint8_t flags, bool exists)
{
	const struct dns_node *old;
	struct dns_wire name;

	if (!dns_namespace_name(b->making.zone, ns, label, &name))
		return 0;
	if (exists) {
		dns_making_begin(&b->making, &name, flags);
		return dns_making_end(&b->making, &old);
	}
	old = dns_zone_get(b->making.zone, name.bytes, name.len);
	return old == NULL ? 0 : dns_zone_remove(b->making.zone, old);
}

static int
build_namespace(struct dns_builder *b, const char *ns)
{
	bool exists = store_get(b->store, OBJECT_NAMESPACE, "", ns) != NULL;
	uint8_t flags = b->config.pods == DNS_PODS_INSECURE ? DNS_NODE_PODS : 0;

	if (exists == dns_namespace_is_known(b->making.zone, ns))
		return 0;
	if (!mark_namespace(b, ns) || change_namespace_name(b, ns, "svc", 0, exists) < 0)
		return -ENOMEM;
	return b->config.pods == DNS_PODS_DISABLED ? 0 : change_namespace_name(b, ns, "pod", flags, exists);
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* What cannot be noted is known to nobody but the zone: it stays until it changes again. */
static void
settle_namespace(struct dns_builder *b, char *ns)
{
	char **known = tfind(ns, &b->known, compare_texts), *old;

	if (!dns_namespace_is_known(b->last, ns)) {
		if (known != NULL) {
			old = *known;
			tdelete(ns, &b->known, compare_texts);
			free(old);
		}
		free(ns);
	} else if (known != NULL || tsearch(ns, &b->known, compare_texts) == NULL) {
		free(ns);
	}
}

/* --- services */

static int
build_service(struct dns_builder *b, const struct service_record *r)
{
	const struct service_object *service =
		(const struct service_object *)store_get(b->store, OBJECT_SERVICE, r->ns, r->name);
	struct service_nodes *s = &b->services[r->id];
	int result = 0;

	dns_service_nodes_clear(&s->coming);
	if (service != NULL && dns_namespace_is_known(b->making.zone, r->ns)) {
		if (service_record_slices(r, b->store, &b->slices) < 0)
			return -ENOMEM;
		result = dns_service_build(&b->making, service, b->slices.items, b->slices.n, &b->endpoints,
			&s->built, &s->coming);
	}
	if (result < 0)
		return result;
	return dns_changes_make(&b->making, &s->built, &s->coming);
}

/* --- the build */

/* A service that went while its names were built is changed once more, and its number stays until they are gone. */
static bool
exists(const struct service_record *r, void *arg)
{
	const struct dns_builder *b = arg;

	return b->services[r->id].built.names.n != 0 ||
	       store_get(b->store, OBJECT_SERVICE, r->ns, r->name) != NULL;
}

static void
settle(struct dns_builder *b)
{
	for (uint32_t i = 0; i < b->records.n_dirty; i++) {
		struct service_nodes *s = &b->services[b->records.dirty[i]];
		struct dns_service_nodes built = s->built;

		s->built = s->coming;
		s->coming = built;
	}
	service_records_settle(&b->records, exists, b);
	dns_pods_settle(&b->pods, b->store);
	for (size_t i = 0; i < b->n_namespaces; i++)
		settle_namespace(b, b->namespaces[i]);
	b->n_namespaces = 0;
}

static struct dns_zone *
next_version(struct dns_builder *b)
{
	const struct dns_zone_config config = {
		.name = b->zone.bytes,
		.ttl_s = b->config.ttl_s,
		.serial = b->config.serial,
		.seed = b->seed,
	};

	return b->last == NULL ? dns_zone_new(&config, b->pool) : dns_zone_next(b->last);
}

/* What changed, and of it all but services and pods. */
static int
begin(struct dns_builder *b)
{
	int result = find_changes(b);

	if (result < 0)
		return result;
	b->coming = next_version(b);
	if (b->coming == NULL)
		return -ENOMEM;
	b->n_built = 0;
	dns_pods_begin(&b->pods);
	b->making.zone = b->coming;
	b->making.ttl_s = b->config.ttl_s;
	if (b->last == NULL)
		result = dns_own_names(&b->making, &b->zone, b->config.pods != DNS_PODS_DISABLED);
	for (size_t i = 0; i < b->n_namespaces && result == 0; i++)
		result = build_namespace(b, b->namespaces[i]);
	if (result < 0)
		return result;
	return dns_own_server(&b->making, &b->zone,
		(const struct service_object *)store_get(b->store, OBJECT_SERVICE, b->server_ns, b->server));
}

/* A service without names has been looked at, too. -EAGAIN: there are more. */
static int
build_services(struct dns_builder *b, unsigned n_names)
{
	unsigned n = 0;

	while (b->n_built < b->records.n_dirty) {
		const struct service_record *r = b->records.items[b->records.dirty[b->n_built]];
		int result = n >= n_names ? -EAGAIN : build_service(b, r);

		if (result < 0)
			return result;
		n += 1 +
		     (unsigned)(b->services[r->id].coming.names.n + b->services[r->id].coming.endpoints.n);
		b->n_built++;
	}
	return 0;
}

static void
finish(struct dns_builder *b, struct dns_zone **out)
{
	if (b->last != NULL && !dns_zone_is_changed(b->coming)) {
		dns_zone_free(b->coming);
	} else {
		dns_zone_commit(b->coming);
		*out = b->last = b->coming;
	}
	b->coming = NULL;
	settle(b);
}

int
dns_builder_step(struct dns_builder *b, unsigned n_names, struct dns_zone **out)
{
	int result = 0;

	*out = NULL;
	if (dns_builder_is_idle(b))
		return 0;
	if (b->coming == NULL)
		result = begin(b);
	if (result == 0)
		result = build_services(b, n_names);
	if (result == 0)
		result = dns_pods_build(&b->pods, b->store, &b->making, n_names);
	if (result == 0) {
		finish(b, out);
	} else if (result != -EAGAIN) {
		dns_zone_free(b->coming);
		b->coming = NULL;
	}
	return result;
}

int
dns_builder_build(struct dns_builder *b, struct dns_zone **out)
{
	int result;

	do
		result = dns_builder_step(b, UINT_MAX, out);
	while (result == -EAGAIN);
	return result;
}
