/* Metrics of DNS. What is per pod is only of pods that are here, and only what they have: of most there are two or three sources. */
#include "control/admin/dns_view.h"
#include "control/admin/metrics_text.h"

/* Whose figures: of the whole node when pod is NULL. */
struct owner {
	const struct dns_book_pod *pod;
	const char *source; /* NULL: of all */
};

/* The label pairs, with what is put behind them; in braces. */
static void
labels(FILE *f, const struct owner *o, const char *le)
{
	const char *comma = "";

	fputc('{', f);
	if (o->pod != NULL) {
		fprintf(f, "port=\"%u\",", o->pod->port);
		metrics_label(f, "namespace", o->pod->ns);
		fputc(',', f);
		metrics_label(f, "pod", o->pod->is_host ? "host" : o->pod->name);
		comma = ",";
	}
	if (o->source != NULL) {
		fprintf(f, "%ssource=\"%s\"", comma, o->source);
		comma = ",";
	}
	if (le != NULL)
		fprintf(f, "%sle=\"%s\"", comma, le);
	fputc('}', f);
}

static void
print_count(FILE *f, const char *name, const struct owner *o, uint64_t n)
{
	fprintf(f, "ringway_%s", name);
	if (o->pod != NULL || o->source != NULL)
		labels(f, o, NULL);
	fprintf(f, " %lu\n", n);
}

/* Buckets are cumulative in this format. */
static void
print_histogram(FILE *f, const char *name, const struct owner *o, const struct dns_latency *l)
{
	char le[32], part[64];
	uint64_t n = 0;

	for (unsigned i = 0; i <= DNS_LATENCY_BOUNDS; i++) {
		n += l->sums.buckets[i];
		snprintf(le, sizeof(le), "%g", i < DNS_LATENCY_BOUNDS ? dns_latency_bounds[i] : 0);
		fprintf(f, "ringway_%s_bucket", name);
		labels(f, o, i < DNS_LATENCY_BOUNDS ? le : "+Inf");
		fprintf(f, " %lu\n", n);
	}
	snprintf(part, sizeof(part), "%s_count", name);
	print_count(f, part, o, n);
	fprintf(f, "ringway_%s_sum", name);
	if (o->pod != NULL || o->source != NULL)
		labels(f, o, NULL);
	fprintf(f, " %.9g\n", (double)l->sums.sum_ns / 1e9);
}

/* --- of the node */

static void
print_node(FILE *f, const struct dns_view *v)
{
	const struct dns_book_figures *total = dns_book_total(v->book);

	metrics_gauge(f, "dns_answers", "1 when dns.mode is on", v->is_on);
	metrics_gauge(f, "dns_shadow", "1 when dns.mode is shadow", v->is_shadow);
	metrics_gauge(f, "dns_zone_names", "names that are answered from the cluster's objects; 0: none yet",
		(double)v->zone_names);
	metrics_family(f, "dns_queries_total", "counter",
		"queries, by where the answer came from; `ringway dns --help` says what each means");
	for (enum dns_source i = 0; i < N_DNS_SOURCES; i++)
		print_count(f, "dns_queries_total", &(struct owner){ NULL, dns_source_label(i) },
			total->counts.by_source[i]);
	metrics_family(f, "dns_nxdomain_total", "counter", "of them, answered with NXDOMAIN");
	print_count(f, "dns_nxdomain_total", &(struct owner){ 0 }, total->counts.nxdomain);
	metrics_family(f, "dns_completed_total", "counter",
		"of them, answered with an alias of a name further along the search list "
		"(dns.searchCompletion)");
	print_count(f, "dns_completed_total", &(struct owner){ 0 }, total->counts.completed);
	metrics_family(f, "dns_wasted_total", "counter",
		"of them, tries along a search list that had to go on; an estimate under load");
	print_count(f, "dns_wasted_total", &(struct owner){ 0 }, total->wasted);
	metrics_family(f, "dns_latency_seconds", "histogram",
		"from a query to its answer, by where that came from; an estimate under load");
	for (enum dns_source i = 0; i < N_DNS_SOURCES; i++)
		print_histogram(f, "dns_latency_seconds", &(struct owner){ NULL, dns_source_label(i) },
			dns_book_latency(v->book, i));
	metrics_family(f, "dns_first_to_final_seconds", "histogram",
		"from the first query of a look-up along a search list to its final answer");
	print_histogram(f, "dns_first_to_final_seconds", &(struct owner){ 0 }, dns_book_final(v->book));
}

/* --- of pods */

static void
print_pod_queries(FILE *f, const struct dns_view *v)
{
	metrics_family(f, "dns_pod_queries_total", "counter",
		"queries of a pod or the host's stack, by where the answer came from; none: no sample");
	for (size_t i = 0; i < v->n_pods; i++)
		for (enum dns_source k = 0; k < N_DNS_SOURCES && !v->pods[i].is_gone; k++)
			if (v->pods[i].total.counts.by_source[k] != 0)
				print_count(f, "dns_pod_queries_total",
					&(struct owner){ &v->pods[i], dns_source_label(k) },
					v->pods[i].total.counts.by_source[k]);
}

static void
print_pod_figures(FILE *f, const struct dns_view *v)
{
	metrics_family(f, "dns_pod_nxdomain_total", "counter", "of them, answered with NXDOMAIN");
	for (size_t i = 0; i < v->n_pods; i++)
		if (!v->pods[i].is_gone)
			print_count(f, "dns_pod_nxdomain_total", &(struct owner){ &v->pods[i], NULL },
				v->pods[i].total.counts.nxdomain);
	metrics_family(f, "dns_pod_completed_total", "counter",
		"of them, answered with an alias of a name further along the search list");
	for (size_t i = 0; i < v->n_pods; i++)
		if (!v->pods[i].is_gone)
			print_count(f, "dns_pod_completed_total", &(struct owner){ &v->pods[i], NULL },
				v->pods[i].total.counts.completed);
	metrics_family(f, "dns_pod_wasted_total", "counter",
		"of them, tries along a search list that had to go on; an estimate under load");
	for (size_t i = 0; i < v->n_pods; i++)
		if (!v->pods[i].is_gone)
			print_count(f, "dns_pod_wasted_total", &(struct owner){ &v->pods[i], NULL },
				v->pods[i].total.wasted);
}

static void
print_pod_latencies(FILE *f, const struct dns_view *v)
{
	metrics_family(f, "dns_pod_latency_seconds", "histogram",
		"from a pod's query to its answer, by where that came from; none: no sample");
	for (size_t i = 0; i < v->n_pods; i++)
		for (enum dns_source k = 0; k < N_DNS_SOURCES && !v->pods[i].is_gone; k++)
			if (v->pods[i].latency[k].sums.n != 0)
				print_histogram(f, "dns_pod_latency_seconds",
					&(struct owner){ &v->pods[i], dns_source_label(k) },
					&v->pods[i].latency[k]);
	metrics_family(f, "dns_pod_first_to_final_seconds", "histogram",
		"from the first query of a pod's look-up along its search list to its final answer");
	for (size_t i = 0; i < v->n_pods; i++)
		if (!v->pods[i].is_gone && v->pods[i].final->sums.n != 0)
			print_histogram(f, "dns_pod_first_to_final_seconds",
				&(struct owner){ &v->pods[i], NULL }, v->pods[i].final);
}

/* --- of what is behind the zone */

static void
print_cache(FILE *f, const struct dns_cache_view *c)
{
	metrics_gauge(
		f, "dns_cache_memory_bytes", "of the cache, allocated at the start", (double)c->memory_bytes);
	metrics_gauge(f, "dns_cache_bytes", "of entries that can be found in it", (double)c->entry_bytes);
	metrics_family(f, "dns_cache_entries", "gauge",
		"that can be found; negative: that a name or its data does not exist");
	fprintf(f, "ringway_dns_cache_entries{kind=\"positive\"} %lu\n", c->n_entries - c->n_negatives);
	fprintf(f, "ringway_dns_cache_entries{kind=\"negative\"} %lu\n", c->n_negatives);
	metrics_family(f, "dns_cache_puts_total", "counter", "times an answer came into the cache");
	fprintf(f, "ringway_dns_cache_puts_total %lu\n", c->n_put);
	metrics_family(f, "dns_cache_evictions_total", "counter", "times one was forgotten to make room");
	fprintf(f, "ringway_dns_cache_evictions_total %lu\n", c->n_evicted);
	metrics_family(f, "dns_cache_refused_total", "counter", "times there was no room for one");
	fprintf(f, "ringway_dns_cache_refused_total %lu\n", c->n_refused);
}

struct upstream_family {
	const char *name, *type, *help;
	double (*value)(const struct dns_upstream_view *up);
};

static double
is_up(const struct dns_upstream_view *up)
{
	return up->failing_s == 0;
}

static double
rtt_s(const struct dns_upstream_view *up)
{
	return up->rtt_ms / 1000;
}

static double
n_tries(const struct dns_upstream_view *up)
{
	return (double)up->n_tries;
}

static double
n_timeouts(const struct dns_upstream_view *up)
{
	return (double)up->n_timeouts;
}

static double
n_refusals(const struct dns_upstream_view *up)
{
	return (double)up->n_refusals;
}

static void
print_upstreams(FILE *f, const struct dns_view *v)
{
	static const struct upstream_family families[] = {
		{ "dns_upstream_up", "gauge", "0 while the server does not answer", is_up },
		{ "dns_upstream_rtt_seconds", "gauge", "its usual round trip; 0: not known", rtt_s },
		{ "dns_upstream_tries_total", "counter", "queries sent to it", n_tries },
		{ "dns_upstream_timeouts_total", "counter", "of them, those without an answer in time",
			n_timeouts },
		{ "dns_upstream_refusals_total", "counter", "and those that it could not or would not answer",
			n_refusals },
	};
	char addr[IP_ADDR_STRLEN];

	for (size_t k = 0; k < sizeof(families) / sizeof(families[0]) && v->n_upstreams != 0; k++) {
		metrics_family(f, families[k].name, families[k].type, families[k].help);
		for (unsigned i = 0; i < v->n_upstreams; i++) {
			const struct dns_upstream_view *up = &v->upstreams[i];

			fprintf(f, "ringway_%s{server=\"%s\",port=\"%u\"} %.15g\n", families[k].name,
				ip_addr_format(&up->addr, addr), up->port, families[k].value(up));
		}
	}
}

static void
print_counters(FILE *f, const struct dns_view *v)
{
	for (unsigned i = 0; i < v->n_counters; i++) {
		char name[96];

		snprintf(name, sizeof(name), "dns_resolver_%s_total", v->counters[i].label);
		metrics_family(f, name, "counter", v->counters[i].help);
		print_count(f, name, &(struct owner){ 0 }, v->counters[i].n);
	}
}

void
metrics_print_dns(FILE *f, const struct dns_view *v)
{
	print_node(f, v);
	print_pod_queries(f, v);
	print_pod_figures(f, v);
	print_pod_latencies(f, v);
	if (v->cache.memory_bytes != 0)
		print_cache(f, &v->cache);
	print_counters(f, v);
	print_upstreams(f, v);
}
