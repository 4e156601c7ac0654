#include "control/admin/pods.h"

#include <errno.h>
#include <stdlib.h>

#include "control/admin/drops.h"
#include "control/admin/exceptions.h"
#include "control/admin/names.h"
#include "control/admin/nodes.h"
#include "control/admin/unmanaged.h"
#include "control/build/policy_build.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/node/attach.h"

struct listing {
	struct daemon *d;
	const struct view *view;
	struct exception_counts exceptions;
	json_t *items;
};

static json_t *
addrs_json(const struct ip_addr addrs[N_FAMILIES])
{
	json_t *list = json_array();
	char buf[IP_ADDR_STRLEN];

	for (unsigned i = 0; i < N_FAMILIES; i++)
		if (!ip_addr_is_none(&addrs[i]))
			json_array_append_new(list, json_string(ip_addr_format(&addrs[i], buf)));
	return list;
}

json_t *
host_port_json(const struct host_port *p)
{
	char buf[IP_ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:s, s:i}", "address",
		ip_addr_is_none(&p->host_addr) ? "" : ip_addr_format(&p->host_addr, buf), "port",
		(int)p->port, "protocol", proto_name(p->proto), "pod_port", (int)p->pod_port);
}

static json_t *
host_ports_json(const struct attachment_record *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_host_ports; i++)
		json_array_append_new(list, host_port_json(&r->host_ports[i]));
	return list;
}

static const struct port_view *
port_of(const struct view *v, const struct attached *pod)
{
	for (unsigned i = 0; pod->port != NULL && i < v->n_ports; i++)
		if (v->ports[i].id == pod->port->id)
			return &v->ports[i];
	return NULL;
}

/* Whether packets pass all the same, and are only counted. */
static bool
is_audited(const struct policy_table *policies, uint16_t port)
{
	const struct pod_policy *p = policies == NULL ? NULL : policy_of_port(policies, port);

	return p != NULL && p->is_audit;
}

/* What keeps the pod from its traffic, or "". */
static const char *
problem_of(const struct listing *l, const struct attached *pod, const struct port_view *port)
{
	const struct publisher *publisher = l->d->publisher;
	const struct tables *t = publisher == NULL ? NULL : publisher_tables(publisher);
	const char *closed;

	if (pod->record.phase == ATTACHMENT_INTENT)
		return "being attached";
	if (pod->trouble[0] != '\0')
		return pod->trouble;
	if (port == NULL || t == NULL || is_audited(t->policies, port->id))
		return "";
	closed = policy_builder_closed(publisher_policies(publisher), port->id);
	return closed == NULL ? "" : closed;
}

static void
add_pod(const struct attached *pod, void *arg)
{
	static const struct port_stats no_stats;
	struct listing *l = arg;
	const struct attachment_record *r = &pod->record;
	const struct port_view *port = port_of(l->view, pod);
	const struct port_stats *stats = port == NULL ? &no_stats : &port->stats;
	struct exception_count exceptions = exceptions_of(&l->exceptions, r->addrs);
	char mac[MAC_TEXT_SIZE];

	json_array_append_new(l->items,
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:i, s:s, s:o, s:o, s:s, s:I, s:I, s:I, "
			  "s:I, s:o, s:I, s:o, s:I, s:b, s:o, s:s}",
			"namespace", r->pod_ns, "name", r->pod, "container", r->container_id, "netns",
			r->netns, "addresses", addrs_json(r->addrs), "mac", mac_format(&r->mac, mac), "mtu",
			(int)r->mtu, "interface", r->link, "port",
			port == NULL ? json_null() : json_integer(port->id), "worker",
			port == NULL ? json_null() : json_integer(port->worker), "xdp",
			port == NULL ? "" : xdp_mode_label(pod->mode), "rx_packets",
			(json_int_t)stats->rx_packets, "rx_bytes", (json_int_t)stats->rx_bytes, "tx_packets",
			(json_int_t)stats->tx_packets, "tx_bytes", (json_int_t)stats->tx_bytes, "drops",
			drops_of_port(stats), "exceptions", (json_int_t)exceptions.n, "exceptions_why",
			exceptions_reasons_json(&exceptions), "exceptions_quota",
			(json_int_t)l->d->config.services.exceptions_per_pod, "opaque",
			attached_is_opaque(pod), "host_ports", host_ports_json(r), "problem",
			problem_of(l, pod, port)));
}

void
pods_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct listing l = { .d = d, .view = view_new(d), .items = json_array() };

	if (l.view == NULL) {
		json_decref(l.items);
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	exceptions_count(d, &l.exceptions);
	attach_each(d->attach, add_pod, &l);
	reply->json = json_pack("{s:o, s:o}", "pods", l.items, "unmanaged", unmanaged_json(d));
	free(l.exceptions.counts);
	view_free((struct view *)l.view);
}
