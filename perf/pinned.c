#include "perf/pinned.h"

#include "dataplane/service/nat_flows.h"
#include "dataplane/service/service_table.h"

static bool
pin(struct world *w, const struct traffic *t, uint32_t index)
{
	const struct service_table *services = w->tables->services;
	struct flow f = traffic_flow(t, index);
	struct ip_addr client = cluster_pod_addr(w->cluster, 0, f.pod),
		       service = cluster_service_addr(w->cluster, f.service);
	uint8_t proto = w->cluster->proto;
	const struct frontend *front = service_frontend(
		services, addr_hash(&service, SERVICE_PORT, proto), &service, SERVICE_PORT, proto);
	uint32_t hash = flow_hash(&client, &service, f.port, SERVICE_PORT, proto);
	const struct backend *b = service_backend(front, *service_bucket(front, hash));
	const struct nat_flow x = {
		.client = client,
		.client_port = f.port,
		.frontend = service,
		.frontend_port = SERVICE_PORT,
		.backend = b->addr,
		.backend_port = b->port,
		.wire = client,
		.wire_port = slot_encode(f.port, b->slot),
		.proto = proto,
		.generation = b->generation,
		.pod = b->pod,
	};

	if (b->slot == 0 || ip_addr_eq(&b->addr, &client))
		return true;
	return nat_flows_add(w->workers[f.pod % w->n_workers]->exceptions, &x, NULL, 0) != NULL;
}

bool
pinned_put(struct world *w, const struct traffic *t, uint32_t n)
{
	for (uint32_t i = 0; i < n && i < t->n_flows; i++)
		if (!pin(w, t, i))
			return false;
	return true;
}
