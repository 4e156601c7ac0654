/* What status and doctor have to complain about, as texts. */
#include <stdio.h>

#include "control/admin/health_ports.h"
#include "control/admin/status.h"
#include "control/denied_dns.h"
#include "control/follow.h"
#include "control/model/network_policy.h"
#include "control/node/attach.h"
#include "control/node/cni_conf.h"
#include "control/node/host.h"
#include "control/node/ipam.h"
#include "control/node/spool.h"
#include "control/source/source.h"
#include "dataplane/clock.h"

static void
add_error(const char *text, int64_t since_s, void *arg)
{
	json_array_append_new(arg, json_string(text));
}

json_t *
status_source_errors(const struct daemon *d)
{
	json_t *errors = json_array();

	source_each_problem(d, add_error, errors);
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

/* What happened longer ago is history. */
#define GREEDY_S 600

static void
name_outside(const struct ip_addr *client, char out[IP_PREFIX_STRLEN])
{
	char addr[IP_ADDR_STRLEN];

	ip_addr_format(client, addr);
	snprintf(out, IP_PREFIX_STRLEN, ip_addr_is_v4(client) ? "%s" : "%s/64", addr);
}

struct pod_of {
	const struct ip_addr *addr;
	char name[POD_NS_SIZE + POD_NAME_SIZE];
};

static void
find_pod(const struct attached *pod, void *arg)
{
	struct pod_of *x = arg;

	for (unsigned f = 0; f < N_FAMILIES; f++)
		if (ip_addr_eq(&pod->record.addrs[f], x->addr) && pod->record.pod[0] != '\0')
			snprintf(x->name, sizeof(x->name), "%s/%s", pod->record.pod_ns, pod->record.pod);
}

/* Who has all that one may have, so that further flows of its are refused or give way. */
static void
warn_of_greedy(const struct worker_view *w, const struct attach *attach, json_t *warnings)
{
	char client[IP_PREFIX_STRLEN], addr[IP_ADDR_STRLEN];
	struct pod_of pod = { .addr = &w->greedy_pod };

	if (!ip_addr_is_none(&w->greedy_client) && w->greedy_client_s < GREEDY_S) {
		name_outside(&w->greedy_client, client);
		json_array_append_new(warnings,
			json_sprintf("%s outside has as many flows at worker %u as one client may have: new "
				     "ones of its give way when others come (services.inbound; ports towards "
				     "backends outside: masquerade.ports)",
				client, w->id));
	}
	if (ip_addr_is_none(&w->greedy_pod) || w->greedy_pod_s >= GREEDY_S)
		return;
	if (attach != NULL)
		attach_each(attach, find_pod, &pod);
	json_array_append_new(warnings,
		json_sprintf(
			"pod %s has used up its flows or ports out of the cluster, and new ones are refused: "
			"masquerade.flowsPerPod, masquerade.portsPerPod",
			pod.name[0] != '\0' ? pod.name : ip_addr_format(&w->greedy_pod, addr)));
}

#define UNREAD_MAX 20

static void
warn_of_unread(const struct object *object, void *arg)
{
	char text[512];

	if (json_array_size(arg) >= UNREAD_MAX)
		return;
	unread_policy_describe((const struct unread_policy_object *)object, text, sizeof(text));
	json_array_append_new(arg, json_string(text));
}

json_t *
status_unread_policies(const struct store *store)
{
	size_t n = store_count(store, OBJECT_UNREAD_POLICY);
	json_t *texts = json_array();

	store_each(store, OBJECT_UNREAD_POLICY, warn_of_unread, texts);
	if (n > UNREAD_MAX)
		json_array_append_new(texts, json_sprintf("and so may %zu more policies", n - UNREAD_MAX));
	return texts;
}

#define DENIED_MAX 20

struct denied_listing {
	const struct policy_builder *policies;
	json_t *texts;
	size_t n;
};

static void
warn_of_denied(const struct denied_query *query, void *arg)
{
	struct denied_listing *l = arg;
	char text[DENIED_DNS_TEXT_SIZE];

	if (l->n++ < DENIED_MAX)
		json_array_append_new(l->texts, json_string(denied_dns_print(l->policies, query, text)));
}

json_t *
status_denied_dns(
	const struct denied_dns *d, const struct tables *tables, const struct policy_builder *policies)
{
	struct denied_listing l = { .policies = policies, .texts = json_array() };

	if (tables != NULL)
		denied_dns_each(d, tables, clock_now_ns(), warn_of_denied, &l);
	if (l.n > DENIED_MAX)
		json_array_append_new(l.texts,
			json_sprintf("and so are %zu more pods that ask for names", l.n - DENIED_MAX));
	return l.texts;
}

json_t *
status_cni_conf(const struct cni_conf *c)
{
	json_t *texts = json_array();

	if (!cni_conf_is_managed(c))
		return texts;
	if (cni_conf_trouble(c) != NULL)
		json_array_append_new(texts, json_string(cni_conf_trouble(c)));
	else if (cni_conf_interference(c) != NULL)
		json_array_append_new(texts, json_string(cni_conf_interference(c)));
	return texts;
}

json_t *
status_warnings(const struct view *v, const struct attach *attach, const struct follow *follow,
	const struct health_ports *health_ports, const struct spool *spool)
{
	const struct host *host = attach == NULL ? NULL : attach_host(attach);
	json_t *warnings = json_array();

	if (v->n_watches != 0 && v->saved_s >= 0)
		json_array_append_new(warnings,
			json_sprintf("%s has not told everything since the start: objects that it did "
				     "not tell are as they were saved %.0f s ago",
				v->api_server, v->saved_s));
	for (unsigned i = 0; i < v->n_watches; i++)
		if (*v->watches[i].problem != '\0')
			json_array_append_new(
				warnings, json_sprintf("changes of kind %s have not come from %s for %.0f s, "
						       "and what was known stays: %s",
						  v->watches[i].kind, v->api_server, v->watches[i].problem_s,
						  v->watches[i].problem));
	for (unsigned i = 0; i < v->n_writes; i++)
		if (*v->writes[i].problem != '\0')
			json_array_append_new(
				warnings, json_sprintf("%s could not be written to %s for %.0f s: %s",
						  v->writes[i].what, v->api_server, v->writes[i].problem_s,
						  v->writes[i].problem));
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
	if (spool_warning(spool)[0] != '\0')
		json_array_append_new(warnings, json_string(spool_warning(spool)));
	health_ports_each_warning(health_ports, add_warning, warnings);
	for (unsigned i = 0; i < v->n_workers && !v->awaits_source; i++)
		if (!v->workers[i].is_alive)
			json_array_append_new(
				warnings, json_sprintf("worker %u makes no progress", v->workers[i].id));
	for (unsigned i = 0; i < v->n_workers; i++)
		warn_of_greedy(&v->workers[i], attach, warnings);
	if (attach != NULL)
		attach_each(attach, warn_of_pod, warnings);
	return warnings;
}
