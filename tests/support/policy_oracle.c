#include "tests/support/policy_oracle.h"

#include <stdio.h>

/* --- text with text */

static const char *
value_of(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->n; i++)
		if (strcmp(labels->items[i].key, key) == 0)
			return labels->items[i].value;
	return NULL;
}

static bool
meets(const struct selector_expression *e, const struct labels *labels)
{
	const char *value = value_of(labels, e->key);
	bool is_listed = false;

	for (size_t i = 0; i < e->n_values; i++)
		is_listed |= value != NULL && strcmp(e->values[i], value) == 0;
	if (e->op == SELECTOR_IN)
		return is_listed;
	if (e->op == SELECTOR_NOT_IN)
		return !is_listed;
	return e->op == SELECTOR_EXISTS ? value != NULL : value == NULL;
}

static bool
selects(const struct selector *s, const struct labels *labels)
{
	bool ok = true;

	for (size_t i = 0; i < s->match_labels.n; i++) {
		const char *value = value_of(labels, s->match_labels.items[i].key);

		ok &= value != NULL && strcmp(value, s->match_labels.items[i].value) == 0;
	}
	for (size_t i = 0; i < s->n_expressions; i++)
		ok &= meets(&s->expressions[i], labels);
	return ok;
}

/* --- who has an address */

struct search {
	const struct ip_addr *addr;
	const struct pod_object *pod;
	const struct node_object *node;
};

static void
look_at_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct search *s = arg;

	for (size_t i = 0; i < pod->n_addrs && !pod->host_network; i++)
		if (ip_addr_eq(&pod->addrs[i], s->addr))
			s->pod = pod; /* of several the last */
}

/* Addresses 1 to 5 of a node's pod range are the node's own. */
static void
look_at_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct search *s = arg;

	for (size_t i = 0; i < node->n_pod_cidrs; i++)
		for (uint8_t k = 1; k <= 5; k++) {
			struct ip_addr own = node->pod_cidrs[i].addr;

			own.b[15] = (uint8_t)(own.b[15] + k);
			if (ip_addr_eq(&own, s->addr))
				s->node = node;
		}
}

/* Who is meant by an address: a pod, with its own labels; and the address that networks are asked for. */
struct somebody {
	const struct pod_object *pod;
	struct ip_addr addr;
};

static struct somebody
who_has(const struct oracle_cluster *c, const struct ip_addr *addr)
{
	struct search s = { .addr = addr };
	struct somebody who = { .addr = *addr };

	for (size_t i = 0; i < c->n_pods; i++)
		for (unsigned f = 0; f < N_FAMILIES; f++)
			if (ip_addr_eq(&c->pods[i].addrs[f], addr)) {
				const struct pod_object *pod = (const struct pod_object *)store_get(
					c->store, OBJECT_POD, c->pods[i].ns, c->pods[i].name);

				who.pod = pod == NULL || pod->host_network ? NULL : pod;
				return who;
			}
	store_each(c->store, OBJECT_POD, look_at_pod, &s);
	if (s.pod == NULL)
		store_each(c->store, OBJECT_NODE, look_at_node, &s);
	who.pod = s.pod;
	for (size_t i = 0; s.node != NULL && i < s.node->n_addrs; i++)
		if (ip_addr_is_v4(&s.node->addrs[i]) == ip_addr_is_v4(addr)) {
			who.addr = s.node->addrs[i];
			break;
		}
	return who;
}

const struct pod_object *
oracle_pod(const struct oracle_cluster *c, const struct ip_addr *addr)
{
	return who_has(c, addr).pod;
}

static bool
selects_namespace(const struct oracle_cluster *c, const struct selector *s, const char *ns)
{
	const struct namespace_object *object =
		(const struct namespace_object *)store_get(c->store, OBJECT_NAMESPACE, "", ns);
	struct label name = { (char *)"kubernetes.io/metadata.name", (char *)ns };
	struct labels labels = { 1, &name };

	return selects(s, object == NULL ? &labels : &object->labels);
}

/* --- rules */

static bool
is_in(const struct ip_prefix *p, const struct ip_addr *a)
{
	if (ip_addr_is_v4(&p->addr) != ip_addr_is_v4(a))
		return false;
	for (unsigned bit = 0; bit < p->len; bit++)
		if (((p->addr.b[bit / 8] ^ a->b[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

static bool
is_peer(const struct oracle_cluster *c, const char *ns, const struct policy_peer *peer,
	const struct somebody *who)
{
	if (peer->block != NULL) {
		for (size_t i = 0; i < peer->block->n_excepts; i++)
			if (is_in(&peer->block->excepts[i], &who->addr))
				return false;
		return is_in(&peer->block->cidr, &who->addr);
	}
	if (who->pod == NULL)
		return false;
	if (peer->namespaces == NULL ? strcmp(who->pod->object.ns, ns) != 0
				     : !selects_namespace(c, peer->namespaces, who->pod->object.ns))
		return false;
	return peer->pods == NULL || selects(peer->pods, &who->pod->labels);
}

/* server: the pod whose port it is, if it is one. */
static bool
is_port(const struct policy_port *port, const struct pod_object *server, uint8_t proto, uint16_t number)
{
	if (port->proto != proto)
		return false;
	if (port->name == NULL)
		return number >= port->first && number <= port->last;
	for (size_t i = 0; server != NULL && i < server->n_ports; i++)
		if (strcmp(server->ports[i].name, port->name) == 0 && server->ports[i].proto == proto &&
			server->ports[i].port == number)
			return true;
	return false;
}

static bool
allows(const struct oracle_cluster *c, const char *ns, const struct policy_rule *rule,
	const struct somebody *remote, const struct pod_object *server, uint8_t proto, uint16_t port)
{
	bool peer_fits = rule->n_peers == 0, port_fits = rule->n_ports == 0;

	for (size_t i = 0; i < rule->n_peers; i++)
		peer_fits |= is_peer(c, ns, &rule->peers[i], remote);
	for (size_t i = 0; i < rule->n_ports; i++)
		port_fits |= is_port(&rule->ports[i], server, proto, port);
	return peer_fits && port_fits;
}

struct judging {
	const struct oracle_cluster *c;
	const struct local_pod *pod;
	const struct pod_object *self;
	enum policy_direction direction;
	struct somebody remote;
	uint8_t proto;
	uint16_t port;
	struct oracle_verdict verdict;
};

static void
ask_policy(const struct object *object, void *arg)
{
	const struct network_policy_object *policy = (const struct network_policy_object *)object;
	struct judging *j = arg;
	struct oracle_verdict *v = &j->verdict;
	bool selects_all = policy->pods.match_labels.n == 0 && policy->pods.n_expressions == 0;
	const struct pod_object *server = j->direction == POLICY_INGRESS ? j->self : j->remote.pod;

	if (strcmp(object->ns, j->pod->ns) != 0)
		return;
	if (j->self == NULL && !selects_all) {
		v->is_closed = true;
		return;
	}
	if ((!selects_all && !selects(&policy->pods, &j->self->labels)) || !policy->isolates[j->direction])
		return;
	v->is_isolated = true;
	for (size_t i = 0; i < policy->n_rules[j->direction] && v->policy == NULL; i++)
		if (allows(j->c, object->ns, &policy->rules[j->direction][i], &j->remote, server, j->proto,
			    j->port)) {
			v->policy = policy;
			v->rule = i;
		}
}

static bool
is_audit(const struct oracle_cluster *c, const char *ns)
{
	const struct namespace_object *object =
		(const struct namespace_object *)store_get(c->store, OBJECT_NAMESPACE, "", ns);

	if (object != NULL && object->has_policy_mode)
		return object->policy_mode == POLICY_MODE_AUDIT;
	return c->mode == POLICY_MODE_AUDIT;
}

struct oracle_verdict
oracle_judge(const struct oracle_cluster *c, const struct local_pod *pod, enum policy_direction direction,
	const struct ip_addr *remote, uint8_t proto, uint16_t port)
{
	const struct pod_object *self =
		(const struct pod_object *)store_get(c->store, OBJECT_POD, pod->ns, pod->name);
	struct judging j = { .c = c,
		.pod = pod,
		.self = self == NULL || self->host_network ? NULL : self,
		.direction = direction,
		.remote = who_has(c, remote),
		.proto = proto,
		.port = port };

	store_each(c->store, OBJECT_NETWORK_POLICY, ask_policy, &j);
	j.verdict.is_audit = is_audit(c, pod->ns);
	j.verdict.is_allowed = !j.verdict.is_closed && (!j.verdict.is_isolated || j.verdict.policy != NULL);
	return j.verdict;
}
