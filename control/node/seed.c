#include "control/node/seed.h"

#include <errno.h>
#include <stdlib.h>

#include "control/model/store.h"
#include "control/model/watch.h"
#include "control/node/attach.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/service/roles.h"
#include "dataplane/worker.h"

/* One declared port of one pod. */
struct declared {
	struct roles *roles;
	struct policy_state *policy_state;
	uint16_t port;
	uint8_t proto;
	uint8_t worker;
};

/* A pod of this node under one of its addresses. */
struct local_addr {
	struct ip_addr addr;
	const struct attached *pod;
};

struct seeder {
	const struct store *store;
	const struct attach *attach;
	struct engine *engine;
	struct store_watch *watch; /* Pods and EndpointSlices */
	uint64_t attachments;      /* generation at the last run; UINT64_MAX: all has to be looked at */
};

/* What one run gathers. */
struct search {
	const struct seeder *seeder;
	size_t n_addrs, max_addrs;
	struct local_addr *addrs; /* sorted by address */
	size_t n, size;
	struct declared *found;
	bool has_pods; /* some Pod changed */
	bool failed;
};

struct seeder *
seeder_new(struct store *store, const struct attach *attach, struct engine *engine)
{
	struct seeder *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct seeder){
		.store = store,
		.attach = attach,
		.engine = engine,
		.watch =
			store_watch_new(store_watches(store), 1u << OBJECT_POD | 1u << OBJECT_ENDPOINT_SLICE),
		.attachments = UINT64_MAX,
	};
	if (s->watch == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
seeder_free(struct seeder *s)
{
	if (s == NULL)
		return;
	store_watch_free(s->watch);
	free(s);
}

static void
count_pod(const struct attached *pod, void *arg)
{
	(*(size_t *)arg)++;
}

static void
add_addrs(const struct attached *pod, void *arg)
{
	struct search *search = arg;

	for (unsigned family = 0; family < N_FAMILIES && pod->port != NULL; family++)
		if (!ip_addr_is_none(&pod->record.addrs[family]))
			search->addrs[search->n_addrs++] =
				(struct local_addr){ .addr = pod->record.addrs[family], .pod = pod };
}

static int
compare_addrs(const void *a, const void *b)
{
	return ip_addr_cmp(&((const struct local_addr *)a)->addr, &((const struct local_addr *)b)->addr);
}

static const struct attached *
find_pod(const struct search *search, const struct ip_addr *addr)
{
	struct local_addr key = { .addr = *addr };
	const struct local_addr *found =
		bsearch(&key, search->addrs, search->n_addrs, sizeof(key), compare_addrs);

	return found == NULL ? NULL : found->pod;
}

static void
add_declared(struct search *search, const struct attached *pod, uint16_t port, uint8_t proto)
{
	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return;
	if (search->n == search->size) {
		size_t size = search->size == 0 ? 64 : 2 * search->size;
		struct declared *grown = realloc(search->found, size * sizeof(*grown));

		if (grown == NULL) {
			search->failed = true;
			return;
		}
		search->found = grown;
		search->size = size;
	}
	search->found[search->n++] = (struct declared){ .roles = pod->roles,
		.policy_state = pod->policy_state,
		.port = port,
		.proto = proto,
		.worker = pod->port->owner };
}

static void
add_endpoints(const struct object *object, void *arg)
{
	struct search *search = arg;
	const struct slice_object *slice = (const struct slice_object *)object;

	for (size_t e = 0; e < slice->n_endpoints; e++) {
		const struct slice_endpoint *endpoint = &slice->endpoints[e];

		for (size_t a = 0; a < endpoint->n_addrs; a++) {
			const struct attached *pod = find_pod(search, &endpoint->addrs[a]);

			for (size_t p = 0; pod != NULL && p < slice->n_ports; p++)
				add_declared(search, pod, slice->ports[p].port, slice->ports[p].proto);
		}
	}
}

/* By name, since a pod's status may not have its addresses yet. */
static void
add_container_ports(const struct attached *pod, void *arg)
{
	struct search *search = arg;
	const struct pod_object *object = (const struct pod_object *)store_get(
		search->seeder->store, OBJECT_POD, pod->record.pod_ns, pod->record.pod);

	/* a former pod's of this name */
	if (object != NULL &&
		!pod_uid_is(object->uid, object->static_uid, pod_uid_digest(pod->record.pod_uid)))
		return;
	for (size_t p = 0; pod->port != NULL && object != NULL && p < object->n_ports; p++)
		add_declared(search, pod, object->ports[p].port, object->ports[p].proto);
}

/* On each worker: its own pods' bits. */
static void
note_declared(struct worker *w, void *arg)
{
	const struct search *search = arg;

	for (size_t i = 0; i < search->n; i++) {
		const struct declared *d = &search->found[i];

		if (d->worker != w->id)
			continue;
		roles_set(d->roles, d->proto, d->port);
		if (d->proto == PROTO_TCP)
			policy_declare_server(d->policy_state, d->port);
	}
}

static bool
gather_addrs(struct search *search)
{
	const struct attach *attach = search->seeder->attach;

	attach_each(attach, count_pod, &search->max_addrs);
	search->addrs = calloc(N_FAMILIES * search->max_addrs + 1, sizeof(*search->addrs));
	if (search->addrs == NULL)
		return false;
	attach_each(attach, add_addrs, search);
	qsort(search->addrs, search->n_addrs, sizeof(*search->addrs), compare_addrs);
	return true;
}

static void
add_changed(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct search *search = arg;
	const struct object *object = store_get(search->seeder->store, kind, ns, name);

	if (kind == OBJECT_POD)
		search->has_pods = true;
	else if (object != NULL)
		add_endpoints(object, search);
}

/* What changed since the last run, or everything. */
static void
gather(struct search *search)
{
	const struct seeder *s = search->seeder;
	bool is_listed = store_watch_take(s->watch, add_changed, search);
	bool is_all = !is_listed || s->attachments != attach_generation(s->attach);

	if (is_all && search->n_addrs != 0)
		store_each(s->store, OBJECT_ENDPOINT_SLICE, add_endpoints, search);
	if (is_all || search->has_pods)
		attach_each(s->attach, add_container_ports, search);
}

int
seeder_run(struct seeder *s)
{
	struct search search = { .seeder = s };
	bool is_complete;

	if (store_watch_is_idle(s->watch) && s->attachments == attach_generation(s->attach))
		return 0;
	is_complete = gather_addrs(&search);
	if (is_complete) {
		gather(&search);
		is_complete = !search.failed;
	}
	for (unsigned w = 0; is_complete && w < engine_n_workers(s->engine) && search.n != 0; w++)
		worker_call(engine_worker(s->engine, w), note_declared, &search);
	s->attachments = is_complete ? attach_generation(s->attach) : UINT64_MAX;
	free(search.addrs);
	free(search.found);
	return is_complete ? 0 : -ENOMEM;
}
