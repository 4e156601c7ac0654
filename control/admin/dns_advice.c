#include "control/admin/dns_advice.h"

#include <stdio.h>

#include "control/build/dns_wire.h"

/* Fewer queries are no reason to say something. */
#define ENOUGH 50

/* Servers that are slower than this deserve a look. */
#define SLOW_NS UINT64_C(200000000)

struct advising {
	const struct dns_view *v;
	struct dns_book_figures recent; /* of all pods */
	void (*fn)(const struct dns_book_pod *pod, const char *text, void *arg);
	void *arg;
	char text[DNS_ADVICE_SIZE];
};

static void
say(struct advising *a, const struct dns_book_pod *pod)
{
	a->fn(pod, a->text, a->arg);
}
#define SAY(a, pod, ...) (snprintf((a)->text, sizeof((a)->text), __VA_ARGS__), say(a, pod))

static unsigned
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (unsigned)((100 * part + whole / 2) / whole);
}

/* "pod shop/web" */
static const char *
pod_name(const struct dns_book_pod *pod, char buf[static 400])
{
	if (pod->is_host)
		snprintf(buf, 400, "the host's stack");
	else
		snprintf(buf, 400, "pod %s/%s", pod->ns, pod->name);
	return buf;
}

/* That this pod asked for, and of which there is most of something. */
static const char *
top_name(const struct advising *a, const struct dns_book_pod *pod,
	uint64_t (*figure)(const struct dns_name_counts *counts), char buf[static DNS_TEXT_SIZE])
{
	uint64_t most = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < a->v->n_names; i++) {
		const struct dns_name_hitter *h = &a->v->names[i];
		bool asked = false;

		for (unsigned k = 0; k < DNS_NAME_PODS; k++)
			asked |= h->pods[k].queries != 0 && h->pods[k].pod == pod->number;
		if (!asked || figure(&h->counts) <= most)
			continue;
		most = figure(&h->counts);
		dns_wire_format(h->name, buf);
	}
	return buf;
}

static uint64_t
wasted(const struct dns_name_counts *counts)
{
	return counts->wasted;
}

static uint64_t
upstream(const struct dns_name_counts *counts)
{
	return counts->upstream + counts->limited;
}

static void
advise_search(struct advising *a, const struct dns_book_pod *pod)
{
	const struct dns_book_figures *f = &pod->recent;
	char who[400], name[DNS_TEXT_SIZE];

	if (f->sampled < ENOUGH || 2 * f->wasted < f->sampled)
		return;
	top_name(a, pod, wasted, name);
	SAY(a, pod,
		"%u %% of the queries of %s are tries along its search list that find nothing%s%s: a name "
		"with a dot at its end (\"%s\") or ndots:1 (the pod's dnsConfig.options) needs one query%s",
		percent(f->wasted, f->sampled), pod_name(pod, who),
		*name == '\0' ? "" : ", most of them for ", name, *name == '\0' ? "example.com." : name,
		a->v->completes || pod->is_host
			? ""
			: "; dns.searchCompletion: on has the first one of each search answered with what "
			  "the last one finds");
}

static void
advise_limits(struct advising *a, const struct dns_book_pod *pod)
{
	uint64_t all = dns_upstream_queries(&a->recent.counts), n = dns_upstream_queries(&pod->recent.counts);
	uint64_t limited = pod->recent.counts.by_source[DNS_LIMITED];
	char who[400], name[DNS_TEXT_SIZE];

	top_name(a, pod, upstream, name);
	if (limited != 0)
		SAY(a, pod,
			"%lu queries of %s were limited (dns.inFlightPerPod, dns.queriesPerSecond: "
			"%lu)%s%s; its share of what went upstream is %u %%",
			limited, pod_name(pod, who), a->v->per_s, *name == '\0' ? "" : ", it asks most for ",
			name, percent(n, all));
	else if (n >= ENOUGH && 2 * n > all && n != all &&
		 (double)all > a->v->window_s * (double)a->v->per_s / 10)
		SAY(a, pod, "%u %% of what went upstream was asked by %s%s%s", percent(n, all),
			pod_name(pod, who), *name == '\0' ? "" : ", most of it for ", name);
}

static void
advise_denied(struct advising *a, const struct dns_book_pod *pod)
{
	for (size_t i = 0; i < a->v->n_denied && !pod->is_gone; i++)
		if (a->v->denied[i].port == pod->port)
			SAY(a, pod, "%s", a->v->denied[i].text);
}

static void
advise_upstreams(struct advising *a)
{
	const struct dns_latency *l = dns_book_latency(a->v->book, DNS_UPSTREAM);
	uint64_t p50_ns = dns_latency_quantile(l, 0.5), failed = a->recent.counts.by_source[DNS_FAILED];
	char text[IP_ADDR_STRLEN];

	for (unsigned i = 0; i < a->v->n_upstreams; i++) {
		const struct dns_upstream_view *up = &a->v->upstreams[i];

		if (up->failing_s != 0)
			SAY(a, NULL, "upstream server %s port %u has not answered for %.0f s",
				ip_addr_format(&up->addr, text), up->port, up->failing_s);
	}
	if (failed != 0)
		SAY(a, NULL,
			"%lu queries got no answer from any upstream server; cluster names and what the "
			"cache has do not need them",
			failed);
	if (dns_latency_recent(l) >= ENOUGH && p50_ns > SLOW_NS)
		SAY(a, NULL, "upstream servers are slow: half of their answers take longer than %.0f ms",
			(double)p50_ns / 1e6);
}

static void
advise_node(struct advising *a)
{
	if (a->v->is_on && *a->v->zone != '\0' && a->v->zone_names == 0)
		SAY(a, NULL,
			"the cluster's zone is not known here yet, so all queries are left to the "
			"cluster's DNS service");
	advise_upstreams(a);
}

void
dns_advise(const struct dns_view *v, void (*fn)(const struct dns_book_pod *pod, const char *text, void *arg),
	void *arg)
{
	struct advising a = { .v = v, .recent = dns_view_recent(v), .fn = fn, .arg = arg };

	advise_node(&a);
	for (size_t i = 0; i < v->n_pods; i++) {
		advise_denied(&a, &v->pods[i]);
		advise_limits(&a, &v->pods[i]);
		advise_search(&a, &v->pods[i]);
	}
}
