#include "control/admin/uninstall.h"

#include <string.h>

#include "control/daemon.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/attachment.h"
#include "control/node/cni_conf.h"
#include "control/node/owned.h"

/* The answer is on its way by then. */
#define END_DELAY_NS (NS_PER_S / 10)

static void
add_attached(const struct attachment_record *a, void *arg)
{
	json_array_append_new(arg,
		a->pod[0] == '\0' ? json_string(a->container_id) : json_sprintf("%s/%s", a->pod_ns, a->pod));
}

json_t *
uninstall_attached(struct owned *o)
{
	json_t *names = json_array();

	owned_each_attached(o, add_attached, names);
	return names;
}

bool
uninstall_conf_goes(const struct owned *o, const json_t *attached, bool is_forced)
{
	return is_forced || json_array_size(attached) == 0 || owned_has_successor(o);
}

json_t *
uninstall_found(struct owned *o)
{
	json_t *found = json_array();
	char text[OWNED_TEXT_SIZE];

	for (enum owned_kind kind = 0; kind < N_OWNED; kind++)
		if (owned_look(o, kind, text) != 0)
			json_array_append_new(
				found, json_pack("{s:s, s:s}", "what", owned_name(kind), "text", text));
	return found;
}

json_t *
uninstall_run(struct owned *o, bool keeps_shim)
{
	json_t *steps = json_array();
	bool has_failed = false;

	for (enum owned_kind kind = 0; kind < N_OWNED; kind++) {
		char text[OWNED_TEXT_SIZE], note[OWNED_TEXT_SIZE] = "";
		const char *result = "removed";

		if (owned_look(o, kind, text) == 0)
			continue;
		if (kind == OWNED_SHIM && keeps_shim) {
			result = "kept";
			snprintf(note, sizeof(note),
				"the pods that were attached need it for their DEL; once they are gone, run "
				"this again");
		} else if (kind == OWNED_STATE && has_failed) {
			result = "kept";
			snprintf(note, sizeof(note), "it tells what of the rest is ours");
		} else if (owned_remove(o, kind, note) < 0) {
			result = "failed";
			has_failed = true;
		}
		json_array_append_new(steps, json_pack("{s:s, s:s, s:s, s:s}", "what", owned_name(kind),
						     "text", text, "result", result, "note", note));
	}
	return steps;
}

void
uninstall_at_end(const struct config *config, bool keeps_shim)
{
	char trouble[OWNED_TEXT_SIZE];
	struct owned *o = owned_open(config, NULL, trouble);
	json_t *steps = o == NULL ? NULL : uninstall_run(o, keeps_shim);
	const json_t *step;
	size_t i;

	json_array_foreach (steps, i, step)
		log_info("uninstall: %s (%s): %s%s%s", json_string_value(json_object_get(step, "what")),
			json_string_value(json_object_get(step, "text")),
			json_string_value(json_object_get(step, "result")),
			*json_string_value(json_object_get(step, "note")) == '\0' ? "" : ": ",
			json_string_value(json_object_get(step, "note")));
	json_decref(steps);
	owned_close(o);
}

static void
end(void *arg)
{
	log_info("ending, to take away what is ours on this node");
	loop_stop(((struct daemon *)arg)->loop);
}

static bool
schedule_end(struct daemon *d, bool keeps_shim)
{
	if (d->end_timer == NULL)
		d->end_timer = loop_timer_new(d->loop, end, d);
	if (d->end_timer == NULL)
		return false;
	d->is_uninstalled = true;
	d->keeps_shim = keeps_shim;
	loop_timer_set(d->end_timer, END_DELAY_NS, 0);
	return true;
}

static json_t *
config_json(const struct config *c)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "run_dir", c->run.dir, "state_dir", c->state.dir,
		"conf_dir", c->cni.conf_dir, "bin_dir", c->cni.bin_dir, "host_interface", c->host.interface);
}

void
uninstall_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	bool is_dry = json_is_true(json_object_get(req->body, "dry_run"));
	bool is_forced = json_is_true(json_object_get(req->body, "force")), ends, conf_goes;
	char text[OWNED_TEXT_SIZE] = "";
	struct owned *o = owned_open(&d->config, d->state, text);
	json_t *attached, *found;

	if (o == NULL) {
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	attached = uninstall_attached(o);
	found = uninstall_found(o);
	ends = is_forced || json_array_size(attached) == 0;
	conf_goes = uninstall_conf_goes(o, attached, is_forced);
	if (!conf_goes)
		snprintf(text, sizeof(text), UNINSTALL_NO_SUCCESSOR);
	if (!is_dry && conf_goes) {
		cni_conf_leave(d->cni_conf);
		conf_goes = owned_remove(o, OWNED_CONF, text) == 0;
		if (!conf_goes)
			log_error("uninstall: %s", text);
		ends = ends && schedule_end(d, json_array_size(attached) != 0);
	}
	owned_close(o);
	reply->json = json_pack("{s:o, s:o, s:b, s:s, s:b, s:o}", "attached", attached, "found", found,
		"conf_goes", conf_goes, "conf", text, "ends", ends, "config", config_json(&d->config));
}
