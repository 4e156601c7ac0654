/* GET /v1/status: is all well on this node. The fields are documented in the help of `ringway status`. Control thread only. */
#ifndef RINGWAY_ADMIN_STATUS_H
#define RINGWAY_ADMIN_STATUS_H

#include "control/admin/admin.h"
#include "control/admin/names.h"

struct status_input {
	struct names names;
	const char *kernel; /* release */
	int pid;
	const struct underlay *underlay;                                 /* may be NULL */
	json_t *source_errors, *build_errors, *warnings, *worked_around; /* arrays of texts, given away */
	json_t *dns;                                                     /* dns_status_json(), given away */
};

/* NULL if out of memory. */
json_t *status_json(const struct status_input *in);

/* What the running kernel lacks and Ringway does by itself, as texts. */
json_t *status_worked_around(const char *release);

/* What works but should worry somebody, as texts. All but the view may be NULL. */
struct attach;
struct follow;
struct health_ports;
struct spool;
json_t *status_warnings(const struct view *v, const struct attach *attach, const struct follow *follow,
	const struct health_ports *health_ports, const struct spool *spool);

/* Pods that are closed for want of policies that could not be read, as texts. */
json_t *status_unread_policies(const struct store *store);

/* Pods whose DNS queries policies deny, as texts. tables may be NULL. */
struct denied_dns;
json_t *status_denied_dns(
	const struct denied_dns *d, const struct tables *tables, const struct policy_builder *policies);

/* What keeps the container runtime from our network, or others who try, as texts. */
struct cni_conf;
json_t *status_cni_conf(const struct cni_conf *c);

/* The errors of manifests, with file and line, or of the API server's objects, in force now, as texts. */
json_t *status_source_errors(const struct daemon *d);

admin_handler status_handle;

#endif
