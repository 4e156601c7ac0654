#include "control/admin/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/admin/metrics_text.h"
#include "control/admin/version.h"

#define POLICIES_LABEL_SIZE 256

static void
print_counters(FILE *f, const struct view *v)
{
	for (enum counter c = 0; c < N_COUNTERS; c++) {
		char name[96];

		snprintf(name, sizeof(name), "%s_total", counter_label(c));
		metrics_family(f, name, "counter", counter_help(c));
		for (unsigned i = 0; i < v->n_workers; i++)
			fprintf(f, "ringway_%s{worker=\"%u\"} %lu\n", name, v->workers[i].id,
				v->workers[i].counters.counts[c]);
	}
}

static void
print_verdicts(FILE *f, const struct view *v)
{
	metrics_family(f, "packets_total", "counter",
		"packets by how their journey ended; crossed ones are counted again by the worker that goes "
		"on with them");
	for (unsigned i = 0; i < v->n_workers; i++)
		for (enum verdict verdict = VERDICT_FORWARD; verdict < N_VERDICTS; verdict++)
			fprintf(f, "ringway_packets_total{worker=\"%u\",verdict=\"%s\"} %lu\n",
				v->workers[i].id, verdict_label(verdict),
				v->workers[i].counters.verdicts[verdict]);
}

static void
print_drops(FILE *f, const struct view *v)
{
	metrics_family(f, "drops_total", "counter",
		"packets dropped, by reason; `ringway drops --all` says what each means");
	for (unsigned i = 0; i < v->n_workers; i++)
		for (enum drop_reason reason = DROP_NONE + 1; reason < N_DROP_REASONS; reason++)
			fprintf(f, "ringway_drops_total{worker=\"%u\",reason=\"%s\"} %lu\n", v->workers[i].id,
				drop_reason_label(reason), v->workers[i].counters.drops[reason]);
}

static void
print_workers(FILE *f, const struct view *v)
{
	metrics_family(f, "worker_up", "gauge", "1 while the worker makes progress");
	for (unsigned i = 0; i < v->n_workers; i++)
		fprintf(f, "ringway_worker_up{worker=\"%u\"} %d\n", v->workers[i].id, v->workers[i].is_alive);
	metrics_family(f, "worker_cpu_seconds_total", "counter", "processor time that the worker used");
	for (unsigned i = 0; i < v->n_workers; i++)
		fprintf(f, "ringway_worker_cpu_seconds_total{worker=\"%u\"} %.6f\n", v->workers[i].id,
			v->workers[i].cpu_s);
	metrics_family(f, "worker_ports", "gauge", "ports that the worker polls");
	for (unsigned i = 0; i < v->n_workers; i++)
		fprintf(f, "ringway_worker_ports{worker=\"%u\"} %u\n", v->workers[i].id,
			v->workers[i].n_ports);
}

static void
port_labels(FILE *f, const struct port_view *p)
{
	fprintf(f, "port=\"%u\",worker=\"%u\",kind=\"%s\",", p->id, p->worker, port_kind_name(p->kind));
	metrics_label(f, "namespace", p->ns);
	fputc(',', f);
	metrics_label(f, "pod", p->name);
}

static void
print_port_family(FILE *f, const struct view *v, const char *name, const char *help, size_t offset)
{
	metrics_family(f, name, "counter", help);
	for (unsigned i = 0; i < v->n_ports; i++) {
		const uint64_t *value = (const uint64_t *)((const char *)&v->ports[i].stats + offset);

		fprintf(f, "ringway_%s{", name);
		port_labels(f, &v->ports[i]);
		fprintf(f, "} %lu\n", *value);
	}
}

/* Only reasons that a port has: most have none, and 250 pods would make 10,000 lines of zeros. */
static void
print_port_drops(FILE *f, const struct view *v)
{
	metrics_family(f, "port_drops_total", "counter",
		"packets received from the port and dropped, by reason; none: no sample");
	for (unsigned i = 0; i < v->n_ports; i++)
		for (enum drop_reason reason = DROP_NONE + 1; reason < N_DROP_REASONS; reason++) {
			if (v->ports[i].stats.drops[reason] == 0)
				continue;
			fprintf(f, "ringway_port_drops_total{");
			port_labels(f, &v->ports[i]);
			fprintf(f, ",reason=\"%s\"} %lu\n", drop_reason_label(reason),
				v->ports[i].stats.drops[reason]);
		}
}

static void
print_kernel_drops(FILE *f, const struct view *v)
{
	metrics_family(f, "port_kernel_drops_total", "counter",
		"packets that the kernel lost before our socket, by cause; none: no sample");
	for (unsigned i = 0; i < v->n_ports; i++)
		for (enum kernel_drop cause = 0; cause < N_KERNEL_DROPS; cause++) {
			if (v->ports[i].kernel.counts[cause] == 0)
				continue;
			fprintf(f, "ringway_port_kernel_drops_total{");
			port_labels(f, &v->ports[i]);
			fprintf(f, ",cause=\"%s\"} %lu\n", kernel_drop_label(cause),
				v->ports[i].kernel.counts[cause]);
		}
}

static void
print_ports(FILE *f, const struct view *v)
{
	print_port_family(f, v, "port_rx_packets_total", "packets received from the port, so sent by the pod",
		offsetof(struct port_stats, rx_packets));
	print_port_family(f, v, "port_rx_bytes_total", "bytes received from the port",
		offsetof(struct port_stats, rx_bytes));
	print_port_family(f, v, "port_tx_packets_total", "packets sent to the port, so received by the pod",
		offsetof(struct port_stats, tx_packets));
	print_port_family(
		f, v, "port_tx_bytes_total", "bytes sent to the port", offsetof(struct port_stats, tx_bytes));
	print_port_drops(f, v);
	print_kernel_drops(f, v);
}

/* As far as it tells sets of policies apart without being long. Sets have an order, so those that it does not follow one
 * another. */
static void
print_policies_label(char out[static POLICIES_LABEL_SIZE], const char *policies)
{
	size_t len = strlen(policies);

	snprintf(out, POLICIES_LABEL_SIZE, "%s", policies);
	if (len < POLICIES_LABEL_SIZE)
		return;
	for (len = POLICIES_LABEL_SIZE - 5; len > 0 && out[len] != ','; len--)
		;
	snprintf(out + len, POLICIES_LABEL_SIZE - len, ", ...");
}

static void
print_denials(FILE *f, const struct view *v)
{
	metrics_family(f, "policy_denied_packets_total", "counter",
		"packets that no rule of the policies allowed which isolate their pods, since these policies "
		"are as "
		"they are; in audit they passed; none: no sample");
	for (size_t i = 0; i < v->n_denials;) {
		const struct denial_view *d = &v->denials[i];
		char label[POLICIES_LABEL_SIZE], next[POLICIES_LABEL_SIZE];
		uint64_t n = 0;

		print_policies_label(label, d->policies);
		for (; i < v->n_denials && v->denials[i].is_egress == d->is_egress &&
			v->denials[i].is_audit == d->is_audit;
			i++) {
			print_policies_label(next, v->denials[i].policies);
			if (strcmp(label, next) != 0)
				break;
			n += v->denials[i].packets;
		}
		if (n == 0)
			continue;
		fprintf(f, "ringway_policy_denied_packets_total{direction=\"%s\",audit=\"%d\",",
			d->is_egress ? "egress" : "ingress", d->is_audit);
		metrics_label(f, "policies", label);
		fprintf(f, "} %lu\n", n);
	}
}

static void
print_control(FILE *f, const struct view *v)
{
	metrics_family(f, "info", "gauge", "1, with version and node");
	fprintf(f, "ringway_info{version=\"" RINGWAY_VERSION "\",");
	metrics_label(f, "node", v->node);
	fprintf(f, "} 1\n");
	metrics_gauge(f, "ready", "1 when pods can be attached and packets flow", v->is_ready);
	metrics_gauge(f, "uptime_seconds", "since the daemon started", v->uptime_s);
	metrics_gauge(f, "tables_version", "of the tables in force; 0: none yet", (double)v->tables_version);
	metrics_gauge(f, "tables_age_seconds", "since they were published", v->tables_age_s);
	metrics_gauge(f, "source_errors", "errors in what describes the cluster, in force now",
		(double)v->n_source_errors);
	metrics_gauge(f, "build_errors", "tables that could not be built; the former ones stay in force",
		(double)v->n_build_errors);
	metrics_gauge(f, "policy_audit", "1 while policy.mode is audit, so that NetworkPolicies drop nothing",
		v->policy_mode == POLICY_MODE_AUDIT);
	metrics_gauge(f, "policy_audit_namespaces",
		"namespaces whose annotation says audit, so that policies drop nothing there",
		(double)v->n_audit_namespaces);
	metrics_family(f, "objects", "gauge", "objects of the cluster that are known");
	for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
		fprintf(f, "ringway_objects{kind=\"%s\"} %zu\n", object_kind_name(kind), v->n_objects[kind]);
	metrics_gauge(f, "unmanaged_pods", "pods of this node that another network attached",
		(double)v->n_unmanaged);
	if (v->has_cni_conf) {
		metrics_gauge(f, "cni_conf_first",
			"1 while the container runtime takes Ringway's network configuration",
			v->is_cni_conf_first);
		metrics_family(f, "cni_conf_restored_total", "counter",
			"times that it or ringway-cni was removed or changed by others, and put back");
		fprintf(f, "ringway_cni_conf_restored_total %u\n", v->n_cni_conf_restored);
	}
	metrics_family(f, "addresses", "gauge", "addresses for pods");
	for (unsigned i = 0; i < N_FAMILIES; i++)
		if (v->ranges[i].size != 0)
			fprintf(f, "ringway_addresses{cidr=\"%s\"} %u\n", v->ranges[i].cidr,
				v->ranges[i].size);
	metrics_family(f, "addresses_used", "gauge", "of them, those that pods have");
	for (unsigned i = 0; i < N_FAMILIES; i++)
		if (v->ranges[i].size != 0)
			fprintf(f, "ringway_addresses_used{cidr=\"%s\"} %u\n", v->ranges[i].cidr,
				v->ranges[i].used);
}

struct watch_family {
	const char *name, *type, *help;
	double (*value)(const struct watch_view *w);
};

static double
is_synced(const struct watch_view *w)
{
	return w->is_synced;
}

static double
problem_s(const struct watch_view *w)
{
	return *w->problem == '\0' ? 0 : w->problem_s + 1;
}

static double
event_age_s(const struct watch_view *w)
{
	return w->event_age_s;
}

static double
n_lists(const struct watch_view *w)
{
	return (double)w->n_lists;
}

static double
n_restarts(const struct watch_view *w)
{
	return (double)w->n_restarts;
}

static double
n_bytes(const struct watch_view *w)
{
	return (double)w->n_bytes;
}

/* Of an API server, by kind of object. */
static void
print_watches(FILE *f, const struct view *v)
{
	static const struct watch_family families[] = {
		{ "api_synced", "gauge", "1 when all objects of the kind were listed by the API server once",
			is_synced },
		{ "api_problem_seconds", "gauge",
			"for how long changes of the kind have not come, and one second more; 0: they do",
			problem_s },
		{ "api_event_age_seconds", "gauge",
			"since the last event, bookmarks included; -1: there was none", event_age_s },
		{ "api_lists_total", "counter", "lists that were begun", n_lists },
		{ "api_restarts_total", "counter", "requests that failed or were cut", n_restarts },
		{ "api_bytes_total", "counter", "bytes of answers", n_bytes },
	};

	if (v->n_watches != 0)
		metrics_gauge(f, "api_all_pods",
			"1 while pods of all nodes are watched, since a policy here has pods as peers; 0: "
			"this node's",
			v->has_all_pods);
	for (size_t k = 0; k < sizeof(families) / sizeof(families[0]) && v->n_watches != 0; k++) {
		metrics_family(f, families[k].name, families[k].type, families[k].help);
		for (unsigned i = 0; i < v->n_watches; i++)
			fprintf(f, "ringway_%s{kind=\"%s\"} %.15g\n", families[k].name, v->watches[i].kind,
				families[k].value(&v->watches[i]));
	}
}

static void
print_writes(FILE *f, const struct view *v)
{
	if (v->n_writes == 0)
		return;
	metrics_family(f, "api_writes_total", "counter",
		"requests that write to the API server, by what was written and how it ended; stale: it was "
		"there already, or of another version, and is looked at again");
	for (unsigned i = 0; i < v->n_writes; i++) {
		const struct write_view *w = &v->writes[i];

		fprintf(f,
			"ringway_api_writes_total{kind=\"%s\",result=\"done\"} %lu\n"
			"ringway_api_writes_total{kind=\"%s\",result=\"stale\"} %lu\n"
			"ringway_api_writes_total{kind=\"%s\",result=\"failed\"} %lu\n",
			w->kind, w->n_done, w->kind, w->n_stale, w->kind, w->n_failed);
	}
	metrics_family(f, "api_write_problem_seconds", "gauge",
		"for how long what is written has been failing, and one second more; 0: it does not");
	for (unsigned i = 0; i < v->n_writes; i++)
		fprintf(f, "ringway_api_write_problem_seconds{kind=\"%s\"} %.15g\n", v->writes[i].kind,
			*v->writes[i].problem == '\0' ? 0 : v->writes[i].problem_s + 1);
	metrics_family(f, "events_lost_total", "counter",
		"events for the API server for which there was no room, or that it refused");
	fprintf(f, "ringway_events_lost_total %lu\n", v->n_events_lost);
}

char *
metrics_text(const struct view *v)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	print_control(f, v);
	print_watches(f, v);
	print_writes(f, v);
	print_workers(f, v);
	print_verdicts(f, v);
	print_drops(f, v);
	print_denials(f, v);
	print_counters(f, v);
	print_ports(f, v);
	if (v->dns != NULL)
		metrics_print_dns(f, v->dns);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
