#include "control/admin/dns_view.h"

#include <stdlib.h>
#include <string.h>

uint64_t
dns_upstream_queries(const struct dns_counts *counts)
{
	return counts->by_source[DNS_UPSTREAM] + counts->by_source[DNS_FAILED];
}

static void
add_figures(struct dns_book_figures *sum, const struct dns_book_figures *f)
{
	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		sum->counts.by_source[i] += f->counts.by_source[i];
	sum->counts.nxdomain += f->counts.nxdomain;
	sum->counts.completed += f->counts.completed;
	sum->sampled += f->sampled;
	sum->upstream += f->upstream;
	sum->wasted += f->wasted;
	sum->lookups += f->lookups;
}

struct dns_book_figures
dns_view_recent(const struct dns_view *v)
{
	struct dns_book_figures sum = { 0 };

	for (size_t i = 0; i < v->n_pods; i++)
		add_figures(&sum, &v->pods[i].recent);
	return sum;
}

const struct dns_book_pod *
dns_view_pod(const struct dns_view *v, uint32_t number)
{
	for (size_t i = 0; i < v->n_pods; i++)
		if (v->pods[i].number == number)
			return &v->pods[i];
	return NULL;
}

void
dns_view_free(struct dns_view *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < v->n_denied; i++)
		free(v->denied[i].text);
	free(v->denied);
	free(v->names);
	free(v->pods);
	free(v);
}
