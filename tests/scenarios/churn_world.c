#include "tests/scenarios/churn_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/objects.h"

#define EXCEPTIONS 4096

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

uint32_t
churn_draw(struct churn_world *w, uint32_t n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

bool
churn_is_tcp(const struct churn_world *w)
{
	return w->kind == CHURN_TCP || w->kind == CHURN_OPAQUE || w->kind == CHURN_AFFINITY;
}

struct ip_addr
churn_backend_addr(unsigned i, unsigned family)
{
	struct ip_addr a = addr(family == V4 ? "10.244.2.0" : "fd00:10:244:2::");

	a.b[15] = (uint8_t)(10 + i);
	return a;
}

struct ip_addr
churn_frontend_addr(unsigned family)
{
	return addr(family == V4 ? "10.96.0.10" : "fd00:10:96::a");
}

struct endpoint *
churn_client(const struct churn_world *w, unsigned i)
{
	struct endpoint_table *t = w->f->endpoints;

	return &t->endpoints[t->by_port[FIXTURE_POD1 + i]];
}

static bool
is_anybody_ready(const struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (w->backends[i].is_listed && w->backends[i].ready)
			return true;
	return false;
}

bool
churn_is_chosen(const struct churn_world *w, unsigned backend)
{
	const struct churn_backend *b = &w->backends[backend];

	return b->is_listed && (b->ready || (!is_anybody_ready(w) && b->serving && b->terminating));
}

static void
put_endpoints(struct churn_world *w, unsigned family)
{
	struct slice_object *o = calloc(1, sizeof(*o));

	o->object.kind = OBJECT_ENDPOINT_SLICE;
	o->object.ns = strdup("shop");
	o->object.name = strdup(family == V4 ? "web-4" : "web-6");
	o->service = strdup("web");
	o->family = family == V4 ? 4 : 6;
	o->ports = calloc(1, sizeof(*o->ports));
	o->ports[o->n_ports++] =
		(struct slice_port){ strdup(""), 8080, churn_is_tcp(w) ? PROTO_TCP : PROTO_UDP };
	o->endpoints = calloc(CHURN_BACKENDS, sizeof(*o->endpoints));
	for (unsigned i = 0; i < CHURN_BACKENDS; i++) {
		struct slice_endpoint *e = &o->endpoints[o->n_endpoints];
		const struct churn_backend *b = &w->backends[i];

		if (!b->is_listed)
			continue;
		o->n_endpoints++;
		e->n_addrs = 1;
		e->addrs = calloc(1, sizeof(*e->addrs));
		e->addrs[0] = churn_backend_addr(i, family);
		e->ready = b->ready;
		e->serving = b->serving;
		e->terminating = b->terminating;
		e->node = strdup("b");
		e->pod = calloc(1, 16);
		snprintf(e->pod, 16, "pod%u", i);
		e->pod_uid = 100 + i;
	}
	assert_int_equal(store_put(w->store, &o->object), 0);
}

/* The cluster's pods follow the backends. */
static void
follow_pods(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++) {
		struct ip_addr v4 = churn_backend_addr(i, V4), v6 = churn_backend_addr(i, V6);
		char name[16], text[N_FAMILIES][IP_ADDR_STRLEN];

		snprintf(name, sizeof(name), "pod%u", i);
		if (!w->backends[i].is_alive)
			store_remove(w->store, OBJECT_POD, "shop", name);
		else if (store_get(w->store, OBJECT_POD, "shop", name) == NULL)
			put_pod(w->store, "shop", name, "b", "app", "web", ip_addr_format(&v4, text[V4]),
				ip_addr_format(&v6, text[V6]));
	}
}

/* What control has workers forget. */
static void
forget(struct churn_world *w)
{
	size_t n;
	const struct backend_end *ends = service_builder_ends(w->builder, &n);

	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < w->f->n_workers; k++) {
			uint32_t cursor = 0;

			while (nat_flows_delete_ended(w->exceptions[k], &cursor, 4096, &ends[i], 1))
				;
		}
}

static void
build(struct churn_world *w)
{
	struct service_table *next;

	assert_int_equal(service_builder_build(w->builder, &w->facts, w->now_ns, &next), 0);
	if (next != NULL) {
		service_builder_release(w->builder, w->table);
		w->table = next;
		w->f->tables.services = next;
	}
	forget(w);
}

void
churn_publish(struct churn_world *w)
{
	follow_pods(w);
	for (unsigned family = 0; family < N_FAMILIES; family++)
		put_endpoints(w, family);
	build(w);
	for (unsigned i = 0; i < CHURN_FLOWS; i++) /* it ends as with any dead server */
		w->flows[i].is_open &= w->backends[w->flows[i].backend].is_alive;
}

static void
put_web(struct churn_world *w)
{
	char text[N_FAMILIES][IP_ADDR_STRLEN];
	struct ip_addr v4 = churn_frontend_addr(V4), v6 = churn_frontend_addr(V6);
	struct service_object *o;

	put_service(w->store, "shop", "web", "app", "web", ip_addr_format(&v4, text[V4]),
		ip_addr_format(&v6, text[V6]), 80, churn_is_tcp(w) ? PROTO_TCP : PROTO_UDP);
	o = (struct service_object *)store_get(w->store, OBJECT_SERVICE, "shop", "web");
	if (w->kind == CHURN_AFFINITY) /* nobody has seen it yet */
		o->affinity_timeout_s = 10800;
}

struct churn_world *
churn_new(enum churn_kind kind, unsigned n_workers, unsigned n_backends)
{
	struct churn_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->kind = kind;
	w->f = fixture_new(n_workers, false);
	w->store = store_new();
	w->slots = slots_new();
	w->builder = service_builder_new(w->store, w->slots);
	w->facts = (struct build_facts){ .node_name = "a" };
	w->now_ns = 1000 * CHURN_SECOND;
	w->next_port[0] = w->next_port[1] = CLIENT_PORT_FIRST;
	for (unsigned i = 0; i < n_workers; i++) {
		w->exceptions[i] = aligned_alloc(CACHE_LINE, nat_flows_size(EXCEPTIONS));
		memset(w->exceptions[i], 0, nat_flows_size(EXCEPTIONS));
		nat_flows_adopt(w->exceptions[i],
			&(struct nat_flows_config){ .capacity = EXCEPTIONS, .quota = EXCEPTIONS }, w->now_ns);
		w->f->workers[i]->exceptions = w->exceptions[i];
		w->f->workers[i]->now_ns = w->now_ns;
	}
	for (unsigned i = 0; i < CHURN_CLIENTS; i++)
		churn_client(w, i)->is_opaque = kind == CHURN_OPAQUE;
	for (unsigned i = 0; i < n_backends; i++)
		w->backends[i] = (struct churn_backend){ true, true, true, true, false };
	put_web(w);
	churn_publish(w);
	return w;
}

void
churn_free(struct churn_world *w)
{
	const char *wrong = fixture_audit(w->f);

	if (wrong != NULL)
		fail_msg("%s", wrong);
	service_builder_release(w->builder, w->table);
	service_builder_free(w->builder);
	store_free(w->store);
	slots_free(w->slots);
	for (unsigned i = 0; i < w->f->n_workers; i++)
		free(w->exceptions[i]);
	fixture_free(w->f);
	free(w);
}
