#include "control/build/dns_node.h"

#include <errno.h>
#include <stdlib.h>

#define POINTER 0xc000

/* Is divided by the shares; the priority is 0. */
#define SRV_WEIGHT_SUM 100

void
dns_making_fini(struct dns_making *m)
{
	free(m->units);
	free(m->bytes);
	free(m->image);
	*m = (struct dns_making){ 0 };
}

void
dns_making_begin(struct dns_making *m, const struct dns_wire *name, uint8_t flags)
{
	m->name = *name;
	m->flags = flags;
	m->prefix_len = 0;
	m->n_owners = 1;
	m->n_sets = 0;
	m->n_units = 0;
	m->n_bytes = 0;
	m->is_out_of_memory = false;
}

/* Has room for n more bytes; NULL if out of memory. */
static uint8_t *
reserve(struct dns_making *m, size_t n)
{
	if (m->n_bytes + n > m->bytes_room) {
		size_t room = 2 * (m->n_bytes + n) + 1024;
		uint8_t *bytes = realloc(m->bytes, room);

		if (bytes == NULL) {
			m->is_out_of_memory = true;
			return NULL;
		}
		m->bytes = bytes;
		m->bytes_room = room;
	}
	m->n_bytes += n;
	return m->bytes + m->n_bytes - n;
}

void
dns_making_set(struct dns_making *m, uint16_t type)
{
	if (m->n_sets != 0 && m->sets[m->n_sets - 1].n == 0)
		m->n_sets--;
	m->sets[m->n_sets].type = type;
	m->sets[m->n_sets].first = m->n_units;
	m->sets[m->n_sets].n = 0;
	m->n_sets++;
}

void
dns_making_unit(struct dns_making *m)
{
	if (m->n_units == m->units_room) {
		uint32_t room = 2 * m->units_room + 16;
		struct dns_unit *units = reallocarray(m->units, room, sizeof(*units));

		if (units == NULL) {
			m->is_out_of_memory = true;
			return;
		}
		m->units = units;
		m->units_room = room;
	}
	m->units[m->n_units++] = (struct dns_unit){ .at = (uint32_t)m->n_bytes };
	m->sets[m->n_sets - 1].n++;
}

static uint8_t *
write_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

/* From the type on. */
static void
write_record(uint8_t *at, unsigned type, uint32_t ttl_s, const void *data, size_t len)
{
	at = write_u16(at, type);
	at = write_u16(at, DNS_CLASS_IN);
	at = write_u16(at, ttl_s >> 16);
	at = write_u16(at, ttl_s & 0xffff);
	at = write_u16(at, (unsigned)len);
	memcpy(at, data, len);
}

void
dns_making_record(struct dns_making *m, const void *data, size_t len)
{
	size_t size = DNS_RR_HEADER + len;
	struct dns_unit *unit;
	uint8_t *at;

	if (m->is_out_of_memory)
		return;
	unit = &m->units[m->n_units - 1];
	/* more would not fit into any message */
	at = unit->len + size > UINT16_MAX ? NULL : reserve(m, size);
	if (at == NULL)
		return;
	write_u16(at, POINTER | DNS_HEADER_SIZE);
	write_record(at + 2, m->sets[m->n_sets - 1].type, m->ttl_s, data, len);
	unit->len = (uint16_t)(unit->len + size);
	unit->n++;
}

void
dns_making_addr(struct dns_making *m, const struct ip_addr *addr)
{
	unsigned len = ip_addr_is_v4(addr) ? 4 : 16;

	dns_making_unit(m);
	dns_making_record(m, addr->b + 16 - len, len);
}

void
dns_making_glue(struct dns_making *m, const uint8_t *labels, unsigned len, unsigned suffix,
	const struct ip_addr *addr)
{
	bool is_v4 = ip_addr_is_v4(addr);
	unsigned addr_len = is_v4 ? 4 : 16;
	size_t size = len + DNS_RR_HEADER + addr_len;
	struct dns_unit *unit;
	uint8_t *at;

	if (m->is_out_of_memory)
		return;
	unit = &m->units[m->n_units - 1];
	at = unit->glue_len + size > UINT16_MAX ? NULL : reserve(m, size);
	if (at == NULL)
		return;
	memcpy(at, labels, len);
	write_u16(at + len, POINTER | (DNS_HEADER_SIZE + suffix));
	write_record(at + len + 2, is_v4 ? DNS_TYPE_A : DNS_TYPE_AAAA, m->ttl_s, addr->b + 16 - addr_len,
		addr_len);
	unit->glue_len = (uint16_t)(unit->glue_len + size);
	unit->n_glue++;
}

void
dns_making_srv(struct dns_making *m, uint16_t port, const struct dns_wire *target)
{
	uint8_t data[6 + DNS_NAME_MAX] = { 0 };

	write_u16(data + 4, port);
	memcpy(data + 6, target->bytes, target->len);
	dns_making_record(m, data, 6 + target->len);
}

void
dns_making_weights(struct dns_making *m, size_t n_shares)
{
	unsigned weight =
		n_shares >= SRV_WEIGHT_SUM ? 1 : SRV_WEIGHT_SUM / (n_shares == 0 ? 1 : (unsigned)n_shares);

	if (m->is_out_of_memory)
		return;
	for (uint32_t u = 0; u < m->sets[m->n_sets - 1].n; u++) {
		const struct dns_unit *unit = &m->units[m->sets[m->n_sets - 1].first + u];
		uint8_t *at = m->bytes + unit->at;

		for (unsigned i = 0; i < unit->n; i++, at += dns_rr_size(at))
			write_u16(at + DNS_RR_HEADER + 2, weight);
	}
}

/* --- the piece of memory */

/* The size of each unit of a set, if one is as the other, a record without glue; else 0. */
static uint16_t
stride_of(const struct dns_making *m, unsigned set)
{
	const struct dns_unit *units = &m->units[m->sets[set].first];

	for (uint32_t i = 0; i < m->sets[set].n; i++)
		if (units[i].n != 1 || units[i].n_glue != 0 || units[i].len != units[0].len)
			return 0;
	return units[0].len;
}

static size_t
sets_at(const struct dns_making *m)
{
	return (sizeof(struct dns_node) + m->name.len + 3) / 4 * 4;
}

/* Where the bytes begin: behind the sets, and the units of those that need some. */
static size_t
bytes_at(const struct dns_making *m)
{
	size_t at = sets_at(m) + m->n_sets * sizeof(struct dns_set);

	for (unsigned i = 0; i < m->n_sets; i++)
		if (stride_of(m, i) == 0)
			at += m->sets[i].n * sizeof(struct dns_unit);
	return at;
}

static void
fill_sets(const struct dns_making *m, uint8_t *image)
{
	struct dns_set *sets = (struct dns_set *)(image + sets_at(m));
	size_t units_at = sets_at(m) + m->n_sets * sizeof(*sets), base = bytes_at(m);

	for (unsigned i = 0; i < m->n_sets; i++) {
		const struct dns_unit *units = &m->units[m->sets[i].first];
		struct dns_unit *to = (struct dns_unit *)(image + units_at);

		sets[i] = (struct dns_set){ m->sets[i].type, stride_of(m, i), m->sets[i].n, 0 };
		sets[i].at = (uint32_t)(sets[i].stride != 0 ? base + units[0].at : units_at);
		for (uint32_t u = 0; sets[i].stride == 0 && u < m->sets[i].n; u++) {
			to[u] = units[u];
			to[u].at += (uint32_t)base;
			units_at += sizeof(*to);
		}
	}
	if (m->n_bytes != 0)
		memcpy(image + base, m->bytes, m->n_bytes);
}

static const struct dns_node *
fill(struct dns_making *m, size_t size)
{
	struct dns_node *node;

	if (size > m->image_room) {
		uint8_t *image = realloc(m->image, 2 * size);

		if (image == NULL)
			return NULL;
		m->image = image;
		m->image_room = 2 * size;
	}
	memset(m->image, 0, bytes_at(m)); /* gaps as well: it will be compared */
	node = (struct dns_node *)m->image;
	node->size = (uint32_t)size;
	node->n_owners = m->n_owners;
	node->len = (uint8_t)m->name.len;
	node->n_sets = (uint8_t)m->n_sets;
	node->flags = m->flags;
	node->prefix_len = m->prefix_len;
	memcpy(node->name, m->name.bytes, m->name.len);
	fill_sets(m, m->image);
	return node;
}

int
dns_making_end(struct dns_making *m, const struct dns_node **out)
{
	const struct dns_node *wanted, *old;
	struct dns_node *node;
	size_t size;

	if (m->is_out_of_memory)
		return -ENOMEM;
	if (m->n_sets != 0 && m->sets[m->n_sets - 1].n == 0)
		m->n_sets--;
	size = bytes_at(m) + m->n_bytes;
	wanted = fill(m, size);
	if (wanted == NULL)
		return -ENOMEM;
	old = dns_zone_get(m->zone, m->name.bytes, m->name.len);
	if (old != NULL && old->size == size && memcmp(old, wanted, size) == 0) {
		*out = old;
		return 0;
	}
	node = dns_zone_node_new(m->zone, size);
	if (node == NULL)
		return -ENOMEM;
	memcpy(node, wanted, size);
	*out = node;
	return dns_zone_put(m->zone, node);
}
