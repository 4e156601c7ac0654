/* GET /v1/status, from the daemon's parts. */
#include <sys/utsname.h>
#include <unistd.h>

#include "control/admin/service_networks.h"
#include "control/admin/status.h"
#include "control/admin/status_dns.h"
#include "control/admin/unmanaged.h"
#include "control/build/publish.h"
#include "control/daemon.h"

static void
extend(json_t *warnings, json_t *more)
{
	json_array_extend(warnings, more);
	json_decref(more);
}

void
status_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct dns_status_input dns;
	struct utsname kernel;
	json_t *warnings;
	struct view *v;

	publisher_flush(d->publisher);
	dns = dns_status_of(d);
	v = view_new(d);
	uname(&kernel);
	warnings = v == NULL ? NULL : status_warnings(v, d->attach, d->follow, d->health_ports, d->spool);
	extend(warnings, status_unread_policies(d->store));
	extend(warnings, status_denied_dns(d->denied_dns, publisher_tables(d->publisher),
				 publisher_policies(d->publisher)));
	extend(warnings, status_cni_conf(d->cni_conf));
	extend(warnings, service_networks_texts(d->store, &d->config));
	extend(warnings, unmanaged_texts(d));
	extend(warnings, dns_status_problems(&dns));
	extend(warnings, dns_status_upstream_problems(&dns));
	extend(warnings, dns_status_shadow_problems(&dns));
	if (v != NULL)
		reply->json = status_json(&(struct status_input){
			.names = { d->store, v, publisher_tables(d->publisher) },
			.kernel = kernel.release,
			.pid = getpid(),
			.underlay = d->underlay,
			.source_errors = status_source_errors(d),
			.build_errors =
				v->n_build_errors == 0 ? json_array() : json_pack("[s]", v->build_error),
			.warnings = warnings,
			.dns = dns_status_json(&dns),
			.worked_around = status_worked_around(kernel.release),
		});
	if (reply->json == NULL)
		admin_fail(reply, 500, NULL, "out of memory");
	view_free(v);
}
