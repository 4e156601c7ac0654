/* Handlers that only put together what the daemon has with what makes text of it. */
#include <stdlib.h>

#include "control/admin/dns.h"
#include "control/admin/drops.h"
#include "control/admin/exceptions.h"
#include "control/admin/metrics.h"
#include "control/admin/nodes.h"
#include "control/admin/pods.h"
#include "control/admin/services.h"
#include "control/admin/unmanaged.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/node/attach.h"

static void
fail_memory(struct admin_reply *reply)
{
	admin_fail(reply, 500, NULL, "out of memory");
}

void
metrics_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);

	if (v != NULL && (v->dns = dns_view_new(d)) != NULL) {
		v->n_unmanaged = unmanaged_count(d);
		reply->text = metrics_text(v);
	}
	reply->content_type = METRICS_CONTENT_TYPE;
	if (reply->text == NULL)
		fail_memory(reply);
	view_free(v);
}

void
dns_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct dns_view *v = dns_view_new(d);

	if (v != NULL)
		reply->json = dns_json(v);
	if (reply->json == NULL)
		fail_memory(reply);
	dns_view_free(v);
}

void
drops_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct view *v = view_new(d);

	if (v != NULL)
		reply->json = drops_json(v);
	if (reply->json == NULL)
		fail_memory(reply);
	view_free(v);
}

/* What is shown is in force: changes that wait for their build are built first. False with the reply made. */
static bool
names_gather(struct daemon *d, struct names *n, struct admin_reply *reply)
{
	publisher_flush(d->publisher);
	*n = (struct names){
		.store = d->store,
		.view = view_new(d),
		.tables = publisher_tables(d->publisher),
		.builder = publisher_services(d->publisher),
	};
	if (n->view == NULL)
		fail_memory(reply);
	return n->view != NULL;
}

static void
add_host_ports(const struct attached *pod, void *arg)
{
	for (size_t i = 0; i < pod->record.n_host_ports; i++) {
		json_t *port = host_port_json(&pod->record.host_ports[i]);

		json_object_set_new(port, "namespace", json_string(pod->record.pod_ns));
		json_object_set_new(port, "name", json_string(pod->record.pod));
		json_array_append_new(arg, port);
	}
}

void
services_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct services_filter filter = {
		.which = admin_query(req, "service"),
		.is_exposed = admin_query(req, "exposed") != NULL,
		.is_brief = admin_query(req, "brief") != NULL,
	};
	struct names n;

	if (!names_gather(d, &n, reply))
		return;
	reply->json = services_json(&n, &filter);
	if (reply->json != NULL)
		exceptions_add_to_services(d, json_object_get(reply->json, "services"));
	if (reply->json == NULL) {
		fail_memory(reply);
	} else if (filter.which == NULL) {
		json_t *host_ports = json_array();

		attach_each(d->attach, add_host_ports, host_ports);
		json_object_set_new(reply->json, "host_ports", host_ports);
	}
	view_free((struct view *)n.view);
}

void
endpoints_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct names n;

	if (!names_gather(d, &n, reply))
		return;
	reply->json = endpoints_json(&n);
	if (reply->json == NULL)
		fail_memory(reply);
	view_free((struct view *)n.view);
}

void
nodes_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct names n = { .store = d->store };

	publisher_flush(d->publisher);
	n.tables = publisher_tables(d->publisher);
	reply->json = nodes_json(&n, d->config.node.name, d->underlay);
	if (reply->json == NULL)
		fail_memory(reply);
}
