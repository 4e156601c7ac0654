#include "control/admin/drops.h"

#include "control/admin/policy_mode.h"

json_t *
drops_of_port(const struct port_stats *stats)
{
	json_t *drops = json_object();

	for (enum drop_reason reason = DROP_NONE + 1; reason < N_DROP_REASONS; reason++)
		if (stats->drops[reason] != 0)
			json_object_set_new(drops, drop_reason_label(reason),
				json_integer((json_int_t)stats->drops[reason]));
	return drops;
}

static json_t *
ports_of_reason(const struct view *v, enum drop_reason reason)
{
	json_t *ports = json_array();
	char name[PORT_NAME_SIZE];

	for (unsigned i = 0; i < v->n_ports; i++) {
		const struct port_view *p = &v->ports[i];

		if (p->stats.drops[reason] != 0)
			json_array_append_new(ports, json_pack("{s:i, s:s, s:I}", "port", (int)p->id, "name",
							     port_view_name(p, name), "packets",
							     (json_int_t)p->stats.drops[reason]));
	}
	return ports;
}

static json_t *
reason_json(const struct view *v, enum drop_reason reason, uint64_t *dropped)
{
	json_t *workers = json_array();
	uint64_t total = 0;

	for (unsigned i = 0; i < v->n_workers; i++) {
		uint64_t n = v->workers[i].counters.drops[reason];

		json_array_append_new(workers, json_integer((json_int_t)n));
		total += n;
	}
	*dropped += total;
	return json_pack("{s:s, s:s, s:I, s:o, s:o}", "reason", drop_reason_label(reason), "help",
		drop_reason_help(reason), "packets", (json_int_t)total, "workers", workers, "ports",
		ports_of_reason(v, reason));
}

/* What is no verdict, since no worker ever saw it. */
static json_t *
kernel_json(const struct view *v)
{
	json_t *rows = json_array();
	char name[PORT_NAME_SIZE];

	for (unsigned i = 0; i < v->n_ports; i++) {
		const struct port_view *p = &v->ports[i];

		for (enum kernel_drop cause = 0; cause < N_KERNEL_DROPS; cause++)
			if (p->kernel.counts[cause] != 0)
				json_array_append_new(rows,
					json_pack("{s:i, s:s, s:s, s:s, s:I}", "port", (int)p->id, "name",
						port_view_name(p, name), "cause", kernel_drop_label(cause),
						"help", kernel_drop_help(cause), "packets",
						(json_int_t)p->kernel.counts[cause]));
	}
	return rows;
}

/* "shop/a, shop/b"; names have no comma. */
static json_t *
list_json(const char *names)
{
	json_t *list = json_array();

	while (*names != '\0') {
		size_t len = strcspn(names, ",");

		json_array_append_new(list, json_stringn(names, len));
		names += len;
		names += strspn(names, ", ");
	}
	return list;
}

static json_t *
denial_json(const struct denial_view *d)
{
	return json_pack("{s:s, s:o, s:o, s:I, s:b}", "direction", d->is_egress ? "egress" : "ingress",
		"policies", list_json(d->policies), "pods", list_json(d->pods), "denied",
		(json_int_t)d->packets, "audit", d->is_audit);
}

json_t *
drops_by_policies_json(const struct view *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_denials; i++)
		json_array_append_new(list, denial_json(&v->denials[i]));
	return list;
}

/* Those that denied packets, which passed or not. */
static json_t *
deniers_json(const struct view *v, bool is_audit)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_denials; i++)
		if (v->denials[i].packets != 0 && v->denials[i].is_audit == is_audit)
			json_array_append_new(list, denial_json(&v->denials[i]));
	return list;
}

static json_t *
would_drop_json(const struct view *v)
{
	json_t *would_drop = policy_mode_would_drop_json(v);

	json_object_set_new(would_drop, "policies", deniers_json(v, true));
	return would_drop;
}

json_t *
drops_json(const struct view *v)
{
	json_t *reasons = json_array();
	uint64_t received = 0, dropped = 0;

	for (enum drop_reason reason = DROP_NONE + 1; reason < N_DROP_REASONS; reason++)
		json_array_append_new(reasons, reason_json(v, reason, &dropped));
	for (unsigned i = 0; i < v->n_workers; i++)
		received += v->workers[i].counters.counts[COUNT_RECEIVED];
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "received", (json_int_t)received, "dropped",
		(json_int_t)dropped, "reasons", reasons, "policies", deniers_json(v, false), "would_drop",
		would_drop_json(v), "kernel", kernel_json(v));
}
