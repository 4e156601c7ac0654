#include "control/admin/dns.h"

#include <stdlib.h>
#include <string.h>

#include "control/admin/dns_advice.h"
#include "control/admin/dns_shadow.h"
#include "control/build/dns_wire.h"

static json_t *
int_json(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
by_source_json(const struct dns_counts *counts)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		json_object_set_new(
			object, dns_source_label((enum dns_source)i), int_json(counts->by_source[i]));
	return object;
}

static json_t *
latency_json(const struct dns_latency *l)
{
	return json_pack("{s:I, s:f, s:f}", "n", (json_int_t)dns_latency_recent(l), "p50_ms",
		(double)dns_latency_quantile(l, 0.5) / 1e6, "p99_ms",
		(double)dns_latency_quantile(l, 0.99) / 1e6);
}

static void
add_latency(json_t *object, const char *name, const struct dns_latency *l)
{
	if (dns_latency_recent(l) != 0)
		json_object_set_new(object, name, latency_json(l));
}

/* Of the sources that had something to answer. */
static json_t *
latencies_json(const struct dns_latency *by_source)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		add_latency(object, dns_source_label((enum dns_source)i), &by_source[i]);
	return object;
}

static json_t *
figures_json(const struct dns_book_figures *f)
{
	return json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "queries",
		(json_int_t)dns_book_queries(&f->counts), "sources", by_source_json(&f->counts), "nxdomain",
		(json_int_t)f->counts.nxdomain, "completed", (json_int_t)f->counts.completed, "seen",
		(json_int_t)f->sampled, "wasted", (json_int_t)f->wasted, "upstream",
		(json_int_t)dns_upstream_queries(&f->counts));
}

/* --- pods */

static const char *
denied_of(const struct dns_view *v, const struct dns_book_pod *pod)
{
	for (size_t i = 0; i < v->n_denied && !pod->is_gone; i++)
		if (v->denied[i].port == pod->port)
			return v->denied[i].text;
	return "";
}

/* What part of all that went upstream. */
static double
share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (double)part / (double)whole;
}

static json_t *
pod_json(const struct dns_view *v, const struct dns_book_pod *pod, uint64_t upstream)
{
	json_t *latency = latencies_json(pod->latency);
	json_t *object = json_pack("{s:s, s:s, s:i, s:b, s:b, s:o, s:o, s:b, s:f, s:o, s:s}", "namespace",
		pod->ns, "name", pod->name, "port", (int)pod->port, "host", pod->is_host, "gone",
		pod->is_gone, "total", figures_json(&pod->total), "recent", figures_json(&pod->recent),
		"estimated", pod->is_estimated, "upstream_share",
		share(dns_upstream_queries(&pod->recent.counts), upstream), "latency", latency, "denied",
		denied_of(v, pod));

	add_latency(object, "first_to_final", pod->final);
	return object;
}

static json_t *
pods_json(const struct dns_view *v, uint64_t upstream)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_pods; i++)
		json_array_append_new(list, pod_json(v, &v->pods[i], upstream));
	return list;
}

/* --- names */

static json_t *
who_json(const struct dns_view *v, const struct dns_name_hitter *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < DNS_NAME_PODS && h->pods[i].queries != 0; i++) {
		const struct dns_book_pod *pod = dns_view_pod(v, h->pods[i].pod);

		if (pod != NULL)
			json_array_append_new(list, pod->is_host ? json_string("host")
								 : json_sprintf("%s/%s", pod->ns, pod->name));
	}
	return list;
}

static json_t *
name_json(const struct dns_view *v, const struct dns_name_hitter *h, uint64_t upstream)
{
	char text[DNS_TEXT_SIZE];

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:b}", "name",
		dns_wire_format(h->name, text), "queries", (json_int_t)h->counts.queries, "error",
		(json_int_t)h->error, "wasted", (json_int_t)h->counts.wasted, "nxdomain",
		(json_int_t)h->counts.nxdomain, "upstream", (json_int_t)h->counts.upstream, "limited",
		(json_int_t)h->counts.limited, "upstream_share", share(h->counts.upstream, upstream), "pods",
		who_json(v, h), "more_pods", h->has_more_pods);
}

/* An entry that may be all error tells nothing. */
static json_t *
names_json(const struct dns_view *v, uint64_t upstream)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_names; i++)
		if (v->names[i].counts.queries > v->names[i].error)
			json_array_append_new(list, name_json(v, &v->names[i], upstream));
	return list;
}

/* --- upstream */

static json_t *
upstream_json(const struct dns_upstream_view *up)
{
	const char *state = up->failing_s != 0 ? "failing"
			    : up->has_answered ? "answers"
			    : up->n_tries != 0 ? "silent"
					       : "unasked";
	char text[IP_ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:s, s:f, s:f, s:I, s:I, s:I, s:I}", "address",
		ip_addr_format(&up->addr, text), "port", (int)up->port, "state", state, "failing_s",
		up->failing_s, "rtt_ms", up->rtt_ms, "tries", (json_int_t)up->n_tries, "answers",
		(json_int_t)up->n_answers, "timeouts", (json_int_t)up->n_timeouts, "refusals",
		(json_int_t)up->n_refusals);
}

static void
add_resolver(const struct dns_view *v, json_t *doc)
{
	json_t *counters = json_object(), *upstreams = json_array();
	const struct dns_cache_view *c = &v->cache;

	for (unsigned i = 0; i < v->n_counters; i++)
		json_object_set_new(counters, v->counters[i].label, int_json(v->counters[i].n));
	for (unsigned i = 0; i < v->n_upstreams; i++)
		json_array_append_new(upstreams, upstream_json(&v->upstreams[i]));
	json_object_set_new(doc, "resolver", counters);
	json_object_set_new(doc, "upstreams", upstreams);
	if (v->is_shadow) /* it has none to speak of */
		return;
	json_object_set_new(doc, "cache",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "memory", (json_int_t)c->memory_bytes, "bytes",
			(json_int_t)c->entry_bytes, "entries", (json_int_t)c->n_entries, "negatives",
			(json_int_t)c->n_negatives, "evicted", (json_int_t)c->n_evicted, "refused",
			(json_int_t)c->n_refused));
}

/* --- the whole */

static void
add_advice(const struct dns_book_pod *pod, const char *text, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s}", "namespace", pod == NULL ? "" : pod->ns,
					   "name", pod == NULL ? "" : pod->name, "text", text));
}

json_t *
dns_json(const struct dns_view *v)
{
	const struct dns_book_figures recent = dns_view_recent(v);
	uint64_t upstream = dns_upstream_queries(&recent.counts);
	json_t *advice = json_array(), *latency = json_object(), *doc;

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		add_latency(latency, dns_source_label((enum dns_source)i),
			dns_book_latency(v->book, (enum dns_source)i));
	dns_advise(v, add_advice, advice);
	doc = json_pack("{s:s, s:b, s:s, s:I, s:f, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "mode",
		v->is_on       ? "on"
		: v->is_shadow ? "shadow"
			       : "off",
		"answers", v->is_on, "zone", v->zone, "zone_names", (json_int_t)v->zone_names, "window_s",
		v->window_s, "queries_per_second", (json_int_t)v->per_s, "total",
		figures_json(dns_book_total(v->book)), "recent", figures_json(&recent), "latency", latency,
		"pods", pods_json(v, upstream), "names", names_json(v, recent.upstream), "advice", advice);
	add_latency(doc, "first_to_final", dns_book_final(v->book));
	if (v->n_counters != 0)
		add_resolver(v, doc);
	if (v->is_shadow)
		json_object_set_new(doc, "shadow", dns_shadow_json(v));
	return doc;
}
