#include "control/report/cluster_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/admin/service_frontends.h"
#include "control/admin/service_networks.h"
#include "control/admin/view.h"
#include "control/build/publish.h"
#include "control/build/service_build.h"
#include "control/daemon.h"
#include "control/node/ipam.h"
#include "control/report/event_book.h"
#include "control/report/sightings.h"
#include "dataplane/clock.h"

#define TELLERS 2

struct cluster_events {
	struct daemon *d;
	struct sightings of_services, of_node, *looked_at; /* the latter: of the look that goes on */
	uint64_t tables_version;                           /* services are looked at when it has changed */
	uint64_t now_ns;
	int64_t now_s;
	const struct view *view;
	const struct event_subject *node;
};

struct cluster_events *
cluster_events_new(struct daemon *d)
{
	struct cluster_events *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->d = d;
	if (sightings_init(&c->of_services) == 0 && sightings_init(&c->of_node) == 0)
		return c;
	cluster_events_free(c);
	return NULL;
}

void
cluster_events_free(struct cluster_events *c)
{
	if (c == NULL)
		return;
	sightings_fini(&c->of_services);
	sightings_fini(&c->of_node);
	free(c);
}

/* FNV-1a, with a finish that spreads: what is compared below are its upper bits. */
static uint64_t
hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++ != '\0');
	hash ^= hash >> 32;
	return hash * UINT64_C(0x9e3779b97f4a7c15);
}

struct ranking {
	uint64_t fact, own;
	unsigned n_before; /* nodes */
};

static void
rank_node(const struct object *node, void *arg)
{
	struct ranking *r = arg;

	r->n_before += hash_text(r->fact, node->name) > r->own;
}

static bool
is_teller(const struct cluster_events *c, uint64_t fact)
{
	struct ranking r = { .fact = fact, .own = hash_text(fact, c->d->config.node.name) };

	store_each(c->d->store, OBJECT_NODE, rank_node, &r);
	return r.n_before < TELLERS;
}

/* which: what tells the fact from others about the same subject; its text may count something. */
static void
see(struct cluster_events *c, enum event_reason reason, const struct event_subject *about, const char *which,
	const char *text, bool is_everywhere)
{
	uint64_t fact = hash_text(hash_text((uint64_t)reason, about->kind), about->ns);

	fact = hash_text(hash_text(hash_text(fact, about->name), about->uid), which);
	if (sightings_see(c->looked_at, fact) && (!is_everywhere || is_teller(c, fact)))
		event_book_note(c->d->event_book, reason, about, text, is_everywhere, c->now_ns, c->now_s);
}

/* --- services */

static void
see_of_service(struct cluster_events *c, enum event_reason reason, const struct service_object *service,
	const char *text, bool is_everywhere)
{
	char uid[OBJECT_UID_SIZE];
	const struct event_subject about = { "Service", "v1", service->object.ns, service->object.name,
		object_uid_format(&service->object, uid) };

	see(c, reason, &about, text, text, is_everywhere);
}

static void
see_refused(struct cluster_events *c, const struct service_object *service)
{
	size_t n = 0;
	const struct refused_addr *refused = service_builder_refused(
		publisher_services(c->d->publisher), service->object.ns, service->object.name, &n);

	for (size_t i = 0; i < n; i++) {
		char addr[IP_ADDR_STRLEN], text[256];

		snprintf(text, sizeof(text), "the address %s %s, so it is not served",
			ip_addr_format(&refused[i].addr, addr), refusal_text(refused[i].why));
		see_of_service(c, REPORT_ADDRESS_REFUSED, service, text, true);
	}
}

static void
count_lost(const struct lost_claim *claim, void *arg)
{
	++*(size_t *)arg;
}

static void
see_lost(struct cluster_events *c, const struct service_object *service)
{
	struct names names = { c->d->store, c->view, publisher_tables(c->d->publisher),
		publisher_services(c->d->publisher) };
	size_t n_lost = 0;

	service_builder_each_lost(
		names.builder, service->object.ns, service->object.name, count_lost, &n_lost);
	for (size_t i = 0; i < service->n_ports && n_lost != 0; i++) {
		json_t *list = lost_json(&names, service, &service->ports[i]), *lost;
		size_t k;

		json_array_foreach (list, k, lost) {
			const char *holder = json_string_value(json_object_get(lost, "holder_kind"));

			/* pods with host ports are this node's alone */
			see_of_service(c, REPORT_ADDRESS_COLLISION, service,
				json_string_value(json_object_get(lost, "text")), strcmp(holder, "pod") != 0);
		}
		json_decref(list);
	}
}

static void
see_service(const struct object *object, void *arg)
{
	see_refused(arg, (const struct service_object *)object);
	see_lost(arg, (const struct service_object *)object);
}

/* --- policies */

static void
see_namespace(const struct object *object, void *arg)
{
	const struct namespace_object *namespace = (const struct namespace_object *)object;
	char uid[OBJECT_UID_SIZE];
	const struct event_subject about = { "Namespace", "v1", "", object->name,
		object_uid_format(object, uid) };

	if (namespace->has_policy_mode && namespace->policy_mode == POLICY_MODE_AUDIT)
		see(arg, REPORT_POLICY_AUDIT, &about, "",
			"NetworkPolicies drop nothing in this namespace (" POLICY_MODE_ANNOTATION
			": audit); `ringway drops` shows what they would",
			true);
}

static void
see_mode(struct cluster_events *c)
{
	store_each(c->d->store, OBJECT_NAMESPACE, see_namespace, c);
	/* the same configuration is everywhere, mostly */
	if (c->view->policy_mode == POLICY_MODE_AUDIT && is_teller(c, hash_text(0, "policy.mode")))
		see(c, REPORT_POLICY_AUDIT, c->node, "",
			"NetworkPolicies drop nothing (policy.mode: audit); `ringway drops` shows what they "
			"would",
			false);
}

/* --- addresses */

static void
see_range(struct cluster_events *c, const struct address_range_view *r)
{
	const struct ipam_counts counts = { .total = r->size, .used = r->used };
	bool is_used_up = r->used >= r->size;
	char text[256];

	if (r->size == 0 || !ipam_is_short(&counts))
		return;
	snprintf(text, sizeof(text),
		"%u of %u addresses for pods in %s are used: give this node a larger pod CIDR, or run fewer "
		"pods on it",
		r->used, r->size, r->cidr);
	/* being short goes on, and is no news when it is over that they are used up */
	see(c, REPORT_ADDRESSES_LOW, c->node, r->cidr, text, false);
	if (is_used_up)
		see(c, REPORT_ADDRESSES_USED_UP, c->node, r->cidr, text, false);
}

static void
see_network(const struct service_cidr_object *object, const struct ip_prefix *network, void *arg)
{
	char uid[OBJECT_UID_SIZE], cidr[IP_PREFIX_STRLEN], text[256];
	const struct event_subject about = { "ServiceCIDR", "networking.k8s.io/v1", "", object->object.name,
		object_uid_format(&object->object, uid) };

	snprintf(text, sizeof(text), "%s " SERVICE_NETWORK_PROBLEM ": " SERVICE_NETWORK_ADVICE,
		ip_prefix_format(network, cidr));
	see(arg, REPORT_SERVICE_NETWORK, &about, cidr, text, true);
}

void
cluster_events_look(struct cluster_events *c, const struct view *v, const struct event_subject *node)
{
	c->now_ns = clock_now_ns();
	c->now_s = time(NULL);
	c->view = v;
	c->node = node;
	if (v->tables_version != c->tables_version) {
		c->tables_version = v->tables_version;
		c->looked_at = &c->of_services;
		store_each(c->d->store, OBJECT_SERVICE, see_service, c);
		sightings_end(&c->of_services);
	}
	c->looked_at = &c->of_node;
	see_mode(c);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		see_range(c, &v->ranges[f]);
	service_networks_each_missing(c->d->store, &c->d->config, see_network, c);
	sightings_end(&c->of_node);
	c->view = NULL;
	c->node = NULL;
}
