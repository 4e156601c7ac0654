#include "control/build/dns_changes.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/dns_reverse.h"

static int
compare_nodes(const void *a, const void *b)
{
	const struct dns_node_item *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* By hash. A name that was put twice, since its ports differ in nothing but letters, is there once, as it is in the zone. */
static void
order_nodes(struct dns_node_list *l, const struct dns_zone *z)
{
	size_t kept = 0;

	if (l->n != 0)
		qsort(l->items, l->n, sizeof(*l->items), compare_nodes);
	for (size_t i = 0; i < l->n; i++) {
		struct dns_node_item *item = &l->items[i];

		if (kept != 0 && l->items[kept - 1].hash == item->hash)
			l->items[kept - 1].node = dns_zone_get(z, item->node->name, item->node->len);
		else
			l->items[kept++] = *item;
	}
	l->n = kept;
}

/* old NULL: the name is new; new NULL: it is gone. */
static int
change_name(struct dns_making *m, const struct dns_node *old, const struct dns_node *new)
{
	if (old == new)
		return 0;
	if (new == NULL && dns_zone_remove(m->zone, old) < 0)
		return -ENOMEM;
	return dns_reverse_change(m, old, new);
}

/* Both lists are in order. */
static int
change_names(struct dns_making *m, const struct dns_node_list *built, const struct dns_node_list *coming)
{
	size_t i = 0, k = 0;
	int result = 0;

	while (result == 0 && (i < built->n || k < coming->n)) {
		const struct dns_node_item *old = i < built->n ? &built->items[i] : NULL;
		const struct dns_node_item *new = k < coming->n ? &coming->items[k] : NULL;

		if (old != NULL && new != NULL && old->hash != new->hash) {
			if (old->hash < new->hash)
				new = NULL;
			else
				old = NULL;
		}
		i += old != NULL;
		k += new != NULL;
		result = change_name(m, old == NULL ? NULL : old->node, new == NULL ? NULL : new->node);
	}
	return result;
}

static int
compare_labels(const struct dns_node *a, const struct dns_node *b)
{
	return dns_label_compare(a->name + 1, a->name[0], b->name + 1, b->name[0]);
}

/* Likewise. Nearly all are as they were, and not looked into. */
static int
change_endpoints(
	struct dns_making *m, const struct dns_endpoint_list *built, const struct dns_endpoint_list *coming)
{
	size_t i = 0, k = 0;
	int result = 0;

	while (result == 0 && (i < built->n || k < coming->n)) {
		const struct dns_node *old = i < built->n ? built->items[i].node : NULL;
		const struct dns_node *new = k < coming->n ? coming->items[k].node : NULL;
		int order = old == new || old == NULL || new == NULL ? 0 : compare_labels(old, new);

		if (order < 0)
			new = NULL;
		else if (order > 0)
			old = NULL;
		i += old != NULL;
		k += new != NULL;
		result = change_name(m, old, new);
	}
	return result;
}

int
dns_changes_make(
	struct dns_making *m, const struct dns_service_nodes *built, struct dns_service_nodes *coming)
{
	int result;

	order_nodes(&coming->names, m->zone);
	result = change_names(m, &built->names, &coming->names);
	return result < 0 ? result : change_endpoints(m, &built->endpoints, &coming->endpoints);
}
