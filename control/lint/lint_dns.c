/* Pods that are isolated for egress and may not ask the cluster's DNS: most things they try fail then, in ways that do not
 * look like a policy's. Pods that the same policies isolate are one finding. */
#include <stdio.h>
#include <stdlib.h>

#include "control/build/selector.h"
#include "control/lint/lint_looks.h"

#define DNS_PORT 53
#define DNS_LABEL "k8s-app"
#define DNS_NAME "kube-dns"
#define EXAMPLES_MAX 3

/* Who answers. Without pods that are known, any peer may be it. */
struct dns {
	const struct service_object *service; /* NULL: not known */
	size_t n;
	const struct pod_object **pods;
};

/* Pods with the same policies, of one namespace. */
struct group {
	char *key;
	size_t n;
	char examples[256];
};

/* --- the cluster's DNS */

static void
look_at_service(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;
	const char *app = labels_get(&service->selector, DNS_LABEL);
	struct dns *dns = arg;

	if (dns->service == NULL && app != NULL && strcmp(app, DNS_NAME) == 0)
		dns->service = service;
}

static bool
find_dns(const struct lint_world *w, struct dns *dns)
{
	struct selector selector = { 0 };
	const struct lint_namespace *ns;

	*dns = (struct dns){ .service = (const struct service_object *)store_get(
				     w->store, OBJECT_SERVICE, "kube-system", DNS_NAME) };
	if (dns->service == NULL)
		store_each(w->store, OBJECT_SERVICE, look_at_service, dns);
	ns = dns->service == NULL ? NULL : lint_namespace(w, dns->service->object.ns);
	dns->pods = calloc(w->n_pods + 1, sizeof(struct pod_object *));
	if (dns->pods == NULL)
		return false;
	if (ns == NULL || dns->service->selector.n == 0)
		return true;
	selector.match_labels = dns->service->selector;
	for (size_t i = 0; i < ns->n_pods; i++)
		if (selector_matches(&selector, &w->pods[ns->first_pod + i]->labels))
			dns->pods[dns->n++] = w->pods[ns->first_pod + i];
	return true;
}

/* The port of its own on which a pod is asked; policies see that one. */
static uint16_t
port_of(const struct dns *dns, const struct pod_object *pod, uint8_t proto)
{
	for (size_t i = 0; pod != NULL && i < dns->service->n_ports; i++) {
		const struct service_port *port = &dns->service->ports[i];

		if (port->port != DNS_PORT || port->proto != proto)
			continue;
		if (port->target_name == NULL)
			return port->target_port == 0 ? DNS_PORT : port->target_port;
		for (size_t k = 0; k < pod->n_ports; k++)
			if (strcmp(pod->ports[k].name, port->target_name) == 0 &&
				pod->ports[k].proto == proto)
				return pod->ports[k].port;
	}
	return DNS_PORT;
}

/* --- may it be asked */

static bool
fits_port(const struct policy_rule *rule, const struct pod_object *pod, uint8_t proto, uint16_t number)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *port = &rule->ports[i];

		if (port->proto != proto)
			continue;
		if (port->name == NULL && number >= port->first && number <= port->last)
			return true;
		if (port->name != NULL && pod == NULL)
			return true; /* whoever has it */
		for (size_t k = 0; port->name != NULL && k < pod->n_ports; k++)
			if (strcmp(pod->ports[k].name, port->name) == 0 && pod->ports[k].port == number)
				return true;
	}
	return rule->n_ports == 0;
}

static bool
fits_peer(const struct lint_world *w, const char *ns, const struct policy_rule *rule,
	const struct pod_object *pod)
{
	for (size_t i = 0; i < rule->n_peers && pod != NULL; i++) {
		const struct policy_peer *peer = &rule->peers[i];

		if (peer->block == NULL && lint_is_peer(w, ns, peer, pod))
			return true;
		for (size_t k = 0; peer->block != NULL && k < pod->n_addrs; k++)
			if (lint_block_has(peer->block, &pod->addrs[k]))
				return true;
	}
	return rule->n_peers == 0 || pod == NULL;
}

/* pod NULL: any. */
static bool
may_ask_pod(const struct lint_world *w, const struct network_policy_object *const *policies, size_t n,
	const struct pod_object *pod, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < policies[i]->n_rules[POLICY_EGRESS]; k++) {
			const struct policy_rule *rule = &policies[i]->rules[POLICY_EGRESS][k];

			if (fits_port(rule, pod, proto, port) &&
				fits_peer(w, policies[i]->object.ns, rule, pod))
				return true;
		}
	return false;
}

static bool
may_ask(const struct lint_world *w, const struct dns *dns,
	const struct network_policy_object *const *policies, size_t n, uint8_t proto)
{
	for (size_t i = 0; i < dns->n; i++)
		if (!may_ask_pod(w, policies, n, dns->pods[i], proto, port_of(dns, dns->pods[i], proto)))
			return false;
	return dns->n != 0 || may_ask_pod(w, policies, n, NULL, proto, DNS_PORT);
}

/* --- pods with the same policies */

/* The policies that isolate a pod for egress; returns how many. */
static size_t
isolating(const struct lint_world *w, const struct pod_object *pod, const struct network_policy_object **out)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_policies; i++)
		if (strcmp(w->policies[i]->object.ns, pod->object.ns) == 0 &&
			w->policies[i]->isolates[POLICY_EGRESS] &&
			selector_matches(&w->policies[i]->pods, &pod->labels))
			out[n++] = w->policies[i];
	return n;
}

static void
add_finding(struct lint_world *w, const struct dns *dns, const struct group *g,
	const struct network_policy_object *const *policies, size_t n)
{
	bool udp = may_ask(w, dns, policies, n, PROTO_UDP), tcp = may_ask(w, dns, policies, n, PROTO_TCP);
	const char *ns = dns->service == NULL ? "kube-system" : dns->service->object.ns;
	char others[512] = "", *advice;
	size_t len = 0;

	for (size_t i = 1; i < n && len < sizeof(others); i++)
		len += (size_t)snprintf(others + len, sizeof(others) - len, "%s%s",
			i == 1 ? ", together with " : ", ", policies[i]->object.name);
	if ((udp && tcp) ||
		asprintf(&advice,
			"add an egress rule to one of them: namespaceSelector " NAMESPACE_NAME_LABEL
			"=%s with podSelector "
			"%s, ports 53/UDP and 53/TCP (policies see the pods behind the service, not its "
			"address)",
			ns, DNS_LABEL "=" DNS_NAME) < 0)
		return;
	lint_add(w, policies[0], "dns", POLICY_EGRESS, -1, advice,
		"%zu pod%s (%s) %s isolated%s, and no rule lets %s port 53 of the cluster's DNS%s pass: %s",
		g->n, g->n == 1 ? "" : "s", g->examples, g->n == 1 ? "is" : "are", others,
		udp   ? "TCP"
		: tcp ? "UDP"
		      : "UDP and TCP",
		dns->n == 0 ? " (wherever that is)" : "",
		udp ? "long answers do not come" : "names are not resolved");
	free(advice);
}

static struct group *
group_with(struct group *groups, size_t *n, char *key)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(groups[i].key, key) == 0) {
			free(key);
			return &groups[i];
		}
	groups[*n] = (struct group){ .key = key };
	return &groups[(*n)++];
}

/* The numbers of policies, as text. */
static char *
key_of(const struct network_policy_object *const *policies, size_t n)
{
	char *key = NULL;
	size_t size;
	FILE *f = open_memstream(&key, &size);

	if (f == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s,", policies[i]->object.name);
	if (fclose(f) == 0)
		return key;
	free(key);
	return NULL;
}

static void
count_pod(struct group *g, const struct pod_object *pod)
{
	size_t len = strlen(g->examples);

	if (g->n < EXAMPLES_MAX)
		snprintf(g->examples + len, sizeof(g->examples) - len, "%s%s", g->n == 0 ? "" : ", ",
			pod->object.name);
	else if (g->n == EXAMPLES_MAX)
		snprintf(g->examples + len, sizeof(g->examples) - len, ", ...");
	g->n++;
}

/* members: of each group the first pod. */
static void
look_at_namespace(struct lint_world *w, const struct dns *dns, const struct lint_namespace *ns,
	const struct network_policy_object **policies, struct group *groups,
	const struct pod_object **members)
{
	size_t n_groups = 0;

	for (size_t i = 0; i < ns->n_pods; i++) {
		const struct pod_object *pod = w->pods[ns->first_pod + i];
		size_t n = isolating(w, pod, policies);
		char *key = n == 0 ? NULL : key_of(policies, n);
		struct group *g;

		if (n == 0)
			continue;
		if (key == NULL) {
			w->out->is_short = true;
			break;
		}
		g = group_with(groups, &n_groups, key);
		if (g->n == 0)
			members[g - groups] = pod;
		count_pod(g, pod);
	}
	for (size_t i = 0; i < n_groups; i++) {
		size_t n = isolating(w, members[i], policies);

		add_finding(w, dns, &groups[i], policies, n);
		free(groups[i].key);
	}
}

void
lint_dns(struct lint_world *w)
{
	const struct network_policy_object **policies = calloc(w->n_policies + 1, sizeof(*policies));
	const struct pod_object **members = calloc(w->n_pods + 1, sizeof(*members));
	struct group *groups = calloc(w->n_pods + 1, sizeof(*groups));
	struct dns dns = { 0 };

	if (policies == NULL || members == NULL || groups == NULL || !find_dns(w, &dns))
		w->out->is_short = true;
	else
		for (size_t i = 0; i < w->n_namespaces; i++)
			look_at_namespace(w, &dns, &w->namespaces[i], policies, groups, members);
	free(dns.pods);
	free(groups);
	free(members);
	free(policies);
}
