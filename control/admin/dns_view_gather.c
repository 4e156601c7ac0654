/* The one place where the view's figures come from the daemon's parts. */
#include <stdlib.h>
#include <string.h>

#include "control/admin/dns_view.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/denied_dns.h"
#include "control/dns_watch.h"
#include "dataplane/clock.h"
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
	v->zone = d->config.dns.zone;
	v->per_s = d->config.dns.queries_per_second;
	v->window_s = dns_book_window_s(v->book, v->now_ns);
	if (t != NULL && t->dns != NULL && t->dns->zone != NULL)
		v->zone_names = dns_zone_count(t->dns->zone);
	if (t != NULL)
		denied_dns_each(d->denied_dns, t, v->now_ns, add_denied, &g);
	dns_book_each_pod(v->book, add_pod, &g);
	dns_book_each_name(v->book, add_name, &g);
	if (!g.is_short)
		return v;
	dns_view_free(v);
	return NULL;
}
