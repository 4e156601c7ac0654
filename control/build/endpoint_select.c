#include "control/build/endpoint_select.h"

#include <stdlib.h>
#include <string.h>

/* While an answer is made, an entry's flags say this, too. */
enum candidate_flag {
	CANDIDATE_NODE = 1 << 4, /* a hint names this node */
	CANDIDATE_ZONE = 1 << 5, /* a hint names this zone */
	CANDIDATE_NO_NODE_HINT = 1 << 6,
	CANDIDATE_NO_ZONE_HINT = 1 << 7,
	CANDIDATE_ALL = 0xf0,
};

bool
service_is_served(const struct service_object *service)
{
	return !service->headless && !service->is_foreign && service->type != SERVICE_EXTERNAL_NAME;
}

const struct slice_port *
endpoint_select_port(const struct slice_object *slice, const struct service_port *port)
{
	for (size_t i = 0; i < slice->n_ports; i++) {
		const struct slice_port *p = &slice->ports[i];

		if (p->proto == port->proto && p->port != 0 && strcmp(p->name, port->name) == 0)
			return p;
	}
	return NULL;
}

size_t
endpoint_select_room(const struct endpoint_question *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n_slices; i++)
		n += q->slices[i]->n_endpoints;
	return n;
}

static bool
has_name(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static uint8_t
hint_flags(const struct endpoint_question *q, const struct endpoint_hints *h)
{
	uint8_t flags = 0;

	if (h == NULL)
		return CANDIDATE_NO_NODE_HINT | CANDIDATE_NO_ZONE_HINT;
	if (h->n_nodes == 0)
		flags |= CANDIDATE_NO_NODE_HINT;
	else if (has_name(h->nodes, h->n_nodes, q->node))
		flags |= CANDIDATE_NODE;
	if (h->n_zones == 0)
		flags |= CANDIDATE_NO_ZONE_HINT;
	else if (has_name(h->zones, h->n_zones, q->zone))
		flags |= CANDIDATE_ZONE;
	return flags;
}

/* False: of no use under any circumstances. */
static bool
candidate_init(struct selected_endpoint *c, const struct endpoint_question *q, const struct slice_endpoint *e,
	uint16_t port)
{
	bool is_ready = e->ready || q->service->publish_not_ready;

	if (e->n_addrs == 0 || ip_addr_is_v4(&e->addrs[0]) != q->is_v4)
		return false;
	if (!is_ready && !(e->serving && e->terminating))
		return false;
	*c = (struct selected_endpoint){ .addr = e->addrs[0], .port = port, .endpoint = e };
	c->flags = is_ready ? hint_flags(q, e->hints) : SELECTED_DRAINING;
	if (e->node != NULL && strcmp(e->node, q->node) == 0)
		c->flags |= SELECTED_LOCAL;
	return true;
}

static size_t
collect(const struct endpoint_question *q, struct selected_endpoint *out)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n_slices; i++) {
		const struct slice_object *slice = q->slices[i];
		const struct slice_port *port = endpoint_select_port(slice, q->port);

		for (size_t k = 0; port != NULL && k < slice->n_endpoints; k++)
			n += candidate_init(&out[n], q, &slice->endpoints[k], port->port);
	}
	return n;
}

static int
compare_places(const struct selected_endpoint *a, const struct selected_endpoint *b)
{
	int order = ip_addr_cmp(&a->addr, &b->addr);

	return order != 0 ? order : (int)a->port - (int)b->port;
}

static int
compare_candidates(const void *x, const void *y)
{
	const struct selected_endpoint *a = x, *b = y;
	int order = compare_places(a, b);

	if (order == 0)
		order = (a->flags & SELECTED_DRAINING) - (b->flags & SELECTED_DRAINING);
	/* whatever else differs, the answer must not depend on the sort */
	return order != 0 ? order : (int)a->flags - (int)b->flags;
}

/* Each place once: an endpoint on its way from one slice to another is in both, perhaps ready in one only. */
static size_t
settle(struct selected_endpoint *out, size_t n)
{
	size_t kept = 0;

	qsort(out, n, sizeof(*out), compare_candidates);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare_places(&out[i], &out[kept - 1]) != 0)
			out[kept++] = out[i];
	return kept;
}

/* Only if every ready endpoint has hints is it known that those which are not for us are for others. */
static enum endpoint_hint_use
judge_hints(const struct selected_endpoint *all, size_t n)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < n; i++)
		seen |= all[i].flags;
	if ((seen & (CANDIDATE_NODE | CANDIDATE_NO_NODE_HINT)) == CANDIDATE_NODE)
		return HINTS_NODE;
	if ((seen & (CANDIDATE_ZONE | CANDIDATE_NO_ZONE_HINT)) == CANDIDATE_ZONE)
		return HINTS_ZONE;
	return HINTS_UNUSED;
}

/* Marks those that have all of 'wanted', and are not draining; if there are none of these, those that are. Only a ready
 * endpoint has to satisfy 'hint'. Returns how many. */
static uint32_t
mark(struct selected_endpoint *all, size_t n, uint8_t wanted, uint8_t hint, uint8_t selected)
{
	uint32_t n_marked = 0;

	for (int draining = 0; draining <= SELECTED_DRAINING && n_marked == 0;
		draining += SELECTED_DRAINING) {
		uint8_t pattern = draining == 0 ? wanted | hint : wanted | SELECTED_DRAINING;

		for (size_t i = 0; i < n; i++) {
			if ((all[i].flags & (pattern | SELECTED_DRAINING)) != pattern)
				continue;
			all[i].flags |= selected;
			n_marked++;
		}
	}
	return n_marked;
}

struct endpoint_selection
endpoint_select(const struct endpoint_question *q, struct selected_endpoint *out)
{
	static const uint8_t hints[] = { [HINTS_ZONE] = CANDIDATE_ZONE, [HINTS_NODE] = CANDIDATE_NODE };
	struct endpoint_selection s = { .is_local = q->is_exposed && q->service->external_local };
	bool inside_is_local = !q->is_exposed && q->service->internal_local;
	size_t n = settle(out, collect(q, out));

	if (inside_is_local) {
		s.n_inside = mark(out, n, SELECTED_LOCAL, 0, SELECTED_INSIDE);
	} else {
		s.hints = judge_hints(out, n);
		s.n_inside = mark(out, n, 0, hints[s.hints], SELECTED_INSIDE);
	}
	if (s.is_local)
		s.n_outside = mark(out, n, SELECTED_LOCAL, 0, SELECTED_OUTSIDE);
	else if (q->is_exposed)
		s.n_outside = mark(out, n, 0, hints[s.hints], SELECTED_OUTSIDE);
	s.drops_empty = n != 0 && ((inside_is_local && s.n_inside == 0) || (s.is_local && s.n_outside == 0));
	for (size_t i = 0; i < n; i++) {
		out[i].flags &= (uint8_t)~CANDIDATE_ALL;
		if ((out[i].flags & (SELECTED_INSIDE | SELECTED_OUTSIDE)) != 0)
			out[s.n++] = out[i];
	}
	return s;
}
