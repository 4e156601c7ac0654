#include "tests/support/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_zone_edit.h"
#include "dataplane/service/piece_pool.h"
#include "tests/packets/names.h"
#include "tests/support/services.h"

#define ZONE "\7cluster\5local"
#define SHOP "\4shop\3svc" ZONE
#define N_MANY 100

struct names {
	struct piece_pool *pool;
	struct dns_zone *zone;
	struct snapshot *snapshot;
	int fd; /* readable when there are misses */
};

struct record {
	uint16_t type;
	unsigned n; /* as many */
	const uint8_t *data;
	uint16_t len;
};

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

/* Owner, type, class, TTL, length and data; the next one's owner begins behind it. */
static uint8_t *
put_record(uint8_t *at, const struct record *r)
{
	const uint8_t header[DNS_RR_HEADER] = { 0xc0, DNS_HEADER_SIZE, (uint8_t)(r->type >> 8),
		(uint8_t)r->type, 0, DNS_CLASS_IN, 0, 0, 0, NAMES_TTL, (uint8_t)(r->len >> 8),
		(uint8_t)r->len };

	memcpy(at, header, sizeof(header));
	memcpy(at + sizeof(header), r->data, r->len);
	return at + sizeof(header) + r->len;
}

/* The name's sets, one for each record, ascending by type. */
static void
add_name(struct dns_zone *z, const char *name, const struct record *records, uint8_t n)
{
	size_t len = strlen(name) + 1,
	       size = (sizeof(struct dns_node) + len + 3) / 4 * 4 + n * sizeof(struct dns_set);
	struct dns_node *node;
	struct dns_set *sets;
	uint32_t place = (uint32_t)size;
	uint8_t *at;

	for (unsigned i = 0; i < n; i++)
		size += (size_t)records[i].n * (DNS_RR_HEADER + records[i].len);
	node = dns_zone_node_new(z, size);
	if (node == NULL)
		abort();
	memset(node, 0, size);
	*node = (struct dns_node){ .size = (uint32_t)size, .n_owners = 1, .len = (uint8_t)len, .n_sets = n };
	memcpy(node->name, name, len);
	sets = (struct dns_set *)dns_node_sets(node);
	at = (uint8_t *)node + place;
	for (unsigned i = 0; i < n; i++) {
		sets[i] = (struct dns_set){ .type = records[i].type,
			.stride = (uint16_t)(DNS_RR_HEADER + records[i].len),
			.n_units = records[i].n,
			.at = (uint32_t)(at - (uint8_t *)node) };
		for (unsigned k = 0; k < records[i].n; k++)
			at = put_record(at, &records[i]);
	}
	if (dns_zone_put(z, node) < 0)
		abort();
}

static void
fill_zone(struct dns_zone *z)
{
	static const uint8_t v4[] = { 10, 96, 0, 7 }, same_v4[] = { 10, 97, 0, 1 },
			     outside[] = "\7example\3com", named[] = "\3api" SHOP;
	const struct ip_addr v6 = addr("fd00:10:96::7");
	const struct record api[] = { { DNS_TYPE_A, 1, v4, sizeof(v4) },
		{ DNS_TYPE_AAAA, 1, v6.b, sizeof(v6.b) } };
	const struct record many[] = { { DNS_TYPE_A, N_MANY, same_v4, sizeof(same_v4) } };
	const struct record reverse[] = { { DNS_TYPE_PTR, 1, named, sizeof(named) } };
	const struct record out[] = { { DNS_TYPE_CNAME, 1, outside, sizeof(outside) } };

	add_name(z, "\3api" SHOP, api, 2);
	add_name(z, "\4many" SHOP, many, 1);
	add_name(z, "\3out" SHOP, out, 1);
	add_name(z, "\0017\0010\00296\00210\7in-addr\4arpa", reverse, 1);
	dns_zone_commit(z);
}

static struct names *
make_names(void)
{
	static const uint8_t zone[] = ZONE;
	const struct dns_zone_config config = { .name = zone, .ttl_s = NAMES_TTL, .serial = 1, .seed = 7 };
	struct names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		abort();
	names->pool = piece_pool_new();
	names->zone = dns_zone_new(&config, names->pool);
	if (names->zone == NULL)
		abort();
	fill_zone(names->zone);
	return names;
}

void
no_names_yet(struct fixture *f)
{
	static const char *const asked[] = { DNS_V4, DNS_V6, LOCAL_V4, LOCAL_V6 };
	struct dns_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		t->asked[t->n_asked++] = (struct dns_server){ addr(asked[i]), 53 };
	t->backends[V4].n = t->backends[V6].n = 1;
	t->backends[V4].servers[0] = (struct dns_server){ addr(REMOTE_V4), 5353 };
	t->backends[V6].servers[0] = (struct dns_server){ addr(REMOTE_V6), 5353 };
	f->dns = t;
	f->tables.dns = t;
}

void
some_names(struct fixture *f)
{
	no_names_yet(f);
	f->names = make_names();
	f->dns->zone = f->names->zone;
}

void
some_resolver(struct fixture *f)
{
	struct names *names = f->names;
	struct dns_cache_config config = {
		.memory_bytes = DNS_CACHE_MEMORY_MIN, .negative_percent = 25, .seed = names->zone->seed
	};

	config.snapshot = names->snapshot = snapshot_new(1);
	names->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->dns->cache = dns_cache_new(&config);
	f->rings = dns_rings_new(f->n_workers, names->fd);
	if (f->dns->cache == NULL || f->rings == NULL)
		abort();
	for (unsigned i = 0; i < f->n_workers; i++)
		f->workers[i]->dns_rings = f->rings;
}

void
names_free(struct fixture *f)
{
	if (f->rings != NULL) {
		dns_rings_free(f->rings);
		dns_cache_free(f->dns->cache);
		snapshot_free(f->names->snapshot);
		close(f->names->fd);
	}
	free(f->dns);
	if (f->names == NULL)
		return;
	dns_zone_free(f->names->zone);
	piece_pool_free(f->names->pool);
	free(f->names);
}
