#include "control/admin/exceptions.h"

#include <stdlib.h>
#include <string.h>

#include "control/build/publish.h"
#include "control/build/service_build.h"
#include "control/daemon.h"
#include "dataplane/engine.h"
#include "dataplane/service/roles.h"
#include "dataplane/worker.h"

#define AT_ONCE 256 /* copied between two bursts of a worker */

static const struct {
	const char *name, *help;
} reasons[N_EXCEPTION_REASONS] = {
#define EXCEPTION_REASON(symbol, name, help) { name, help },
#include "control/admin/exception_reasons.def"
#undef EXCEPTION_REASON
};

const char *
exception_reason_help(enum exception_reason reason)
{
	return reasons[reason].help;
}

/* The backend that a new flow between these ends would get, or NULL. */
static const struct backend *
choice_of(const struct tables *t, const struct nat_flow *x)
{
	const struct service_table *s = t->services;
	const struct frontend *f = service_frontend(s, addr_hash(&x->frontend, x->frontend_port, x->proto),
		&x->frontend, x->frontend_port, x->proto);
	uint32_t hash = flow_hash(&x->client, &x->frontend, x->client_port, x->frontend_port, x->proto);

	return f == NULL ? NULL : service_choice(f, service_flow(f, hash, &x->client));
}

enum exception_reason
exception_reason(const struct tables *t, const struct endpoint *client, const struct nat_flow *x)
{
	enum family_index family = ip_addr_is_v4(&x->client) ? V4 : V6;
	const struct backend *b;

	if (x->proto == PROTO_SCTP)
		return EXCEPTION_PROTOCOL;
	if (client != NULL && client->is_host &&
		!ip_addr_eq(&x->client, &t->endpoints->host_addrs[family][0]))
		return EXCEPTION_SOURCE;
	if ((client == NULL || !client->is_host) && !slot_is_client_port(x->client_port))
		return EXCEPTION_PORT;
	b = choice_of(t, x);
	if (b == NULL || b->port != x->backend_port || !ip_addr_eq(&b->addr, &x->backend))
		return EXCEPTION_MOVE;
	if (b->slot == 0)
		return EXCEPTION_SLOTS;
	if (client != NULL && client->roles != NULL &&
		roles_has(client->roles, x->proto, slot_encode(x->client_port, b->slot)))
		return EXCEPTION_ROLE;
	return client != NULL && client->is_opaque && x->proto == PROTO_TCP ? EXCEPTION_OPAQUE
									    : EXCEPTION_MOVE;
}

struct copy {
	uint32_t cursor;
	bool is_more;
	unsigned n;
	struct nat_flow entries[AT_ONCE];
};

static void
copy_some(struct worker *w, void *arg)
{
	struct copy *c = arg;

	c->n = 0;
	c->is_more = !nat_flows_is_empty(w->exceptions) &&
		     nat_flows_copy_some(w->exceptions, &c->cursor, c->entries, AT_ONCE, &c->n);
}

void
exceptions_each(struct daemon *d, void (*fn)(const struct nat_flow *x, void *arg), void *arg)
{
	struct copy *c = malloc(sizeof(*c));

	for (unsigned i = 0; c != NULL && i < engine_n_workers(d->engine); i++) {
		c->cursor = 0;
		do {
			worker_call(engine_worker(d->engine, i), copy_some, c);
			for (unsigned k = 0; k < c->n; k++)
				fn(&c->entries[k], arg);
		} while (c->is_more);
	}
	free(c);
}

struct counting {
	const struct tables *tables;
	struct exception_counts *counts;
};

/* A client's entries stand together as a rule, so the last one is looked at first. */
static struct exception_count *
count_of(struct exception_counts *e, const struct ip_addr *client)
{
	for (size_t i = e->n; i-- > 0;)
		if (ip_addr_eq(&e->counts[i].client, client))
			return &e->counts[i];
	if (e->n == e->room) {
		struct exception_count *more = realloc(e->counts, (e->room + 64) * sizeof(*more));

		if (more == NULL)
			return NULL;
		e->counts = more;
		e->room += 64;
	}
	e->counts[e->n] = (struct exception_count){ .client = *client };
	return &e->counts[e->n++];
}

static const struct endpoint *
endpoint_with(const struct endpoint_table *t, const struct ip_addr *addr)
{
	const struct endpoint *host = t->host == ENDPOINT_NONE ? NULL : &t->endpoints[t->host];

	for (unsigned i = 0; i < t->n; i++)
		if (ip_addr_eq(&t->endpoints[i].addrs[V4], addr) ||
			ip_addr_eq(&t->endpoints[i].addrs[V6], addr))
			return &t->endpoints[i];
	return host; /* it sends from the node's addresses, too */
}

static void
count_one(const struct nat_flow *x, void *arg)
{
	struct counting *counting = arg;
	struct exception_count *count = count_of(counting->counts, &x->client);
	const struct tables *t = counting->tables;

	if (count == NULL)
		return;
	count->n++;
	if (t != NULL)
		count->reasons[exception_reason(t, endpoint_with(t->endpoints, &x->client), x)]++;
}

void
exceptions_count(struct daemon *d, struct exception_counts *out)
{
	struct counting counting = { publisher_tables(d->publisher), out };

	exceptions_each(d, count_one, &counting);
}

struct exception_count
exceptions_of(const struct exception_counts *e, const struct ip_addr addrs[static N_FAMILIES])
{
	struct exception_count sum = { .client = addrs[V4] };

	for (size_t i = 0; i < e->n; i++) {
		const struct exception_count *c = &e->counts[i];

		if (!ip_addr_eq(&c->client, &addrs[V4]) && !ip_addr_eq(&c->client, &addrs[V6]))
			continue;
		sum.n += c->n;
		for (unsigned r = 0; r < N_EXCEPTION_REASONS; r++)
			sum.reasons[r] += c->reasons[r];
	}
	return sum;
}

json_t *
exceptions_reasons_json(const struct exception_count *count)
{
	json_t *out = json_object();

	for (unsigned r = 0; r < N_EXCEPTION_REASONS; r++)
		if (count->reasons[r] != 0)
			json_object_set_new(out, reasons[r].name, json_integer(count->reasons[r]));
	return out;
}

/* By number of the service. */
struct service_counts {
	struct daemon *daemon;
	const struct tables *tables;
	uint32_t n;
	struct {
		uint32_t n, kept;
	} * counts;
};

static bool
grow_counts(struct service_counts *c, uint32_t n)
{
	void *grown;

	if (c->counts != NULL && n <= c->n)
		return true;
	grown = realloc(c->counts, 2 * (size_t)n * sizeof(*c->counts));
	if (grown == NULL)
		return false;
	c->counts = grown;
	memset(&c->counts[c->n], 0, (2 * (size_t)n - c->n) * sizeof(*c->counts));
	c->n = 2 * n;
	return true;
}

static void
count_of_service(const struct nat_flow *x, void *arg)
{
	struct service_counts *c = arg;
	const struct tables *t = c->tables;
	const struct frontend *f =
		service_frontend(t->services, addr_hash(&x->frontend, x->frontend_port, x->proto),
			&x->frontend, x->frontend_port, x->proto);

	if (f == NULL || !grow_counts(c, f->service + 1))
		return;
	c->counts[f->service].n++;
	c->counts[f->service].kept +=
		exception_reason(t, endpoint_with(t->endpoints, &x->client), x) == EXCEPTION_MOVE;
}

static bool
is_service(const struct service_counts *c, uint32_t number, const json_t *service)
{
	const char *ns, *name;

	return service_builder_name(publisher_services(c->daemon->publisher), number, &ns, &name) &&
	       strcmp(ns, json_string_value(json_object_get(service, "namespace"))) == 0 &&
	       strcmp(name, json_string_value(json_object_get(service, "name"))) == 0;
}

void
exceptions_add_to_services(struct daemon *d, json_t *services)
{
	struct service_counts c = { .daemon = d, .tables = publisher_tables(d->publisher) };
	json_t *service;
	size_t i;

	if (c.tables != NULL)
		exceptions_each(d, count_of_service, &c);
	while (c.n != 0 && c.counts[c.n - 1].n == 0) /* as a rule there are few */
		c.n--;
	json_array_foreach (services, i, service) {
		json_int_t n = 0, kept = 0;

		for (uint32_t k = 0; k < c.n; k++)
			if (c.counts[k].n != 0 && is_service(&c, k, service)) {
				n = c.counts[k].n;
				kept = c.counts[k].kept;
			}
		json_object_set_new(service, "exceptions", json_integer(n));
		json_object_set_new(service, "kept", json_integer(kept));
	}
	free(c.counts);
}
