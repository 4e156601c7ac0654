#include "perf/cluster.h"

#include <errno.h>

#define FIRST_HOST 2 /* 0 and 1 are left free, as IPAM does */

static uint32_t
n_local_backends(const struct cluster *c)
{
	return c->shape.n_pods - c->shape.first_backend;
}

int
cluster_init(struct cluster *c, const struct cluster_shape *shape)
{
	uint32_t remote = shape->local_backends ? 0 : (shape->n_endpoints + CLUSTER_PODS - 1) / CLUSTER_PODS;

	*c = (struct cluster){
		.shape = *shape,
		.n_nodes = 1 + (remote < 2 ? 2 : remote),
		.proto = shape->udp ? PROTO_UDP : PROTO_TCP,
	};
	return shape->local_backends && cluster_service_size(c, 0) > n_local_backends(c) ? -EINVAL : 0;
}

static struct ip_addr
addr_v6(uint16_t net, uint16_t subnet, uint32_t host)
{
	uint8_t b[16] = { 0xfd, 0, 0, 0x10, (uint8_t)(net >> 8), (uint8_t)net, (uint8_t)(subnet >> 8),
		(uint8_t)subnet };

	for (unsigned i = 0; i < 4; i++)
		b[12 + i] = (uint8_t)(host >> (24 - 8 * i));
	return ip_addr_v6(b);
}

struct ip_addr
cluster_pod_addr(const struct cluster *c, uint32_t node, uint32_t pod)
{
	if (c->shape.ipv6)
		return addr_v6(0x244, (uint16_t)node, FIRST_HOST + pod);
	return ip_addr_v4(be32_from(0x0a400000 + (node << 8) + FIRST_HOST + pod)); /* 10.64.0.0/11 */
}

struct ip_addr
cluster_service_addr(const struct cluster *c, uint32_t service)
{
	if (c->shape.ipv6)
		return addr_v6(0x96, 0, 1 + service);
	return ip_addr_v4(be32_from(0x0a600001 + service)); /* 10.96.0.0/12 */
}

struct ip_prefix
cluster_pod_cidr(const struct cluster *c, uint32_t node)
{
	struct ip_addr first = cluster_pod_addr(c, node, 0);
	uint8_t len = c->shape.ipv6 ? 64 : 96 + 24;

	return (struct ip_prefix){ .addr = ip_addr_mask(&first, len), .len = len };
}

struct ip_addr
cluster_node_addr(uint32_t node)
{
	return ip_addr_v4(be32_from(0xac100001 + node)); /* 172.16.0.0/12 */
}

uint32_t
cluster_find_node(const struct cluster *c, const struct ip_addr *addr)
{
	struct ip_addr first = cluster_node_addr(0);

	return be32_host(ip_addr_to_v4(addr)) - be32_host(ip_addr_to_v4(&first));
}

static struct mac_addr
mac(uint8_t kind, uint32_t n)
{
	return (struct mac_addr){ { 2, kind, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

struct mac_addr
cluster_pod_mac(uint32_t pod)
{
	return mac(0x50, pod);
}

struct mac_addr
cluster_tunnel_mac(uint32_t node)
{
	return mac(0x60, node);
}

struct mac_addr
cluster_next_hop(uint32_t node)
{
	return mac(0x70, node);
}

bool
cluster_find_pod(const struct cluster *c, const struct ip_addr *addr, uint32_t *node, uint32_t *pod)
{
	uint32_t low = __builtin_bswap32(addr->d[3]);
	struct ip_addr back;

	if (c->shape.ipv6) {
		*node = (uint32_t)addr->b[6] << 8 | addr->b[7];
		*pod = low - FIRST_HOST;
	} else {
		*node = (low - 0x0a400000) >> 8;
		*pod = (low & 0xff) - FIRST_HOST;
	}
	if (*node >= c->n_nodes || *pod >= (*node == 0 ? c->shape.n_pods : CLUSTER_PODS))
		return false;
	back = cluster_pod_addr(c, *node, *pod);
	return ip_addr_eq(&back, addr);
}

uint32_t
cluster_service_size(const struct cluster *c, uint32_t service)
{
	return c->shape.n_endpoints / c->shape.n_services +
	       (service < c->shape.n_endpoints % c->shape.n_services);
}

/* The pod of a service's j-th local endpoint: an odd stride, so that neighbours do not share all their
 * pods. */
static uint32_t
local_pod(const struct cluster *c, uint32_t service, uint32_t j)
{
	return c->shape.first_backend + (service * 7 + j) % n_local_backends(c);
}

static uint16_t
local_port(uint32_t service)
{
	return (uint16_t)(EPHEMERAL_FIRST + service % EPHEMERAL_COUNT);
}

void
cluster_endpoint(
	const struct cluster *c, uint32_t service, uint32_t j, uint32_t *node, uint32_t *pod, uint16_t *port)
{
	uint32_t number = j * c->shape.n_services + service; /* so a service is spread over the nodes */

	if (c->shape.local_backends) {
		*node = 0;
		*pod = local_pod(c, service, j);
		*port = local_port(service);
		return;
	}
	*node = 1 + number / CLUSTER_PODS;
	*pod = number % CLUSTER_PODS;
	*port = REMOTE_BACKEND_PORT;
}

bool
cluster_is_endpoint(const struct cluster *c, uint32_t service, uint32_t node, uint32_t pod, uint16_t port)
{
	uint32_t number;

	if (c->shape.local_backends) {
		uint32_t n = n_local_backends(c);

		return node == 0 && pod >= c->shape.first_backend && port == local_port(service) &&
		       (pod - c->shape.first_backend + n - service * 7 % n) % n <
			       cluster_service_size(c, service);
	}
	if (node == 0 || port != REMOTE_BACKEND_PORT)
		return false;
	number = (node - 1) * CLUSTER_PODS + pod;
	return number < c->shape.n_endpoints && number % c->shape.n_services == service;
}
