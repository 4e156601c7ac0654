/* Rule by rule: peers that are nobody, networks that are pods', names of ports that nobody has. */
#include <stdio.h>

#include "control/build/selector.h"
#include "control/lint/lint_looks.h"

#define WHERE_SIZE 64

/* Where we are. */
struct place {
	struct lint_world *w;
	const struct network_policy_object *policy;
	int direction, rule;
	const struct policy_rule *content;
};

/* "from[1]" */
static const char *
print_where(const struct place *at, size_t peer, char text[static WHERE_SIZE])
{
	snprintf(text, WHERE_SIZE, "%s[%zu]", at->direction == POLICY_INGRESS ? "from" : "to", peer);
	return text;
}

/* --- selectors */

static bool
selects_namespace(const struct place *at, const struct policy_peer *peer, const struct lint_namespace *ns)
{
	if (peer->namespaces == NULL)
		return strcmp(ns->name, at->policy->object.ns) == 0;
	return selector_matches(peer->namespaces, lint_namespace_labels(ns));
}

static void
add_nobody(const struct place *at, size_t index, const struct policy_peer *peer, size_t n_namespaces,
	size_t n_pods, const struct nearest *nearest)
{
	char where[WHERE_SIZE], selector[SELECTOR_TEXT_SIZE];
	const char *lead = nearest->is_found ? "; nearest is " : "";

	print_where(at, index, where);
	if (n_namespaces == 0)
		lint_add(at->w, at->policy, "peer_matches_nothing", at->direction, at->rule,
			"mend the labels in the namespaceSelector; every namespace has the "
			"label " NAMESPACE_NAME_LABEL " with its name",
			"%s: namespaceSelector %s matches 0 of the %zu namespaces%s%s", where,
			lint_selector_text(peer->namespaces, selector), at->w->n_namespaces, lead,
			nearest->text);
	else if (peer->pods == NULL)
		lint_add(at->w, at->policy, "peer_matches_nothing", at->direction, at->rule,
			"is this the namespace that is meant? It has no pods now",
			"%s: there are no pods in the %s", where,
			n_namespaces == 1 ? "namespace that it selects" : "namespaces that it selects");
	else
		lint_add(at->w, at->policy, "peer_matches_nothing", at->direction, at->rule,
			peer->namespaces == NULL
				? "mend the labels in the podSelector; without a namespaceSelector it looks "
				  "in the "
				  "policy's own namespace alone"
				: "mend the labels in the podSelector or in the namespaceSelector beside it",
			"%s: podSelector %s matches 0 of the %zu pods in %s%s%s%s", where,
			lint_selector_text(peer->pods, selector), n_pods,
			peer->namespaces == NULL ? "namespace " : "the namespaces that it selects",
			peer->namespaces == NULL ? at->policy->object.ns : "", lead, nearest->text);
}

static void
look_at_selectors(const struct place *at, size_t index, const struct policy_peer *peer)
{
	struct nearest nearest = { 0 }, nearest_namespace = { 0 };
	size_t n_namespaces = 0, n_pods = 0;

	for (size_t i = 0; i < at->w->n_namespaces; i++) {
		const struct lint_namespace *ns = &at->w->namespaces[i];

		if (!selects_namespace(at, peer, ns)) {
			if (peer->namespaces != NULL)
				lint_guess(&nearest_namespace, peer->namespaces, lint_namespace_labels(ns));
			continue;
		}
		n_namespaces++;
		n_pods += ns->n_pods;
		for (size_t k = 0; k < ns->n_pods; k++) {
			const struct labels *labels = &at->w->pods[ns->first_pod + k]->labels;

			if (peer->pods == NULL || selector_matches(peer->pods, labels))
				return;
			lint_guess(&nearest, peer->pods, labels);
		}
	}
	add_nobody(at, index, peer, n_namespaces, n_pods, n_namespaces == 0 ? &nearest_namespace : &nearest);
}

/* --- networks */

static bool
has_addr_in(const struct pod_object *pod, const struct ip_block *block)
{
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (lint_block_has(block, &pod->addrs[i]))
			return true;
	return false;
}

static const char *
node_around(const struct lint_world *w, const struct ip_block *block)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		for (size_t k = 0; k < w->nodes[i]->n_pod_cidrs; k++) {
			const struct ip_prefix *cidr = &w->nodes[i]->pod_cidrs[k];

			if (cidr->len <= block->cidr.len && ip_prefix_contains(cidr, &block->cidr.addr))
				return w->nodes[i]->object.name;
		}
	return NULL;
}

static void
look_at_block(const struct place *at, size_t index, const struct ip_block *block)
{
	char where[WHERE_SIZE], cidr[IP_PREFIX_STRLEN];
	const struct pod_object *first = NULL;
	const char *node;
	size_t n = 0;

	for (size_t i = 0; i < at->w->n_pods; i++)
		if (has_addr_in(at->w->pods[i], block)) {
			if (n++ == 0)
				first = at->w->pods[i];
		}
	print_where(at, index, where);
	ip_prefix_format(&block->cidr, cidr);
	if (first != NULL) {
		lint_add(at->w, at->policy, "block_has_pods", at->direction, at->rule,
			"ipBlocks are for the outside: name pods by labels, and keep the pod networks out by "
			"except; "
			"services need no rule, as policies see the pods behind them",
			"%s: ipBlock %s has the addresses of %zu pod%s, %s/%s for one, which others get when "
			"that is gone",
			where, cidr, n, n == 1 ? "" : "s", first->object.ns, first->object.name);
		return;
	}
	node = node_around(at->w, block);
	if (node != NULL)
		lint_add(at->w, at->policy, "block_has_pods", at->direction, at->rule,
			"name pods by their labels: their addresses change",
			"%s: ipBlock %s lies in the pod network of node %s, where no pod has it now", where,
			cidr, node);
}

/* --- names of ports */

struct port_search {
	const struct policy_port *port;
	size_t n_pods;
	bool is_found, is_other_proto;
	struct nearest nearest;
};

static void
look_for_port(struct port_search *s, const struct pod_object *pod)
{
	s->n_pods++;
	for (size_t i = 0; i < pod->n_ports; i++) {
		const struct container_port *has = &pod->ports[i];

		if (strcmp(has->name, s->port->name) != 0)
			nearest_word(&s->nearest, s->port->name, has->name);
		else if (has->proto == s->port->proto)
			s->is_found = true;
		else
			s->is_other_proto = true;
	}
}

/* Whose ports they are: the pod's own, or its peers'. */
static bool
is_server(const struct place *at, const struct pod_object *pod)
{
	if (at->direction == POLICY_INGRESS)
		return strcmp(pod->object.ns, at->policy->object.ns) == 0 &&
		       selector_matches(&at->policy->pods, &pod->labels);
	for (size_t i = 0; i < at->content->n_peers; i++)
		if (at->content->peers[i].block == NULL &&
			lint_is_peer(at->w, at->policy->object.ns, &at->content->peers[i], pod))
			return true;
	return at->content->n_peers == 0;
}

static void
look_at_port(const struct place *at, const struct policy_port *port)
{
	struct port_search s = { .port = port };
	const char *proto = port->proto == PROTO_TCP ? "TCP" : port->proto == PROTO_UDP ? "UDP" : "SCTP";
	const char *whose =
		at->direction == POLICY_INGRESS ? "that the policy selects" : "that are its peers";

	for (size_t i = 0; i < at->w->n_pods && !s.is_found; i++)
		if (is_server(at, at->w->pods[i]))
			look_for_port(&s, at->w->pods[i]);
	if (s.is_found || s.n_pods == 0) /* that nobody is selected is told by others */
		return;
	lint_add(at->w, at->policy, "port_of_nobody", at->direction, at->rule,
		s.is_other_proto ? "mend the rule's protocol, which is TCP when it is left out"
				 : "mend the name, give a container's port this name, or write the number",
		"port \"%s\" (%s): none of the %zu pods %s has a port by this name%s%s%s", port->name, proto,
		s.n_pods, whose, s.is_other_proto ? " of this protocol" : "",
		!s.is_other_proto && s.nearest.is_found ? "; nearest is " : "",
		s.is_other_proto ? "" : s.nearest.text);
}

/* --- all */

static void
look_at_rule(const struct place *at)
{
	for (size_t i = 0; i < at->content->n_peers; i++) {
		const struct policy_peer *peer = &at->content->peers[i];

		if (peer->block != NULL)
			look_at_block(at, i, peer->block);
		else
			look_at_selectors(at, i, peer);
	}
	for (size_t i = 0; i < at->content->n_ports; i++)
		if (at->content->ports[i].name != NULL)
			look_at_port(at, &at->content->ports[i]);
}

void
lint_rules(struct lint_world *w)
{
	for (size_t i = 0; i < w->n_policies; i++)
		for (int d = 0; d < N_POLICY_DIRECTIONS; d++)
			for (size_t k = 0; w->policies[i]->isolates[d] && k < w->policies[i]->n_rules[d]; k++)
				look_at_rule(&(struct place){
					w, w->policies[i], d, (int)k, &w->policies[i]->rules[d][k] });
}
