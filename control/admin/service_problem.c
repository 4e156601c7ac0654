/* Why a service has no backend: from the end of the chain (selector, pods, slices, readiness, tables) to its beginning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/service_index.h"
#include "control/admin/services.h"

/* Typing errors that are worth a guess. */
#define NEAR_ENOUGH 3

struct pod_search {
	const struct service_object *service;
	unsigned n_pods, n_matching;
	unsigned nearest; /* edits from the selector's value to this one */
	char hint[160];
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

/* How many letters must be put in, left out or changed to make one word the other (Levenshtein), for short words. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = strlen(b);

	if (n + 1 > sizeof(row) / sizeof(row[0]))
		return UINT32_MAX;
	for (size_t k = 0; k <= n; k++)
		row[k] = (unsigned)k;
	for (size_t i = 1; *a != '\0'; i++, a++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t k = 1; k <= n; k++) {
			unsigned change = diagonal + (*a != b[k - 1]), shorter = row[k] + 1,
				 longer = row[k - 1] + 1;

			diagonal = row[k];
			row[k] = change < shorter ? change : shorter;
			row[k] = row[k] < longer ? row[k] : longer;
		}
	}
	return row[n];
}

static void
note_nearest(struct pod_search *s, const struct pod_object *pod)
{
	for (size_t i = 0; i < s->service->selector.n; i++) {
		const struct label *wanted = &s->service->selector.items[i];
		const char *value = labels_get(&pod->labels, wanted->key);
		unsigned distance = value == NULL ? UINT32_MAX : edit_distance(wanted->value, value);

		if (distance == 0 || distance >= s->nearest)
			continue;
		s->nearest = distance;
		snprintf(s->hint, sizeof(s->hint), "; nearest is %.60s=%.60s", wanted->key, value);
	}
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
		note_nearest(s, pod);
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
	struct pod_search s = { .service = service, .nearest = NEAR_ENOUGH + 1 };
	char selector[96];

	if (service->selector.n == 0) {
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"it has no selector, and nobody made an EndpointSlice with addresses for it");
		return;
	}
	store_each(n->store, OBJECT_POD, match_pod, &s);
	print_selector(&service->selector, selector, sizeof(selector));
	if (s.n_matching == 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE, "selector %s matches 0 of the %u pods known in %s%s",
			selector, s.n_pods, service->object.ns, s.hint);
	else
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"selector %s matches %u pods, but no EndpointSlice has their addresses (yet)",
			selector, s.n_matching);
}

struct backend_count {
	size_t n_endpoints, n_with_port, n_ready;
	size_t n_slices;
};

static struct backend_count
count_backends(
	const struct service_index *x, const struct service_object *service, const struct service_port *port)
{
	struct backend_count count = { 0 };
	const struct slice_object **slices = service_index_slices(x, service, &count.n_slices);

	for (size_t i = 0; i < count.n_slices; i++) {
		bool has_port = service_index_port(slices[i], port) != NULL;

		count.n_endpoints += slices[i]->n_endpoints;
		for (size_t k = 0; has_port && k < slices[i]->n_endpoints; k++) {
			count.n_with_port++;
			count.n_ready += slices[i]->endpoints[k].ready;
		}
	}
	return count;
}

const char *
services_problem_of(const struct names *n, const struct service_index *x,
	const struct service_object *service, const struct service_port *port,
	char buf[static SERVICE_PROBLEM_SIZE])
{
	struct backend_count count = count_backends(x, service, port);

	*buf = '\0';
	if (service->headless || service->type == SERVICE_EXTERNAL_NAME)
		return buf;
	if (count.n_endpoints == 0)
		explain_no_endpoints(n, service, buf);
	else if (count.n_with_port == 0)
		snprintf(buf, SERVICE_PROBLEM_SIZE,
			"%zu endpoints, but no EndpointSlice has a port named '%s' of this protocol",
			count.n_endpoints, port->name);
	else if (count.n_ready == 0 && !service->publish_not_ready)
		snprintf(buf, SERVICE_PROBLEM_SIZE, "none of its %zu endpoints is ready", count.n_with_port);
	for (size_t i = 0; *buf == '\0' && i < service->n_cluster_ips; i++)
		if (service_index_frontend(x, &service->cluster_ips[i], port->port, port->proto) == NULL)
			snprintf(buf, SERVICE_PROBLEM_SIZE,
				"not in force (yet): `ringway status` shows errors");
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
