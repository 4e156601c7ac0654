/* From the daemon's parts to struct view. */
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/admin/view.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/follow.h"
#include "control/node/attach.h"
#include "control/node/cni_conf.h"
#include "control/node/ipam.h"
#include "control/node/underlay.h"
#include "control/report/event_book.h"
#include "control/source/api/api_source.h"
#include "control/source/source.h"
#include "dataplane/clock.h"
#include "dataplane/engine.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/worker.h"

/* A worker wakes up at least this often, and marks the time. */
#define ALIVE_NS (2 * UINT64_C(1000000000))

static double
thread_cpu_s(const struct worker *w)
{
	struct timespec used;
	clockid_t clock;

	if (!w->is_running || pthread_getcpuclockid(w->thread, &clock) != 0 ||
		clock_gettime(clock, &used) != 0)
		return 0;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void
gather_greedy(const struct nat_flows *e, uint64_t now_ns, struct ip_addr *who, double *ago_s)
{
	uint64_t when_ns;

	if (nat_flows_refused(e, who, &when_ns))
		*ago_s = when_ns < now_ns ? (double)(now_ns - when_ns) / 1e9 : 0;
}

static void
gather_worker(const struct worker *w, uint64_t now_ns, struct worker_view *out)
{
	uint64_t marked_ns = __atomic_load_n(&w->now_ns, __ATOMIC_RELAXED);

	*out = (struct worker_view){
		.id = w->id,
		.cpu = w->cpu,
		.is_alive = w->is_running && (marked_ns > now_ns || now_ns - marked_ns < ALIVE_NS),
		.n_ports = w->n_active,
		.cpu_s = thread_cpu_s(w),
	};
	counters_read(&w->counters, &out->counters);
	gather_greedy(w->inbound, now_ns, &out->greedy_client, &out->greedy_client_s);
	gather_greedy(w->outbound, now_ns, &out->greedy_pod, &out->greedy_pod_s);
}

static void
gather_stats(const struct port_stats *from, struct port_stats *to)
{
	const uint64_t *source = (const uint64_t *)from;
	uint64_t *target = (uint64_t *)to;

	for (size_t i = 0; i < sizeof(*from) / sizeof(*source); i++)
		target[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
}

static void
gather_ports(const struct worker *w, struct view *v)
{
	static const enum port_kind kinds[] = {
		[ORIGIN_POD] = PORT_KIND_POD,
		[ORIGIN_HOST] = PORT_KIND_HOST,
		[ORIGIN_UPLINK] = PORT_KIND_UPLINK,
	};

	/* which ports a worker has changes only at this thread's request */
	for (unsigned i = 0; i < w->n_active; i++) {
		const struct port *port = w->ports[w->active[i]];
		struct port_view *p = &v->ports[v->n_ports++];

		*p = (struct port_view){ .id = port->id,
			.kind = kinds[port->origin],
			.worker = w->id,
			.ns = "",
			.name = "",
			.link = "" };
		gather_stats(&port->stats, &p->stats);
		engine_port_drops(port, &p->kernel);
	}
}

static int
compare_ports(const void *a, const void *b)
{
	return (int)((const struct port_view *)a)->id - (int)((const struct port_view *)b)->id;
}

static void
name_port(const struct attached *pod, void *arg)
{
	struct view *v = arg;

	for (unsigned i = 0; pod->port != NULL && i < v->n_ports; i++)
		if (v->ports[i].id == pod->port->id) {
			v->ports[i].ns = pod->record.pod_ns;
			v->ports[i].name = pod->record.pod;
			v->ports[i].link = pod->record.link;
		}
}

static void
gather_range(const struct ipam *ipam, enum family_index family, struct address_range_view *out)
{
	const struct ip_prefix *range = ipam_range(ipam, family);
	struct ipam_counts counts = ipam_count(ipam, family);

	if (range == NULL)
		return;
	ip_prefix_format(range, out->cidr);
	out->size = counts.total;
	out->used = counts.used;
}

/* How a program is attached to an interface, whoever did it. */
static const char *
xdp_mode_of(unsigned ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (ifindex == 0 || bpf_xdp_query((int)ifindex, 0, &query) != 0)
		return "";
	switch (query.attach_mode) {
	case XDP_ATTACHED_DRV:
		return "native";
	case XDP_ATTACHED_SKB:
		return "skb";
	case XDP_ATTACHED_HW:
		return "hardware";
	case XDP_ATTACHED_MULTI:
		return "several";
	default:
		return "";
	}
}

static void
gather_uplink(const struct underlay_facts *facts, struct uplink_view *out)
{
	*out = (struct uplink_view){
		.interface = facts->name,
		.is_up = facts->is_up,
		.mtu = facts->mtu,
		.mac = facts->mac,
		.xdp = xdp_mode_of(facts->ifindex),
	};
}

static void
gather_tables(const struct publisher *p, uint64_t now_ns, struct view *v)
{
	struct publisher_status status = publisher_status(p);

	v->tables_version = status.version;
	v->tables_age_s = status.version == 0 ? 0 : (double)(now_ns - status.published_ns) / 1e9;
	v->n_build_errors = status.error[0] != '\0';
	snprintf(v->build_error, sizeof(v->build_error), "%s", status.error);
}

static void
gather_watch(const struct daemon *d, unsigned i, uint64_t now_ns, struct watch_view *out)
{
	const struct api_watch_status *status = api_source_status(d->api_source, i);

	*out = (struct watch_view){
		.kind = object_kind_name(api_kinds[i].kind),
		.state = api_watch_state_name(status->state),
		.is_synced = status->is_synced,
		.n_objects = store_count(d->store, api_kinds[i].kind),
		.resource_version = status->resource_version,
		.problem = status->reason,
		.problem_s = status->since_s == 0 ? 0 : difftime(time(NULL), status->since_s),
		.event_age_s = status->event_ns == 0 ? -1 : (double)(now_ns - status->event_ns) / 1e9,
		.n_lists = status->n_lists,
		.n_restarts = status->n_restarts,
		.n_bytes = status->n_bytes,
	};
}

static void
gather_writes(const struct daemon *d, struct view *v)
{
	const struct api_writer *writer = api_source_writer(d->api_source);

	for (unsigned i = 0; i < N_API_WRITES; i++) {
		const struct api_write_status *status = api_writer_status(writer, (enum api_write_kind)i);

		v->writes[v->n_writes++] = (struct write_view){
			.kind = api_write_rights[i].name,
			.what = api_write_rights[i].what,
			.n_done = status->n_done,
			.n_stale = status->n_stale,
			.n_failed = status->n_failed,
			.problem = status->reason,
			.problem_s = status->since_s == 0 ? 0 : difftime(time(NULL), status->since_s),
		};
	}
	v->n_events_lost = d->event_book == NULL ? 0 : event_book_n_lost(d->event_book);
}

static void
gather_source(const struct daemon *d, uint64_t now_ns, struct view *v)
{
	int64_t saved_s;

	v->n_source_errors = source_n_problems(d);
	v->saved_s = -1;
	v->api_server = "";
	if (d->api_source == NULL)
		return;
	v->api_server = api_source_server(d->api_source);
	v->awaits_source = publisher_is_held(d->publisher);
	saved_s = api_source_saved_s(d->api_source);
	if (saved_s != 0) /* by a clock that may have been ahead of this one */
		v->saved_s = time(NULL) > saved_s ? difftime(time(NULL), saved_s) : 0;
	v->has_all_pods = api_source_has_all_pods(d->api_source);
	for (unsigned i = 0; i < N_API_KINDS; i++)
		gather_watch(d, i, now_ns, &v->watches[v->n_watches++]);
	gather_writes(d, v);
}

/* Before it has listed everything once nothing else is begun. */
static bool
judge_source(struct view *v)
{
	for (unsigned i = 0; i < v->n_watches && v->awaits_source; i++) {
		const struct watch_view *w = &v->watches[i];

		if (w->is_synced || api_kinds[i].is_optional)
			continue;
		snprintf(v->not_ready, sizeof(v->not_ready), "%.120s has not told all of kind %s yet%s%.150s",
			v->api_server, w->kind, *w->problem == '\0' ? "" : ": ", w->problem);
		return false;
	}
	return true;
}

/* The first thing that is missing, in the order in which it comes about; with a word for it. */
static const char *
find_missing(const struct daemon *d, struct view *v)
{
	const char *attach = attach_not_ready(d->attach), *uplink = follow_warning(d->follow, 0);
	bool needs_uplink = v->n_objects[OBJECT_NODE] > 1 || *d->config.uplink.interface != '\0';

	if (!judge_source(v))
		return "NotSynced";
	for (unsigned i = 0; i < v->n_workers; i++)
		if (!v->workers[i].is_alive) {
			snprintf(v->not_ready, sizeof(v->not_ready), "worker %u makes no progress",
				v->workers[i].id);
			return "WorkerStuck";
		}
	if (attach != NULL) {
		snprintf(v->not_ready, sizeof(v->not_ready), "%s", attach);
		return "CannotAttach";
	}
	if (needs_uplink && *v->uplink.interface == '\0') {
		snprintf(v->not_ready, sizeof(v->not_ready),
			"there is no uplink: no interface has this node's address");
		return "NoUplink";
	}
	if (needs_uplink && !v->uplink.is_up) {
		snprintf(v->not_ready, sizeof(v->not_ready), "the uplink %s is down", v->uplink.interface);
		return "UplinkDown";
	}
	if (needs_uplink && uplink[0] != '\0') {
		snprintf(v->not_ready, sizeof(v->not_ready), "%s", uplink);
		return "UplinkTrouble";
	}
	if (v->tables_version == 0) {
		snprintf(v->not_ready, sizeof(v->not_ready), "no tables are in force yet%s%s",
			*v->build_error == '\0' ? "" : ": ", v->build_error);
		return "NoTables";
	}
	return "Ready";
}

static void
judge_readiness(const struct daemon *d, struct view *v)
{
	v->not_ready_word = find_missing(d, v);
	v->is_ready = v->not_ready[0] == '\0';
}

static void
gather_cni_conf(const struct cni_conf *c, struct view *v)
{
	v->has_cni_conf = cni_conf_is_managed(c);
	if (!v->has_cni_conf)
		return;
	v->is_cni_conf_first = cni_conf_trouble(c) == NULL;
	v->n_cni_conf_restored = cni_conf_restored(c);
}

static void
count_pod(const struct attached *pod, void *arg)
{
	(void)pod;
	++*(size_t *)arg;
}

static void
count_audit(const struct object *object, void *arg)
{
	const struct namespace_object *o = (const struct namespace_object *)object;

	*(size_t *)arg += o->has_policy_mode && o->policy_mode == POLICY_MODE_AUDIT;
}

struct view *
view_new(struct daemon *d)
{
	unsigned n_workers = engine_n_workers(d->engine), n_ports = 0;
	uint64_t now_ns = clock_now_ns();
	struct view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	for (unsigned i = 0; i < n_workers; i++)
		n_ports += engine_worker(d->engine, i)->n_active;
	v->workers = calloc(n_workers + 1, sizeof(*v->workers));
	v->ports = calloc(n_ports + 1, sizeof(*v->ports));
	if (v->workers == NULL || v->ports == NULL) {
		view_free(v);
		return NULL;
	}
	v->node = d->config.node.name;
	v->uptime_s = (double)(now_ns - d->started_ns) / 1e9;
	for (unsigned i = 0; i < n_workers; i++) {
		gather_worker(engine_worker(d->engine, i), now_ns, &v->workers[v->n_workers++]);
		gather_ports(engine_worker(d->engine, i), v);
	}
	qsort(v->ports, v->n_ports, sizeof(*v->ports), compare_ports);
	attach_each(d->attach, name_port, v);
	for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
		v->n_objects[kind] = store_count(d->store, kind);
	for (enum family_index family = V4; family < N_FAMILIES; family++)
		gather_range(d->ipam, family, &v->ranges[family]);
	attach_each(d->attach, count_pod, &v->n_pods);
	gather_source(d, now_ns, v);
	v->policy_mode = (enum policy_mode)d->config.policy.mode;
	store_each(d->store, OBJECT_NAMESPACE, count_audit, &v->n_audit_namespaces);
	gather_tables(d->publisher, now_ns, v);
	gather_uplink(underlay_facts(d->underlay), &v->uplink);
	gather_cni_conf(d->cni_conf, v);
	judge_readiness(d, v);
	if (view_gather_denials(v, publisher_policies(d->publisher)))
		return v;
	view_free(v);
	return NULL;
}
