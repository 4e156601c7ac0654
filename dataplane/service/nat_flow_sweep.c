#include "dataplane/service/nat_flow_layout.h"

bool
nat_flows_copy_some(
	const struct nat_flows *e, uint32_t *cursor, struct nat_flow *out, unsigned max, unsigned *n)
{
	uint32_t from = *cursor;

	*n = 0;
	for (; *cursor < e->capacity && *n < max && *cursor - from < NAT_FLOWS_LOOK; ++*cursor)
		if (entries(e)[*cursor].proto != 0)
			out[(*n)++] = entries(e)[*cursor];
	return from < e->capacity;
}

void
nat_flows_note_socket(struct nat_flows *e, const struct nat_flow *copy)
{
	struct nat_flow *x = nat_flows_find_forward(
		e, &copy->client, copy->client_port, &copy->frontend, copy->frontend_port, copy->proto);

	if (x != NULL)
		x->flags |= NAT_FLOW_SOCKET;
}

bool
nat_flows_delete(struct nat_flows *e, const struct nat_flow *copy)
{
	struct nat_flow *x = nat_flows_find_forward(
		e, &copy->client, copy->client_port, &copy->frontend, copy->frontend_port, copy->proto);

	if (x == NULL || x->last_seen_ns != copy->last_seen_ns)
		return false;
	nat_flows_remove(e, x);
	return true;
}

void
nat_flows_delete_client(struct nat_flows *e, const struct ip_addr *client)
{
	for (uint32_t i = 0; i < e->capacity; i++) {
		struct nat_flow *x = &entries(e)[i];

		if (x->proto != 0 && ip_addr_eq(&x->client, client))
			nat_flows_remove(e, x);
	}
}

void
nat_flows_delete_backend(struct nat_flows *e, const struct ip_addr *backend)
{
	for (uint32_t i = 0; i < e->capacity; i++) {
		struct nat_flow *x = &entries(e)[i];

		if (x->proto != 0 && ip_addr_eq(&x->backend, backend))
			nat_flows_remove(e, x);
	}
}

static bool
is_ended(const struct nat_flow *x, const struct backend_end *end)
{
	if (end->pod != 0)
		return x->pod == end->pod;
	return x->generation != 0 && x->generation != end->generation && x->backend_port == end->port &&
	       ip_addr_eq(&x->backend, &end->addr);
}

bool
nat_flows_delete_ended(
	struct nat_flows *e, uint32_t *cursor, uint32_t max, const struct backend_end *ends, unsigned n)
{
	for (; *cursor < e->capacity && max != 0; ++*cursor, max--) {
		struct nat_flow *x = &entries(e)[*cursor];

		for (unsigned i = 0; i < n && x->proto != 0; i++)
			if (is_ended(x, &ends[i]))
				nat_flows_remove(e, x);
	}
	return *cursor < e->capacity;
}
