#include "control/build/host_ports.h"

#include <stdio.h>

#define PREFIX "pod/"

bool
host_ports_is_name(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

const char *
host_ports_name(const struct pod_host_port *p, char buf[static HOST_PORTS_NAME_SIZE])
{
	char addr[IP_ADDR_STRLEN];

	if (*p->pod == '\0')
		ip_addr_format(&p->addrs[ip_addr_is_none(&p->addrs[V4]) ? V6 : V4], addr);
	snprintf(buf, HOST_PORTS_NAME_SIZE, PREFIX "%s", *p->pod == '\0' ? addr : p->pod);
	return buf;
}

static bool
is_of(const struct pod_host_port *p, const char *ns, const char *name)
{
	char own[HOST_PORTS_NAME_SIZE];

	return strcmp(p->pod_ns, ns) == 0 && strcmp(host_ports_name(p, own), name) == 0;
}

bool
host_ports_exist(const struct build_facts *facts, const char *ns, const char *name)
{
	for (size_t i = 0; i < facts->n_host_ports; i++)
		if (is_of(&facts->host_ports[i], ns, name))
			return true;
	return false;
}

static bool
is_served(const struct pod_host_port *p, const struct ip_addr *own)
{
	if (!ip_addr_is_none(&p->map.host_addr) && !ip_addr_eq(&p->map.host_addr, own))
		return false;
	return !ip_addr_is_none(&p->addrs[ip_addr_is_v4(own) ? V4 : V6]) && !wanted_is_special(own);
}

int
host_ports_collect(struct wanted *out, const struct build_facts *facts, const char *ns, const char *name)
{
	int result = 0;

	for (size_t i = 0; i < facts->n_host_ports; i++) {
		const struct pod_host_port *p = &facts->host_ports[i];

		if (!is_of(p, ns, name))
			continue;
		for (size_t k = 0; result == 0 && k < facts->n_own_addrs; k++)
			if (is_served(p, &facts->own_addrs[k]))
				result = wanted_add(out, &(struct wanted_frontend){
								 .addr = facts->own_addrs[k],
								 .port = p->map.port,
								 .proto = p->map.proto,
								 .kind = FRONTEND_HOST_PORT,
								 .service_port = (uint32_t)i,
							 });
	}
	return result;
}

void
host_port_describe(struct host_port_service *out, const struct pod_host_port *p, enum family_index family,
	const char *node)
{
	*out = (struct host_port_service){
		.service = { .object.ns = (char *)p->pod_ns,
			.type = SERVICE_NODE_PORT,
			.external_local = true,
			.n_ports = 1 },
		.port = { .name = (char *)"", .port = p->map.port, .proto = p->map.proto },
		.slice = { .family = family == V4 ? 4 : 6, .n_ports = 1, .n_endpoints = 1 },
		.slice_port = { .name = (char *)"", .port = p->map.pod_port, .proto = p->map.proto },
		.endpoint = { .n_addrs = 1,
			.ready = true,
			.serving = true,
			.node = (char *)node,
			.pod = (char *)p->pod },
		.addr = p->addrs[family],
	};
	out->service.ports = &out->port;
	out->slice.service = (char *)"";
	out->slice.ports = &out->slice_port;
	out->slice.endpoints = &out->endpoint;
	out->endpoint.addrs = &out->addr;
}

static void
add(uint64_t *sum, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++) /* FNV-1a */
		*sum = (*sum ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
}

uint64_t
host_ports_digest(const struct build_facts *facts)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < facts->n_host_ports; i++) {
		const struct pod_host_port *p = &facts->host_ports[i];

		add(&sum, &p->map.host_addr, sizeof(p->map.host_addr));
		add(&sum, &p->map.port, sizeof(p->map.port));
		add(&sum, &p->map.pod_port, sizeof(p->map.pod_port));
		add(&sum, &p->map.proto, sizeof(p->map.proto));
		add(&sum, p->addrs, sizeof(p->addrs));
		add(&sum, p->pod_ns, strlen(p->pod_ns) + 1);
		add(&sum, p->pod, strlen(p->pod) + 1);
	}
	add(&sum, &facts->n_host_ports, sizeof(facts->n_host_ports));
	return sum;
}
