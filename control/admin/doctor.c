#include "control/admin/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/exceptions.h"
#include "control/admin/nodes.h"
#include "control/admin/policy_mode.h"
#include "control/admin/service_networks.h"
#include "control/admin/services.h"
#include "control/admin/status.h"
#include "control/admin/status_dns.h"
#include "control/admin/unmanaged.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/node/attach.h"
#include "dataplane/engine.h"

#define CLAIMS_SAID 8 /* one by one */

struct doctor {
	struct daemon *d;
	struct names names;
	json_t *checks;
};

static void __attribute__((format(printf, 5, 6)))
say(struct doctor *x, const char *check, const char *status, const char *advice, const char *fmt, ...)
{
	char found[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(found, sizeof(found), fmt, args);
	va_end(args);
	json_array_append_new(x->checks, json_pack("{s:s, s:s, s:s, s:s}", "check", check, "status", status,
						 "found", found, "advice", advice));
}

static void
check_ready(struct doctor *x)
{
	if (x->names.view->is_ready)
		say(x, "daemon", "ok", "", "ready");
	else
		say(x, "daemon", "fail", "pods cannot be attached until this is mended", "not ready: %s",
			x->names.view->not_ready);
}

/* One line per text; ok when there is none. Takes the texts over. */
static void
check_texts(struct doctor *x, const char *check, const char *status, const char *advice, const char *ok,
	json_t *texts)
{
	const json_t *text;
	size_t i;

	json_array_foreach (texts, i, text)
		say(x, check, status, advice, "%s", json_string_value(text));
	if (json_array_size(texts) == 0)
		say(x, check, "ok", "", "%s", ok);
	json_decref(texts);
}

static void
check_tables(struct doctor *x)
{
	const struct view *v = x->names.view;

	if (v->n_build_errors != 0)
		say(x, "tables", "fail", "mend what it names; until then the former tables stay in force",
			"%s", v->build_error);
	else
		say(x, "tables", "ok", "", "version %lu is in force", (unsigned long)v->tables_version);
}

static void
check_dns(struct doctor *x)
{
	struct dns_status_input dns = dns_status_of(x->d);
	char text[DNS_STATUS_TEXT_SIZE];

	check_texts(x, "dns service", "warn", "set dns.service on every node, and restart ringwayd there",
		dns_status_text(&dns, text), dns_status_problems(&dns));
	check_texts(x, "dns upstream", "warn",
		"`ringway dns` shows the servers; until one answers, names are answered from what was heard "
		"before",
		"some server answers, or none was asked", dns_status_upstream_problems(&dns));
	check_texts(x, "dns shadow", "warn",
		"`ringway dns --shadow` shows which, with both answers; what changed in the cluster just "
		"then may "
		"differ for a moment",
		dns_status_shadow_text(&dns, text), dns_status_shadow_problems(&dns));
}

static void
check_policy_mode(struct doctor *x)
{
	json_t *mode = policy_mode_json(&x->names);
	const char *text = json_string_value(json_object_get(mode, "text"));

	if (*text == '\0')
		say(x, "policies", "ok", "", "what NetworkPolicies deny is dropped");
	else
		say(x, "policies", "warn",
			"`ringway drops` shows what would be dropped; once that is right, set policy.mode "
			"to enforce, or "
			"take the annotation away",
			"%s", text);
	json_decref(mode);
}

static void
check_peers(struct doctor *x)
{
	json_t *doc = nodes_json(&x->names, x->names.view->node, x->d->underlay);
	const json_t *node;
	size_t i, n_bad = 0;

	json_array_foreach (json_object_get(doc, "nodes"), i, node) {
		const char *problem = json_string_value(json_object_get(node, "problem"));

		if (*problem == '\0')
			continue;
		n_bad++;
		say(x, "nodes", "warn", "pods of this node and that one cannot talk until this is mended",
			"%s: %s", json_string_value(json_object_get(node, "name")), problem);
	}
	if (n_bad == 0)
		say(x, "nodes", "ok", "", "%zu known, all within reach", i);
	json_decref(doc);
}

/* Two that want the same address and port: the one that does not get it is told who has it. */
static void
check_claims(struct doctor *x, const json_t *services)
{
	const json_t *service, *lost;
	size_t i, k, n = 0;

	json_array_foreach (services, i, service)
		json_array_foreach (json_object_get(service, "lost"), k, lost)
			if (n++ < CLAIMS_SAID)
				say(x, "claims", "warn",
					"give one of them another port or address; the one that does not "
					"have "
					"it gets it when the other goes",
					"%s/%s wants what it does not get: %s",
					json_string_value(json_object_get(service, "namespace")),
					json_string_value(json_object_get(service, "name")),
					json_string_value(json_object_get(lost, "text")));
	if (n > CLAIMS_SAID)
		say(x, "claims", "warn", "`ringway services NAMESPACE/NAME` lists a service's",
			"and %zu more addresses and ports that two want", n - CLAIMS_SAID);
	else if (n == 0)
		say(x, "claims", "ok", "", "no address and port is wanted by two services");
}

static void
check_services(struct doctor *x)
{
	json_t *doc = services_json(&x->names, &(struct services_filter){ .is_brief = true });
	const json_t *service;
	size_t i, n_bad = 0;
	char first[400] = "";

	json_array_foreach (json_object_get(doc, "services"), i, service) {
		const char *problem = json_string_value(json_object_get(service, "problem"));

		if (*problem != '\0' && n_bad++ == 0)
			snprintf(first, sizeof(first), "%s/%s: %s",
				json_string_value(json_object_get(service, "namespace")),
				json_string_value(json_object_get(service, "name")), problem);
	}
	if (n_bad == 0)
		say(x, "services", "ok", "", "%zu service ports, all with a ready backend", i);
	else
		say(x, "services", "warn", "`ringway services` lists them all",
			"%zu of %zu service ports have a problem, the first is %s", n_bad, i, first);
	check_claims(x, json_object_get(doc, "services"));
	json_decref(doc);
}

/* Each frame is in exactly one place; frames in hand are in a crossing, or lost. */
static void
check_frames(struct doctor *x)
{
	struct umem_audit audit = { 0 };

	engine_audit(x->d->engine, &audit);
	if (audit.twice != 0)
		say(x, "frames", "fail", "this is an error of ringwayd: report it, and restart it",
			"%u of %u frames are in two places", audit.twice, audit.n_frames);
	else
		say(x, "frames", "ok", "", "%u frames, each in one place, %u of them under way",
			audit.n_frames, audit.in_hand);
}

/* Drops that mean too little room rather than a wrong packet. */
static void
check_overload(struct doctor *x)
{
	static const enum drop_reason reasons[] = { DROP_TX_FULL, DROP_NO_FRAME, DROP_CROSSING_FULL,
		DROP_EXCEPTIONS_FULL };
	struct counters sum = { 0 };
	size_t n_bad = 0;

	engine_counters(x->d->engine, &sum);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (sum.drops[reasons[i]] != 0) {
			n_bad++;
			say(x, "overload", "warn", "`ringway drops` shows whose packets they were",
				"%lu packets dropped since the start: %s",
				(unsigned long)sum.drops[reasons[i]], drop_reason_help(reasons[i]));
		}
	if (n_bad == 0)
		say(x, "overload", "ok", "", "no packet was dropped for want of room");
}

/* Exceptions are bounded, by pod too: who comes near the bound is named, and who uses any is told with the reasons. */
#define EXCEPTIONS_NEAR_PERCENT 80

struct exception_users {
	struct doctor *doctor;
	struct exception_counts counts;
	size_t n;
};

static void
say_exceptions(struct exception_users *u, const char *who, const struct ip_addr *addr)
{
	unsigned quota = u->doctor->d->config.services.exceptions_per_pod;
	struct ip_addr only[N_FAMILIES] = { *addr, *addr };
	struct exception_count count = exceptions_of(&u->counts, only);
	bool is_near = (uint64_t)count.n * 100 >= (uint64_t)quota * EXCEPTIONS_NEAR_PERCENT;
	char why[380];
	size_t len = 0;

	if (count.n == 0)
		return;
	for (unsigned r = 0; r < N_EXCEPTION_REASONS; r++)
		if (count.reasons[r] != 0 && len < sizeof(why))
			len += (size_t)snprintf(why + len, sizeof(why) - len, "%s%u %s", len == 0 ? "" : "; ",
				count.reasons[r], exception_reason_help((enum exception_reason)r));
	u->n++;
	say(u->doctor, "exceptions", is_near ? "warn" : "ok",
		is_near ? "once all are used, further ones are refused: services.exceptionsPerPod" : "",
		"%.100s has %u of %u for %s: %s", who, count.n, quota, ip_addr_is_v4(addr) ? "IPv4" : "IPv6",
		why);
}

/* Who has connections that no kernel which we ask knows of. */
static void
check_pod_sockets(const struct attached *pod, void *arg)
{
	if (attached_is_opaque(pod))
		say(arg, "sockets", "ok", "",
			"%.64s/%.254s has connections whose sockets are not in its network namespace (Docker "
			"in a pod, a virtual machine): those to services are remembered, up to half of its "
			"exceptions",
			pod->record.pod_ns, pod->record.pod);
}

/* The bound is one of each address. */
static void
check_pod_exceptions(const struct attached *pod, void *arg)
{
	char who[POD_NS_SIZE + POD_NAME_SIZE];

	snprintf(who, sizeof(who), "%s/%s", pod->record.pod_ns, pod->record.pod);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		say_exceptions(arg, pod->record.pod[0] == '\0' ? pod->record.container_id : who,
			&pod->record.addrs[f]);
}

static void
check_exceptions(struct doctor *x)
{
	struct exception_users users = { .doctor = x };
	struct ip_addr host[N_FAMILIES][HOST_ADDRS];

	exceptions_count(x->d, &users.counts);
	attach_each(x->d->attach, check_pod_exceptions, &users);
	attach_host_addrs(x->d->attach, host);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		say_exceptions(&users, "the node itself", &host[f][0]);
	if (users.n == 0)
		say(x, "exceptions", "ok", "", "no service flow needs one");
	free(users.counts.counts);
}

void
doctor_handle(struct daemon *d, const struct admin_request *req, struct admin_reply *reply)
{
	struct doctor x = { .d = d, .checks = json_array() };
	struct view *v;

	publisher_flush(d->publisher);
	v = view_new(d);
	if (v == NULL) {
		json_decref(x.checks);
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	x.names = (struct names){ d->store, v, publisher_tables(d->publisher),
		publisher_services(d->publisher) };
	check_ready(&x);
	check_texts(&x, "manifests", "fail",
		"mend what the text names; until then what it said before stays in force", "no errors",
		status_source_errors(d));
	check_texts(&x, "policies", "fail", "mend what the text names", "none that could not be read",
		status_unread_policies(d->store));
	check_texts(&x, "dns", "warn", "see `ringway status`", "no pod is denied it by policies",
		status_denied_dns(
			d->denied_dns, publisher_tables(d->publisher), publisher_policies(d->publisher)));
	check_dns(&x);
	check_texts(&x, "pods", "warn",
		"`ringway pods` lists them. Make each anew (`kubectl delete pod`); containerd sends its DEL "
		"to us, who "
		"do nothing, so leases and rules of the former plugin are its own to tidy up",
		"none that another network attached", unmanaged_texts(d));
	check_texts(&x, "cni", "fail",
		"see `ringway status`; files of other networks are left for you to remove",
		v->has_cni_conf ? "the container runtime takes our configuration" : "cni.confDir is not set",
		status_cni_conf(d->cni_conf));
	check_texts(&x, "service networks", "warn", SERVICE_NETWORK_ADVICE,
		"cluster.serviceCIDRs has all that the cluster tells of",
		service_networks_texts(d->store, &d->config));
	check_tables(&x);
	check_texts(&x, "node", "warn", "see `ringway status`", "no warnings",
		status_warnings(v, d->attach, d->follow, d->health_ports, d->spool));
	check_policy_mode(&x);
	check_peers(&x);
	check_services(&x);
	check_frames(&x);
	check_overload(&x);
	check_exceptions(&x);
	attach_each(d->attach, check_pod_sockets, &x);
	reply->json = json_pack("{s:o}", "checks", x.checks);
	view_free(v);
}
