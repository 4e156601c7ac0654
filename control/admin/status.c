#include "control/admin/status.h"

#include <stdio.h>

#include "control/admin/nodes.h"
#include "control/admin/policy_mode.h"
#include "control/admin/version.h"

static json_t *
workers_json(const struct view *v)
{
	json_t *workers = json_array();

	for (unsigned i = 0; i < v->n_workers; i++) {
		const struct worker_view *w = &v->workers[i];

		json_array_append_new(workers,
			json_pack("{s:i, s:i, s:b, s:i, s:I, s:f, s:f, s:I, s:I}", "id", (int)w->id, "cpu",
				w->cpu, "alive", w->is_alive, "ports", (int)w->n_ports, "received",
				(json_int_t)w->counters.counts[COUNT_RECEIVED], "cpu_seconds", w->cpu_s,
				"load", v->uptime_s > 0 ? w->cpu_s / v->uptime_s : 0.0, "polls",
				(json_int_t)w->counters.counts[COUNT_POLLS], "sleeps",
				(json_int_t)w->counters.counts[COUNT_SLEEPS]));
	}
	return workers;
}

static json_t *
objects_json(const struct view *v)
{
	json_t *objects = json_object();

	for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
		json_object_set_new(
			objects, object_kind_name(kind), json_integer((json_int_t)v->n_objects[kind]));
	return objects;
}

static json_t *
ranges_json(const struct view *v)
{
	json_t *ranges = json_array();

	for (unsigned i = 0; i < N_FAMILIES; i++)
		if (v->ranges[i].size != 0)
			json_array_append_new(
				ranges, json_pack("{s:s, s:i, s:i}", "cidr", v->ranges[i].cidr, "used",
						(int)v->ranges[i].used, "size", (int)v->ranges[i].size));
	return ranges;
}

static json_t *
uplink_json(const struct uplink_view *uplink)
{
	char mac[MAC_TEXT_SIZE];

	return json_pack("{s:s, s:b, s:i, s:s, s:s}", "interface", uplink->interface, "up", uplink->is_up,
		"mtu", (int)uplink->mtu, "mac", mac_format(&uplink->mac, mac), "xdp", uplink->xdp);
}

static json_t *
tunnel_json(const struct tables *t)
{
	char vtep[IP_ADDR_STRLEN] = "", mac[MAC_TEXT_SIZE];

	if (t == NULL)
		return json_pack("{s:s, s:s, s:i, s:i}", "vtep", "", "mac", "", "vni", 0, "port", 0);
	if (!ip_addr_is_none(&t->node->vtep))
		ip_addr_format(&t->node->vtep, vtep);
	return json_pack("{s:s, s:s, s:i, s:i}", "vtep", vtep, "mac", mac_format(&t->node->tunnel_mac, mac),
		"vni", (int)t->node->vni, "port", (int)t->node->vxlan_port);
}

/* `ringway nodes` without this node. */
static json_t *
peers_json(const struct names *n, const struct underlay *underlay)
{
	json_t *doc = nodes_json(n, n->view->node, underlay),
	       *peers = json_incref(json_object_get(doc, "nodes"));

	for (size_t i = json_array_size(peers); i-- > 0;)
		if (json_is_true(json_object_get(json_array_get(peers, i), "self")))
			json_array_remove(peers, i);
	json_decref(doc);
	return peers;
}

static json_t *
writes_json(const struct view *v)
{
	json_t *writes = json_array();

	for (unsigned i = 0; i < v->n_writes; i++) {
		const struct write_view *w = &v->writes[i];

		json_array_append_new(
			writes, json_pack("{s:s, s:I, s:I, s:I, s:s, s:f}", "kind", w->kind, "done",
					(json_int_t)w->n_done, "stale", (json_int_t)w->n_stale, "failed",
					(json_int_t)w->n_failed, "problem", w->problem, "problem_seconds",
					w->problem_s));
	}
	return writes;
}

/* Null when it comes from manifests. */
static json_t *
api_json(const struct view *v)
{
	json_t *watches = json_array();

	for (unsigned i = 0; i < v->n_watches; i++) {
		const struct watch_view *w = &v->watches[i];

		json_array_append_new(watches,
			json_pack("{s:s, s:s, s:b, s:I, s:s, s:o, s:s, s:f, s:I, s:I, s:I}", "kind", w->kind,
				"state", w->state, "synced", w->is_synced, "objects",
				(json_int_t)w->n_objects, "resource_version", w->resource_version,
				"event_age_seconds",
				w->event_age_s < 0 ? json_null() : json_real(w->event_age_s), "problem",
				w->problem, "problem_seconds", w->problem_s, "lists", (json_int_t)w->n_lists,
				"restarts", (json_int_t)w->n_restarts, "bytes", (json_int_t)w->n_bytes));
	}
	if (v->n_watches == 0) {
		json_decref(watches);
		return json_null();
	}
	return json_pack("{s:s, s:s, s:o, s:b, s:o, s:o, s:I}", "server", v->api_server, "pods",
		v->has_all_pods ? "all" : "own", "watches", watches, "awaited", v->awaits_source,
		"saved_seconds", v->saved_s < 0 ? json_null() : json_real(v->saved_s), "writes",
		writes_json(v), "events_lost", (json_int_t)v->n_events_lost);
}

json_t *
status_json(const struct status_input *in)
{
	const struct view *v = in->names.view;
	const struct tables *t = in->names.tables;

	return json_pack("{s:s, s:s, s:s, s:i, s:f, s:b, s:s, s:{s:I, s:f}, s:o, s:o, s:o, s:i, s:i, s:o, "
			 "s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o}",
		"version", RINGWAY_VERSION, "kernel", in->kernel, "node", v->node, "pid", in->pid,
		"uptime_seconds", v->uptime_s, "ready", v->is_ready, "not_ready_reason", v->not_ready,
		"tables", "version", (json_int_t)v->tables_version, "age_seconds", v->tables_age_s, "workers",
		workers_json(v), "uplink", uplink_json(&v->uplink), "tunnel", tunnel_json(t), "pods",
		(int)v->n_pods, "pod_mtu", t == NULL ? 0 : (int)t->node->pod_mtu, "ipam", ranges_json(v),
		"objects", objects_json(v), "api", api_json(v), "policy_mode", policy_mode_json(&in->names),
		"dns", in->dns, "peers", peers_json(&in->names, in->underlay), "source_errors",
		in->source_errors, "build_errors", in->build_errors, "warnings", in->warnings,
		"worked_around", in->worked_around);
}
