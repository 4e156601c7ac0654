#include "control/build/dns_reverse.h"

#include <errno.h>

static int
compare_names(const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : (int)a_len - (int)b_len;
}

/* The name that a PTR record of the set says. */
static const uint8_t *
target_of(const struct dns_node *node, const struct dns_set *set, uint32_t i, unsigned *len)
{
	const uint8_t *rr = dns_node_bytes(
		node, set->stride != 0 ? set->at + i * set->stride : dns_set_units(node, set)[i].at);

	*len = dns_rr_size(rr) - DNS_RR_HEADER;
	return rr + DNS_RR_HEADER;
}

static void
put_target(struct dns_making *m, const uint8_t *name, unsigned len)
{
	dns_making_unit(m);
	dns_making_record(m, name, len);
}

/* The PTR records that there are, in order, with or without that name. */
static int
change_target(struct dns_making *m, const struct ip_addr *addr, const struct dns_node *named, bool is_added)
{
	const struct dns_node *old, *out;
	const struct dns_set *set;
	struct dns_wire reverse;
	bool is_placed = !is_added;

	dns_wire_reverse(addr, &reverse);
	old = dns_zone_get(m->zone, reverse.bytes, reverse.len);
	set = old == NULL ? NULL : dns_node_find(old, DNS_TYPE_PTR);
	dns_making_begin(m, &reverse, DNS_NODE_REVERSE);
	dns_making_set(m, DNS_TYPE_PTR);
	for (uint32_t i = 0; set != NULL && i < set->n_units; i++) {
		unsigned len;
		const uint8_t *target = target_of(old, set, i, &len);
		int order = compare_names(named->name, named->len, target, len);

		if (order == 0)
			continue;
		if (order < 0 && !is_placed) {
			put_target(m, named->name, named->len);
			is_placed = true;
		}
		put_target(m, target, len);
	}
	if (!is_placed)
		put_target(m, named->name, named->len);
	if (m->is_out_of_memory || m->n_units != 0)
		return dns_making_end(m, &out);
	return old == NULL ? 0 : dns_zone_remove(m->zone, old);
}

static struct ip_addr
addr_of(const struct dns_node *node, const struct dns_set *set, uint32_t i)
{
	const uint8_t *data = dns_node_bytes(node, set->at) + i * set->stride + DNS_RR_HEADER;
	be32 v4;

	if (set->type == DNS_TYPE_AAAA)
		return ip_addr_v6(data);
	memcpy(&v4, data, sizeof(v4));
	return ip_addr_v4(v4);
}

static bool
has_addr(const struct dns_node *node, uint16_t type, const struct ip_addr *addr)
{
	const struct dns_set *set =
		node == NULL || !(node->flags & DNS_NODE_NAMED) ? NULL : dns_node_find(node, type);

	for (uint32_t i = 0; set != NULL && i < set->n_units; i++) {
		struct ip_addr a = addr_of(node, set, i);

		if (ip_addr_eq(&a, addr))
			return true;
	}
	return false;
}

/* What 'node' says and 'other' does not. */
static int
change_those_of(
	struct dns_making *m, const struct dns_node *node, const struct dns_node *other, bool is_added)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	int result = 0;

	for (unsigned t = 0; t < 2; t++) {
		const struct dns_set *set = dns_node_find(node, types[t]);

		for (uint32_t i = 0; set != NULL && i < set->n_units && result == 0; i++) {
			struct ip_addr addr = addr_of(node, set, i);

			if (!has_addr(other, types[t], &addr))
				result = change_target(m, &addr, node, is_added);
		}
	}
	return result;
}

int
dns_reverse_change(struct dns_making *m, const struct dns_node *old, const struct dns_node *new)
{
	int result = 0;

	if (old != NULL && (old->flags & DNS_NODE_NAMED))
		result = change_those_of(m, old, new, false);
	if (result == 0 && new != NULL && (new->flags &DNS_NODE_NAMED))
		result = change_those_of(m, new, old, true);
	return result;
}
