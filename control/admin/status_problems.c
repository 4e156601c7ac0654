/* What status and doctor have to complain about, as texts. */
#include <stdio.h>

#include "control/admin/health_ports.h"
#include "control/admin/status.h"
#include "control/follow.h"
#include "control/node/attach.h"
#include "control/node/host.h"
#include "control/node/ipam.h"
#include "control/source/files.h"

static void
add_error(const char *text, int64_t since_s, void *arg)
{
	json_array_append_new(arg, json_string(text));
}

json_t *
status_source_errors(const struct source *source)
{
	json_t *errors = json_array();

	if (source != NULL)
		source_each_error(source, add_error, errors);
	return errors;
}

json_t *
status_worked_around(const char *release)
{
	static const struct {
		unsigned major, minor;
		const char *text;
	} features[] = {
		{ 6, 6,
			"frames of several buffers need kernel 6.6: what pods send is cut to one frame "
			"before it gets here" },
		{ 6, 8, "transmit metadata needs kernel 6.8: checksums are completed in software" },
	};
	json_t *texts = json_array();
	unsigned major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return texts;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (major < features[i].major || (major == features[i].major && minor < features[i].minor))
			json_array_append_new(texts, json_string(features[i].text));
	return texts;
}

static void
warn_of_pod(const struct attached *pod, void *arg)
{
	if (pod->trouble[0] != '\0')
		json_array_append_new(arg, json_sprintf("pod %s/%s is cut off: %s", pod->record.pod_ns,
						   pod->record.pod, pod->trouble));
}

static void
add_warning(const char *text, void *arg)
{
	json_array_append_new(arg, json_string(text));
}

json_t *
status_warnings(const struct view *v, const struct attach *attach, const struct follow *follow,
	const struct health_ports *health_ports)
{
	const struct host *host = attach == NULL ? NULL : attach_host(attach);
	json_t *warnings = json_array();

	for (unsigned i = 0; follow != NULL && i < FOLLOW_WARNINGS; i++)
		if (follow_warning(follow, i)[0] != '\0')
			json_array_append_new(warnings, json_string(follow_warning(follow, i)));
	for (unsigned i = 0; host != NULL && i < host->n_conflicts; i++)
		json_array_append_new(warnings, json_string(host->conflicts[i]));
	for (unsigned i = 0; i < N_FAMILIES; i++) {
		const struct address_range_view *r = &v->ranges[i];
		struct ipam_counts counts = { .total = r->size, .used = r->used };

		if (r->size != 0 && ipam_is_short(&counts))
			json_array_append_new(warnings,
				json_sprintf("%u of %u addresses for pods in %s are used: give this node a "
					     "larger pod CIDR, or run fewer pods on it",
					r->used, r->size, r->cidr));
	}
	health_ports_each_warning(health_ports, add_warning, warnings);
	for (unsigned i = 0; i < v->n_workers; i++)
		if (!v->workers[i].is_alive)
			json_array_append_new(
				warnings, json_sprintf("worker %u makes no progress", v->workers[i].id));
	if (attach != NULL)
		attach_each(attach, warn_of_pod, warnings);
	return warnings;
}
