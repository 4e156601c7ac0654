/* What a change of the cluster costs the DNS zone: control's processor time from the change to the next version. */
#include "perf/bench.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/build/dns_build.h"
#include "dataplane/net/headers.h"
#include "perf/must.h"
#include "perf/output.h"
#include "perf/stats.h"

#define OBJECTS_MAX 65000
#define PER_SLICE 100 /* as Kubernetes has it */
#define NS "shop"
#define BIG "big" /* the headless one */

struct arguments {
	unsigned n_services, n_endpoints, n_changes;
	const char *json;
};

struct bench {
	struct arguments args;
	struct store *store;
	struct dns_builder *builder;
	struct dns_zone *zone;
	double first_ms, *endpoint_us, *service_us; /* these sorted */
};

static double
cpu_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- objects */

static void
put(const struct bench *b, struct object *object, enum object_kind kind, const char *ns, const char *name)
{
	*object = (struct object){ .kind = kind, .ns = strdup(ns), .name = strdup(name) };
	if (object->ns == NULL || object->name == NULL || store_put(b->store, object) < 0)
		abort();
}

static void
put_namespace(const struct bench *b)
{
	struct namespace_object *o = must_alloc(1, sizeof(*o));

	put(b, &o->object, OBJECT_NAMESPACE, "", NS);
}

/* version: another one has another address. */
static void
put_service(const struct bench *b, unsigned number, unsigned version)
{
	struct service_object *o = must_alloc(1, sizeof(*o));
	uint32_t addr = 0x0a600000 + 2 * number + version % 2;
	char name[16];

	snprintf(name, sizeof(name), "s%u", number);
	o->n_cluster_ips = 1;
	o->cluster_ips = must_alloc(1, sizeof(*o->cluster_ips));
	o->cluster_ips[0] = ip_addr_v4(be32_from(addr));
	o->n_ports = 1;
	o->ports = must_alloc(1, sizeof(*o->ports));
	o->ports[0] = (struct service_port){ .name = strdup("http"), .port = 80, .proto = PROTO_TCP };
	put(b, &o->object, OBJECT_SERVICE, NS, name);
}

static void
put_headless(const struct bench *b)
{
	struct service_object *o = must_alloc(1, sizeof(*o));

	o->headless = true;
	put(b, &o->object, OBJECT_SERVICE, NS, BIG);
}

static void
put_slice(const struct bench *b, unsigned number, unsigned unready)
{
	unsigned first = number * PER_SLICE, left = b->args.n_endpoints - first;
	struct slice_object *o = must_alloc(1, sizeof(*o));
	char name[16];

	snprintf(name, sizeof(name), "big-%u", number);
	o->service = strdup(BIG);
	o->family = 4;
	o->n_ports = 1;
	o->ports = must_alloc(1, sizeof(*o->ports));
	o->ports[0] = (struct slice_port){ strdup("http"), 8080, PROTO_TCP };
	o->n_endpoints = left < PER_SLICE ? left : PER_SLICE;
	o->endpoints = must_alloc(o->n_endpoints, sizeof(*o->endpoints));
	for (unsigned i = 0; i < o->n_endpoints; i++) {
		struct slice_endpoint *e = &o->endpoints[i];
		/* pods of a service are all over the cluster */
		uint32_t addr = 0x0af40000 + (first + i) * 2654435761u % 65536;

		e->n_addrs = 1;
		e->addrs = must_alloc(1, sizeof(*e->addrs));
		e->addrs[0] = ip_addr_v4(be32_from(addr));
		e->ready = e->serving = first + i != unready;
		e->node = strdup("");
		e->pod = strdup("");
	}
	put(b, &o->object, OBJECT_ENDPOINT_SLICE, NS, name);
}

static void
make_cluster(struct bench *b)
{
	b->store = store_new();
	if (b->store == NULL)
		abort();
	put_namespace(b);
	for (unsigned i = 0; i < b->args.n_services; i++)
		put_service(b, i, 0);
	put_headless(b);
	for (unsigned i = 0; i * PER_SLICE < b->args.n_endpoints; i++)
		put_slice(b, i, UINT32_MAX);
}

/* --- the run */

/* Processor time in us; below 0: there is no new version. */
static double
build(struct bench *b)
{
	double start = cpu_now_us(), took;
	struct dns_zone *next;

	if (dns_builder_build(b->builder, &next) < 0 || next == NULL)
		return -1;
	took = cpu_now_us() - start;
	dns_builder_release(b->builder, b->zone);
	b->zone = next;
	return took;
}

static bool
run(struct bench *b)
{
	const struct dns_build_config config = { .zone = DNS_ZONE_DEFAULT,
		.ttl_s = DNS_TTL_DEFAULT_S,
		.server_ns = "kube-system",
		.server = "kube-dns" };
	unsigned n = b->args.n_changes;

	if (dns_builder_new(&b->builder, b->store, &config) < 0)
		return false;
	b->first_ms = build(b) / 1e3;
	for (unsigned i = 0; i < n; i++) {
		/* away and back again */
		unsigned endpoint = i / 2 * 7919 % b->args.n_endpoints;

		put_slice(b, endpoint / PER_SLICE, i % 2 == 0 ? endpoint : UINT32_MAX);
		b->endpoint_us[i] = build(b);
		put_service(b, i / 2 * 7919 % b->args.n_services, 1 + i);
		b->service_us[i] = build(b);
		if (b->endpoint_us[i] < 0 || b->service_us[i] < 0) {
			fprintf(stderr, "change %u made no version\n", i);
			return false;
		}
	}
	median(b->endpoint_us, n); /* sorts */
	median(b->service_us, n);
	return true;
}

static void
print_table(const struct bench *b)
{
	unsigned n = b->args.n_changes;

	printf("zone-update: %u services, and a headless one of %u endpoints; control's processor time\n",
		b->args.n_services, b->args.n_endpoints);
	printf("  %-40s %10.1f\n", "first build, ms", b->first_ms);
	printf("  %-40s %10.3f\n", "one endpoint of the headless one, p50, ms", b->endpoint_us[n / 2] / 1e3);
	printf("  %-40s %10.3f\n", "p99, ms", b->endpoint_us[n * 99 / 100] / 1e3);
	printf("  %-40s %10.3f\n", "one other service, p50, ms", b->service_us[n / 2] / 1e3);
	printf("  %-40s %10.3f\n", "p99, ms", b->service_us[n * 99 / 100] / 1e3);
}

static bool
print_json(const struct bench *b)
{
	FILE *out = output_open(b->args.json);
	unsigned n = b->args.n_changes;

	if (out == NULL)
		return false;
	fprintf(out,
		"{\"mode\": \"zone-update\", \"first_build_ms\": %.2f, \"endpoint_p50_us\": %.1f, "
		"\"endpoint_p99_us\": "
		"%.1f, \"service_p50_us\": %.1f, \"service_p99_us\": %.1f, \"parameters\": {\"services\": "
		"%u, "
		"\"endpoints\": %u, \"changes\": %u}}\n",
		b->first_ms, b->endpoint_us[n / 2], b->endpoint_us[n * 99 / 100], b->service_us[n / 2],
		b->service_us[n * 99 / 100], b->args.n_services, b->args.n_endpoints, n);
	return output_close(out, b->args.json) == 0;
}

/* --- arguments */

enum {
	KEY_SERVICES = 256,
	KEY_ENDPOINTS,
	KEY_CHANGES,
	KEY_JSON,
};

static const struct argp_option options[] = {
	{ "services", KEY_SERVICES, "N", 0, "with a cluster address (default 10000)", 0 },
	{ "endpoints", KEY_ENDPOINTS, "N", 0, "of the headless service (default 5000)", 0 },
	{ "changes", KEY_CHANGES, "N", 0, "of each kind (default 1000)", 0 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case KEY_SERVICES:
		args->n_services = (unsigned)params_number(state, "services", arg, 1, OBJECTS_MAX);
		return 0;
	case KEY_ENDPOINTS:
		args->n_endpoints = (unsigned)params_number(state, "endpoints", arg, 1, OBJECTS_MAX);
		return 0;
	case KEY_CHANGES:
		args->n_changes = (unsigned)params_number(state, "changes", arg, 1, OBJECTS_MAX);
		return 0;
	case KEY_JSON:
		args->json = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int
bench_zone_update(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"One changed endpoint or service: the DNS zone's next version.", NULL, NULL, NULL };
	struct bench b = { .args = { .n_services = 10000, .n_endpoints = 5000, .n_changes = 1000 } };
	bool ok;

	argp_parse(&argp, argc, argv, 0, NULL, &b.args);
	make_cluster(&b);
	b.endpoint_us = must_alloc(b.args.n_changes, sizeof(*b.endpoint_us));
	b.service_us = must_alloc(b.args.n_changes, sizeof(*b.service_us));
	ok = run(&b);
	if (ok && output_has_table(b.args.json))
		print_table(&b);
	if (ok && b.args.json != NULL)
		ok = print_json(&b);
	if (b.zone != NULL)
		dns_builder_release(b.builder, b.zone);
	dns_builder_free(b.builder);
	store_free(b.store);
	free(b.endpoint_us);
	free(b.service_us);
	return ok ? 0 : 1;
}
