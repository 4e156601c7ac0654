#include "control/build/dns_endpoints.h"

#include <ctype.h>
#include <endian.h>
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

int
dns_label_compare(const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : (int)a_len - (int)b_len;
}

static int
compare_endpoints(const void *a, const void *b)
{
	const struct dns_endpoint *x = a, *y = b;
	int order = dns_label_compare(x->label, x->label_len, y->label, y->label_len);

	return order != 0 ? order : ip_addr_cmp(&x->addr, &y->addr);
}

static bool
grow(void **array, size_t n, size_t size)
{
	void *grown = reallocarray(*array, n, size);

	if (grown == NULL)
		return false;
	*array = grown;
	return true;
}

static bool
make_room(struct dns_endpoints *e, size_t n)
{
	if (n <= e->room)
		return true;
	if (!grow((void **)&e->items, 2 * n, sizeof(*e->items)) ||
		!grow((void **)&e->unsorted, 2 * n, sizeof(*e->unsorted)) ||
		!grow((void **)&e->addrs, 2 * n, sizeof(*e->addrs)) ||
		!grow((void **)&e->keys, 4 * n, sizeof(*e->keys)))
		return false;
	e->room = 2 * n;
	return true;
}

static void
add(struct dns_endpoints *out, const struct slice_object *slice, const struct slice_endpoint *e)
{
	for (size_t i = 0; i < e->n_addrs; i++) {
		struct dns_endpoint *item = &out->unsorted[out->n++];

		item->addr = e->addrs[i];
		item->slice = slice;
		name_endpoint(item, e->hostname);
	}
}

static uint64_t
read_u64(const uint8_t *at)
{
	uint64_t raw;

	memcpy(&raw, at, sizeof(raw));
	return be64toh(raw);
}

static void
sort_addrs(struct dns_endpoints *e)
{
	const struct dns_endpoint *items = e->unsorted;

	for (uint32_t i = 0; i < e->n; i++)
		e->keys[i] = (struct sort_key){ read_u64(items[i].addr.b), read_u64(items[i].addr.b + 8), i };
	key_sort(e->keys, e->keys + e->room, e->n);
	e->n_addrs = 0;
	for (size_t i = 0; i < e->n; i++) {
		const struct ip_addr *addr = &items[e->keys[i].index].addr;

		if (e->n_addrs == 0 || !ip_addr_eq(addr, &e->addrs[e->n_addrs - 1]))
			e->addrs[e->n_addrs++] = *addr;
	}
}

/* How many bytes all labels begin with. */
static unsigned
common_prefix(const struct dns_endpoints *e)
{
	unsigned n = DNS_LABEL_MAX;

	for (size_t i = 0; i < e->n; i++) {
		const struct dns_endpoint *item = &e->unsorted[i];
		unsigned k = 0;

		while (k < n && k < item->label_len && item->label[k] == e->unsorted[0].label[k])
			k++;
		n = k;
	}
	return n;
}

/* By what of the label comes behind the prefix, in which no byte is 0; and where this is not all, by the rest. */
static void
sort_items(struct dns_endpoints *e)
{
	unsigned prefix = common_prefix(e);
	size_t first = 0;

	for (uint32_t i = 0; i < e->n; i++) {
		const struct dns_endpoint *item = &e->unsorted[i];
		unsigned n = item->label_len - prefix;
		uint8_t begin[16] = { 0 };

		memcpy(begin, item->label + prefix, n < sizeof(begin) ? n : sizeof(begin));
		e->keys[i] = (struct sort_key){ read_u64(begin), read_u64(begin + 8), i };
	}
	key_sort(e->keys, e->keys + e->room, e->n);
	for (size_t i = 0; i < e->n; i++) {
		e->items[i] = e->unsorted[e->keys[i].index];
		if (i + 1 < e->n && e->keys[i + 1].high == e->keys[i].high &&
			e->keys[i + 1].low == e->keys[i].low)
			continue;
		if (first != i)
			qsort(&e->items[first], i + 1 - first, sizeof(*e->items), compare_endpoints);
		first = i + 1;
	}
}

int
dns_endpoints_collect(struct dns_endpoints *e, const struct service_object *service,
	const struct slice_object *const *slices, size_t n_slices)
{
	size_t n = 0;

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
	sort_addrs(e);
	sort_items(e);
	return 0;
}

void
dns_endpoints_fini(struct dns_endpoints *e)
{
	free(e->items);
	free(e->unsorted);
	free(e->addrs);
	free(e->keys);
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
