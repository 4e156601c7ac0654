/* The one place where the view's figures come from the daemon's parts. */
#include <stdlib.h>
#include <string.h>

#include "control/admin/dns_view.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/denied_dns.h"
#include "control/dns_watch.h"
#include "control/resolve/resolver.h"
#include "dataplane/clock.h"
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_zone_edit.h"

struct gathering {
	struct daemon *d;
	struct dns_view *v;
	size_t pods_room, names_room, denied_room;
	bool is_short; /* of memory */
};

/* A place behind the last of n; NULL if out of memory. */
static void *
grow(struct gathering *g, void *array, size_t *n, size_t *room, size_t size)
{
	void **items = array;

	if (*n == *room) {
		size_t more = *room == 0 ? 64 : 2 * *room;
		void *grown = reallocarray(*items, more, size);

		if (grown == NULL) {
			g->is_short = true;
			return NULL;
		}
		*items = grown;
		*room = more;
	}
	return (char *)*items + size * (*n)++;
}

/* What policies deny is not answered, so whom they deny all has no figures. */
static bool
is_denied(const struct dns_view *v, const struct dns_book_pod *pod)
{
	for (size_t i = 0; i < v->n_denied; i++)
		if (v->denied[i].port == pod->port && !pod->is_gone)
			return true;
	return false;
}

static void
add_pod(const struct dns_book_pod *pod, void *arg)
{
	struct gathering *g = arg;
	struct dns_book_pod *p;

	if (dns_book_queries(&pod->total.counts) == 0 && !is_denied(g->v, pod))
		return;
	p = grow(g, &g->v->pods, &g->v->n_pods, &g->pods_room, sizeof(*p));
	if (p != NULL)
		*p = *pod;
}

static void
add_name(const struct dns_name_hitter *name, void *arg)
{
	struct gathering *g = arg;
	struct dns_name_hitter *h = grow(g, &g->v->names, &g->v->n_names, &g->names_room, sizeof(*h));

	if (h != NULL)
		*h = *name;
}

static void
add_denied(const struct denied_query *query, void *arg)
{
	struct gathering *g = arg;
	char text[DENIED_DNS_TEXT_SIZE];
	struct dns_denied_view *denied =
		grow(g, &g->v->denied, &g->v->n_denied, &g->denied_room, sizeof(*denied));

	if (denied == NULL)
		return;
	denied->port = query->port;
	denied->text = strdup(denied_dns_print(publisher_policies(g->d->publisher), query, text));
	g->is_short |= denied->text == NULL;
}

static void
gather_cache(const struct dns_cache *cache, struct dns_cache_view *out)
{
	struct dns_cache_books books = dns_cache_books(cache);

	*out = (struct dns_cache_view){
		.memory_bytes = books.memory_bytes,
		.entry_bytes = books.entry_bytes,
		.n_entries = books.n_entries,
		.n_negatives = books.n_negatives,
		.n_put = books.n_put,
		.n_evicted = books.n_forgotten,
		.n_refused = books.n_refused,
	};
}

static void
gather_upstream(const struct upstream *up, uint64_t now_ns, struct dns_upstream_view *out)
{
	*out = (struct dns_upstream_view){
		.addr = up->server.addr,
		.port = up->server.port,
		.has_answered = up->answered_ns != 0,
		.rtt_ms = (double)up->srtt_ns / 1e6,
		.n_tries = up->n_tries,
		.n_answers = up->n_answers,
		.n_timeouts = up->n_silences,
		.n_refusals = up->n_refusals,
	};
	/* its thread may have looked at a clock that is ahead of now_ns */
	if (up->failing_since_ns != 0)
		out->failing_s =
			now_ns > up->failing_since_ns ? (double)(now_ns - up->failing_since_ns) / 1e9 : 1e-9;
}

static bool
is_server(const struct ip_addr *addr, uint16_t port, const struct dns_server *server)
{
	return port == server->port && ip_addr_eq(addr, &server->addr);
}

static void
add_upstream(struct dns_view *v, const struct dns_server *server, const struct upstream *asked, unsigned n)
{
	struct dns_upstream_view *up = &v->upstreams[v->n_upstreams];

	for (unsigned i = 0; i < v->n_upstreams; i++)
		if (is_server(&v->upstreams[i].addr, v->upstreams[i].port, server))
			return; /* of several zones */
	if (v->n_upstreams == DNS_UPSTREAM_VIEWS_MAX)
		return;
	v->n_upstreams++;
	for (unsigned i = 0; i < n; i++)
		if (is_server(&asked[i].server.addr, asked[i].server.port, server)) {
			gather_upstream(&asked[i], v->now_ns, up);
			return;
		}
	/* nobody wanted a name of its zone */
	*up = (struct dns_upstream_view){ .addr = server->addr, .port = server->port };
}

void
dns_view_take_upstreams(
	struct dns_view *v, const struct upstream *asked, unsigned n, const struct dns_table *t)
{
	/* those of all else, which are last, matter most */
	for (unsigned i = t == NULL ? 0 : t->n_forwards; i-- > 0;)
		for (unsigned k = 0; k < t->forwards[i].n; k++)
			add_upstream(v, &t->forwards[i].servers[k], asked, n);
}

static void
gather_resolver(struct resolver *r, const struct dns_table *t, struct dns_view *v)
{
	struct upstream asked[UPSTREAMS_MAX];

	dns_view_take_upstreams(v, asked, resolver_upstreams(r, asked, UPSTREAMS_MAX), t);
	v->n_counters = N_RESOLVER_COUNTERS;
	for (enum resolver_counter i = 0; i < N_RESOLVER_COUNTERS; i++)
		v->counters[i] = (struct dns_counter_view){ resolver_counter_label(i),
			resolver_counter_help(i), resolver_counter(r, i) };
}
static_assert(N_RESOLVER_COUNTERS <= DNS_COUNTERS_MAX, "all of them");

static bool
is_here(const struct tables *t, const struct dns_client *c)
{
	const struct endpoint *ep = t == NULL ? NULL : endpoint_of_port(t->endpoints, c->port);

	return ep != NULL &&
	       (ip_addr_eq(&ep->addrs[V4], &c->client) || ip_addr_eq(&ep->addrs[V6], &c->client));
}

static int
compare_divergences(const void *a, const void *b)
{
	const struct shadow_divergence *one = a, *other = b;

	return one->last_ns < other->last_ns ? 1 : one->last_ns > other->last_ns ? -1 : 0;
}

static bool
gather_shadow(struct resolver *r, const struct tables *t, struct dns_shadow_view *v)
{
	struct shadow_divergence *found = calloc(SHADOW_DIVERGENCES, sizeof(*found));

	if (found == NULL)
		return false;
	v->by_kind[SHADOW_SAME] = resolver_counter(r, RESOLVER_SHADOW_SAME);
	v->by_kind[SHADOW_NO_ANSWER] = resolver_counter(r, RESOLVER_SHADOW_NO_ANSWER);
	v->by_kind[SHADOW_RCODE] = resolver_counter(r, RESOLVER_SHADOW_RCODE);
	v->by_kind[SHADOW_MISSING] = resolver_counter(r, RESOLVER_SHADOW_MISSING);
	v->by_kind[SHADOW_EXTRA] = resolver_counter(r, RESOLVER_SHADOW_EXTRA);
	v->by_kind[SHADOW_AUTHORITY] = resolver_counter(r, RESOLVER_SHADOW_AUTHORITY);
	v->n_skipped = resolver_counter(r, RESOLVER_SHADOW_SKIPPED);
	v->n = resolver_divergences(r, found, SHADOW_DIVERGENCES);
	qsort(found, v->n, sizeof(*found), compare_divergences);
	for (unsigned i = 0; i < v->n; i++)
		v->all[i] = (struct dns_divergence_view){ found[i], is_here(t, &found[i].client) };
	free(found);
	return true;
}

struct dns_view *
dns_view_new(struct daemon *d)
{
	const struct tables *t = publisher_tables(d->publisher);
	struct dns_view *v = calloc(1, sizeof(*v));
	struct gathering g = { .d = d, .v = v };

	if (v == NULL)
		return NULL;
	dns_watch_look(d->dns_watch);
	v->book = dns_watch_book(d->dns_watch);
	v->now_ns = clock_now_ns();
	v->is_on = d->config.dns.mode == DNS_MODE_ON;
	v->is_shadow = d->config.dns.mode == DNS_MODE_SHADOW;
	v->completes = d->config.dns.search_completion == DNS_SEARCH_COMPLETION_ON;
	v->zone = d->config.dns.zone;
	v->per_s = d->config.dns.queries_per_second;
	v->window_s = dns_book_window_s(v->book, v->now_ns);
	if (t != NULL && t->dns != NULL && t->dns->zone != NULL)
		v->zone_names = dns_zone_count(t->dns->zone);
	if (t != NULL)
		denied_dns_each(d->denied_dns, t, v->now_ns, add_denied, &g);
	if (d->dns_cache != NULL && v->is_on)
		gather_cache(d->dns_cache, &v->cache);
	if (d->resolver != NULL)
		gather_resolver(d->resolver, t == NULL ? NULL : t->dns, v);
	if (v->is_shadow && d->resolver != NULL)
		g.is_short |= !gather_shadow(d->resolver, t, &v->shadow);
	dns_book_each_pod(v->book, add_pod, &g);
	dns_book_each_name(v->book, add_name, &g);
	if (!g.is_short)
		return v;
	dns_view_free(v);
	return NULL;
}
