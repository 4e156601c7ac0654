#include "control/build/dns_endpoints.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/dns/dns_pod_name.h"

/* A label as RFC 1123 wants hostnames to be: others would be names that are not below the service, or ports. */
static bool
is_hostname(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && (text[i] != '-' || i == 0 || i == len - 1))
			return false;
	return len != 0 && len <= DNS_LABEL_MAX;
}

static void
name_endpoint(struct dns_endpoint *e, const char *hostname)
{
	e->is_named = hostname != NULL && is_hostname(hostname);
	if (!e->is_named) {
		e->label_len = (uint8_t)dns_pod_name_format(&e->addr, e->label);
		return;
	}
	e->label_len = (uint8_t)strlen(hostname);
	for (unsigned i = 0; i < e->label_len; i++)
		e->label[i] = (uint8_t)tolower((unsigned char)hostname[i]);
}

static int
compare_endpoints(const void *a, const void *b)
{
	const struct dns_endpoint *x = a, *y = b;
	int order = memcmp(x->label, y->label, x->label_len < y->label_len ? x->label_len : y->label_len);

	if (order == 0)
		order = (int)x->label_len - (int)y->label_len;
	return order != 0 ? order : ip_addr_cmp(&x->addr, &y->addr);
}

static int
compare_addrs(const void *a, const void *b)
{
	return ip_addr_cmp(a, b);
}

static bool
make_room(struct dns_endpoints *e, size_t n)
{
	struct dns_endpoint *items;
	struct ip_addr *addrs;

	if (n <= e->room)
		return true;
	items = reallocarray(e->items, 2 * n, sizeof(*items));
	if (items == NULL)
		return false;
	e->items = items;
	addrs = reallocarray(e->addrs, 2 * n, sizeof(*addrs));
	if (addrs == NULL)
		return false;
	e->addrs = addrs;
	e->room = 2 * n;
	return true;
}

static void
add(struct dns_endpoints *out, const struct slice_object *slice, const struct slice_endpoint *e)
{
	for (size_t i = 0; i < e->n_addrs; i++) {
		struct dns_endpoint *item = &out->items[out->n++];

		item->addr = e->addrs[i];
		item->slice = slice;
		name_endpoint(item, e->hostname);
		out->addrs[out->n_addrs++] = e->addrs[i];
	}
}

int
dns_endpoints_collect(struct dns_endpoints *e, const struct service_object *service,
	const struct slice_object *const *slices, size_t n_slices)
{
	size_t n = 0, kept = 0;

	for (size_t s = 0; s < n_slices; s++)
		for (size_t i = 0; i < slices[s]->n_endpoints; i++)
			n += slices[s]->endpoints[i].n_addrs;
	e->n = e->n_addrs = 0;
	if (n == 0)
		return 0;
	if (!make_room(e, n))
		return -ENOMEM;
	for (size_t s = 0; s < n_slices; s++)
		for (size_t i = 0; i < slices[s]->n_endpoints; i++)
			if (slices[s]->endpoints[i].ready || service->publish_not_ready)
				add(e, slices[s], &slices[s]->endpoints[i]);
	qsort(e->items, e->n, sizeof(*e->items), compare_endpoints);
	qsort(e->addrs, e->n_addrs, sizeof(*e->addrs), compare_addrs);
	for (size_t i = 0; i < e->n_addrs; i++)
		if (i == 0 || !ip_addr_eq(&e->addrs[i], &e->addrs[kept - 1]))
			e->addrs[kept++] = e->addrs[i];
	e->n_addrs = kept;
	return 0;
}

void
dns_endpoints_fini(struct dns_endpoints *e)
{
	free(e->items);
	free(e->addrs);
	*e = (struct dns_endpoints){ 0 };
}

size_t
dns_endpoints_group_end(const struct dns_endpoints *e, size_t first)
{
	const struct dns_endpoint *f = &e->items[first];
	size_t end = first + 1;

	while (end < e->n && e->items[end].label_len == f->label_len &&
		memcmp(e->items[end].label, f->label, f->label_len) == 0)
		end++;
	return end;
}
