/* Why a service has no backend: from the end of the chain (selector, pods, slices, readiness, tables) to its beginning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/service_frontends.h"
#include "control/admin/service_index.h"
#include "control/admin/services.h"
#include "control/build/endpoint_select.h"
#include "control/model/nearest.h"

struct pod_search {
	const struct service_object *service;
	unsigned n_pods, n_matching;
	struct nearest nearest;
};

static bool
is_selected(const struct pod_object *pod, const struct labels *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		const char *value = labels_get(&pod->labels, selector->items[i].key);

		if (value == NULL || strcmp(value, selector->items[i].value) != 0)
			return false;
	}
	return true;
}

static void
match_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct pod_search *s = arg;

	if (strcmp(object->ns, s->service->object.ns) != 0)
		return;
	s->n_pods++;
	if (is_selected(pod, &s->service->selector))
		s->n_matching++;
	else
		for (size_t i = 0; i < s->service->selector.n; i++)
			nearest_label(&s->nearest, s->service->selector.items[i].key,
				s->service->selector.items[i].value, &pod->labels);
}

static void
print_selector(const struct labels *selector, char *text, size_t size)
{
	size_t len = 0;

	*text = '\0';
	for (size_t i = 0; i < selector->n && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s=%s", i == 0 ? "" : ",",
			selector->items[i].key, selector->items[i].value);
}

/* No slice has an endpoint. */
static void
explain_no_endpoints(const struct names *n, const struct service_object *service, char *buf)
{
	struct pod_search s = { .service = service };
	char selector[96];

	if (service->selector.n == 0) {
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"it has no selector, and nobody made an EndpointSlice with addresses for it");
		return;
	}
	store_each(n->store, OBJECT_POD, match_pod, &s);
	print_selector(&service->selector, selector, sizeof(selector));
	if (s.n_matching == 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE, "selector %s matches 0 of the %u pods known in %s%s%s",
			selector, s.n_pods, service->object.ns, s.nearest.is_found ? "; nearest is " : "",
			s.nearest.text);
	else
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"selector %s matches %u pods, but no EndpointSlice has their addresses (yet)",
			selector, s.n_matching);
}

struct backend_count {
	size_t n_endpoints, n_with_port, n_ready, n_draining;
	size_t n_here; /* that are ready, or draining, on this node */
	size_t n_slices;
};

static struct backend_count
count_backends(const struct names *n, const struct service_index *x, const struct service_object *service,
	const struct service_port *port)
{
	struct backend_count count = { 0 };
	const struct slice_object **slices = service_index_slices(x, service, &count.n_slices);

	for (size_t i = 0; i < count.n_slices; i++) {
		bool has_port = endpoint_select_port(slices[i], port) != NULL;

		count.n_endpoints += slices[i]->n_endpoints;
		for (size_t k = 0; has_port && k < slices[i]->n_endpoints; k++) {
			const struct slice_endpoint *e = &slices[i]->endpoints[k];
			bool is_ready = e->ready || service->publish_not_ready;
			bool is_draining = !is_ready && e->serving && e->terminating;

			count.n_with_port++;
			count.n_ready += is_ready;
			count.n_draining += is_draining;
			count.n_here += (is_ready || is_draining) && n->view->node != NULL &&
					strcmp(e->node, n->view->node) == 0;
		}
	}
	return count;
}

static void
explain_backends(const struct service_object *service, const struct service_port *port,
	const struct backend_count *count, char *buf)
{
	if (count->n_with_port == 0 && port->target_name != NULL)
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"%zu endpoints, but none for port '%s': do the pods' containers have a port named "
			"'%.63s' of this protocol?",
			count->n_endpoints, port->name, port->target_name);
	else if (count->n_with_port == 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"%zu endpoints, but no EndpointSlice has a port named '%s' of this protocol",
			count->n_endpoints, port->name);
	else if (count->n_ready == 0 && count->n_draining != 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"none of its %zu endpoints is ready; %zu that terminate serve in their place",
			count->n_with_port, count->n_draining);
	else if (count->n_ready == 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE, "none of its %zu endpoints is ready", count->n_with_port);
	else if (service->internal_local && count->n_here == 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"none of its %zu ready endpoints is on this node, and internalTrafficPolicy is Local",
			count->n_ready);
}

const char *
services_problem_of(const struct names *n, const struct service_index *x,
	const struct service_object *service, const struct service_port *port,
	char buf[static SERVICE_PROBLEM_SIZE])
{
	struct backend_count count;

	*buf = '\0';
	if (!service_is_served(service))
		return buf;
	count = count_backends(n, x, service, port);
	if (count.n_endpoints == 0)
		explain_no_endpoints(n, service, buf);
	else
		explain_backends(service, port, &count, buf);
	for (size_t i = 0; *buf == '\0' && i < service->n_cluster_ips; i++)
		if (service_index_frontend(x, &service->cluster_ips[i], port->port, port->proto) == NULL)
			snprintf(buf, SERVICE_PROBLEM_SIZE,
				"not in force (yet): `ringway status` shows errors");
	if (*buf == '\0')
		lost_problem(n, service, port, buf, SERVICE_PROBLEM_SIZE);
	return buf;
}

const char *
services_problem(const struct names *n, const struct service_object *service, const struct service_port *port,
	char buf[static SERVICE_PROBLEM_SIZE])
{
	struct service_index x;

	*buf = '\0';
	if (!service_index_init(&x, n->store, n->tables == NULL ? NULL : n->tables->services))
		return buf;
	services_problem_of(n, &x, service, port, buf);
	service_index_fini(&x);
	return buf;
}
