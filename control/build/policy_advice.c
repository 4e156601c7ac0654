#include "control/build/policy_advice.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/policy_build_internal.h"
#include "control/build/selector.h"
#include "control/model/reserved_addrs.h"

#define WORD_SIZE 41
#define NAME_SIZE 160

/* Who is at the other end, as identities.c sees it. */
struct peer {
	const struct pod_object *pod;   /* NULL: no pod, or one that has its node's address */
	const struct node_object *node; /* NULL: the address is none that stands for a node */
	struct ip_addr addr;            /* that ipBlocks are compared with */
};

static void __attribute__((format(printf, 2, 3))) add_note(struct policy_advice *a, const char *format, ...)
{
	size_t len = strlen(a->note);
	va_list args;

	len += (size_t)snprintf(a->note + len, sizeof(a->note) - len, "%s", len == 0 ? "" : " ");
	va_start(args, format);
	if (len < sizeof(a->note))
		vsnprintf(a->note + len, sizeof(a->note) - len, format, args);
	va_end(args);
}

/* --- who it is */

static const struct pod_object *
pod_named(const struct policy_builder *b, const char *ns, const char *name)
{
	const struct pod_object *pod = (const struct pod_object *)store_get(b->store, OBJECT_POD, ns, name);

	return pod == NULL || pod->host_network ? NULL : pod;
}

static void
look_at_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct peer *peer = arg;

	for (size_t i = 0; i < pod->n_addrs && !pod->host_network && !pod->has_ended; i++)
		if (ip_addr_eq(&pod->addrs[i], &peer->addr))
			peer->pod = pod; /* the last, as identities have it */
}

static bool
is_reserved(const struct ip_prefix *range, const struct ip_addr *addr)
{
	struct ip_addr own = reserved_inbound_addr(range);

	for (unsigned k = 0; k < HOST_ADDRS && !ip_addr_eq(&own, addr); k++)
		own = reserved_host_addr(range, k);
	return ip_addr_eq(&own, addr);
}

static void
look_at_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct peer *peer = arg;

	for (size_t i = 0; i < node->n_pod_cidrs; i++)
		if (is_reserved(&node->pod_cidrs[i], &peer->addr))
			peer->node = node;
}

static struct peer
find_peer(const struct policy_builder *b, const struct ip_addr *addr)
{
	struct peer peer = { .addr = *addr };
	bool is_v4 = ip_addr_is_v4(addr);

	for (size_t i = 0; i < b->n_locals; i++)
		if (ip_addr_eq(&b->locals[i].pod.addrs[is_v4 ? V4 : V6], addr)) {
			peer.pod = pod_named(b, b->locals[i].pod.ns, b->locals[i].pod.name);
			return peer;
		}
	store_each(b->store, OBJECT_POD, look_at_pod, &peer);
	if (peer.pod == NULL)
		store_each(b->store, OBJECT_NODE, look_at_node, &peer);
	for (size_t i = 0; peer.node != NULL && i < peer.node->n_addrs; i++)
		if (ip_addr_is_v4(&peer.node->addrs[i]) == is_v4) {
			peer.addr = peer.node->addrs[i];
			break;
		}
	return peer;
}

/* --- labels */

/* What controllers add to tell the pods of one workload, or its versions, apart. */
static bool
is_generated(const char *key)
{
	static const char *const keys[] = { "pod-template-hash", "controller-revision-hash",
		"pod-template-generation", "statefulset.kubernetes.io/pod-name",
		"apps.kubernetes.io/pod-index", "controller-uid", "job-name",
		"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
		"batch.kubernetes.io/job-completion-index" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static bool
add_label(struct labels *to, const char *key, const char *value)
{
	struct label *label = &to->items[to->n++];

	label->key = strdup(key);
	label->value = strdup(value);
	return label->key != NULL && label->value != NULL;
}

/* A pod that has generated ones alone is known by these. */
static bool
select_by_labels(struct selector *s, const struct labels *from, bool with_generated)
{
	struct labels *to = &s->match_labels;

	for (size_t i = 0; i < to->n; i++) {
		free(to->items[i].key);
		free(to->items[i].value);
	}
	free(to->items);
	*to = (struct labels){ .items = calloc(from->n + 1, sizeof(struct label)) };
	for (size_t i = 0; to->items != NULL && i < from->n; i++)
		if ((with_generated || !is_generated(from->items[i].key)) &&
			!add_label(to, from->items[i].key, from->items[i].value))
			return false;
	if (to->items != NULL && to->n == 0 && from->n != 0)
		return select_by_labels(s, from, true);
	return to->items != NULL;
}

/* --- whom it would isolate besides */

struct company {
	const struct policy_builder *b;
	const struct network_policy_object *advice;
	enum policy_direction direction;
	const struct pod_object *pod; /* is it isolated? */
	bool is_isolated;
	size_t n;
};

static void
look_at_policy(const struct object *object, void *arg)
{
	const struct network_policy_object *policy = (const struct network_policy_object *)object;
	struct company *c = arg;

	c->is_isolated |= policy->isolates[c->direction] && strcmp(object->ns, c->pod->object.ns) == 0 &&
			  selector_matches(&policy->pods, &c->pod->labels);
}

static void
look_at_companion(const struct object *object, void *arg)
{
	struct company *c = arg;

	c->pod = (const struct pod_object *)object;
	if (strcmp(object->ns, c->advice->object.ns) != 0 || c->pod->host_network || c->pod->has_ended ||
		!selector_matches(&c->advice->pods, &c->pod->labels))
		return;
	c->is_isolated = false;
	store_each(c->b->store, OBJECT_NETWORK_POLICY, look_at_policy, c);
	c->n += !c->is_isolated;
}

static size_t
count_newly_isolated(const struct policy_builder *b, const struct network_policy_object *advice,
	enum policy_direction direction)
{
	struct company c = { .b = b, .advice = advice, .direction = direction };

	store_each(b->store, OBJECT_POD, look_at_companion, &c);
	return c.n;
}

/* --- whom it is about besides */

struct others {
	const struct selector *selector;
	const char *ns;
	const struct pod_object *first;
	size_t n;
};

/* One with further labels than those that it was selected by is hardly of the same workload. */
static bool
has_further_labels(const struct pod_object *pod, const struct selector *s)
{
	for (size_t i = 0; i < pod->labels.n; i++) {
		const char *key = pod->labels.items[i].key;

		if (!is_generated(key) && labels_get(&s->match_labels, key) == NULL)
			return true;
	}
	return false;
}

static void
look_at_other(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct others *o = arg;

	if (strcmp(object->ns, o->ns) != 0 || pod->host_network || pod->has_ended ||
		!selector_matches(o->selector, &pod->labels) || !has_further_labels(pod, o->selector))
		return;
	if (o->n++ == 0)
		o->first = pod;
}

static void
note_others(const struct policy_builder *b, struct policy_advice *a, const struct selector *selector,
	const char *ns, const char *whose)
{
	struct others o = { .selector = selector, .ns = ns };

	store_each(b->store, OBJECT_POD, look_at_other, &o);
	if (o.n != 0)
		add_note(a, "%s labels are also those of %zu pod%s with further ones, %.63s/%.63s for one.",
			whose, o.n, o.n == 1 ? "" : "s", ns, o.first->object.name);
}

/* --- its name */

/* Lower case letters, digits and '-', as names of objects have them. */
static void
print_word(char out[static WORD_SIZE], const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n + 1 < WORD_SIZE; text++)
		if (isalnum((unsigned char)*text))
			out[n++] = (char)tolower((unsigned char)*text);
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	if (n == 0)
		snprintf(out, WORD_SIZE, "pods");
}

static void
print_pod_word(char out[static WORD_SIZE], const struct pod_object *pod)
{
	static const char *const keys[] = { "app.kubernetes.io/name", "app", "k8s-app" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = labels_get(&pod->labels, keys[i]);

		if (value != NULL && *value != '\0') {
			print_word(out, value);
			return;
		}
	}
	print_word(out, pod->object.name);
}

static const char *
proto_word(uint8_t proto)
{
	return proto == PROTO_TCP ? "tcp" : proto == PROTO_UDP ? "udp" : proto == PROTO_SCTP ? "sctp" : NULL;
}

/* "allow-web-to-db-tcp-5432", with a number behind it if there is one already. */
static char *
name_of(const struct policy_builder *b, const struct local_pod *self, const struct peer *peer,
	const struct policy_denied *denied)
{
	char own[WORD_SIZE], other[WORD_SIZE], addr[IP_ADDR_STRLEN], name[NAME_SIZE];
	const char *proto = proto_word(denied->proto);
	const struct pod_object *pod = pod_named(b, self->ns, self->name);
	size_t len;

	if (pod != NULL)
		print_pod_word(own, pod);
	else
		print_word(own, self->name);
	if (peer->pod != NULL)
		print_pod_word(other, peer->pod);
	else
		print_word(other, ip_addr_format(&peer->addr, addr));
	len = (size_t)snprintf(name, sizeof(name), "allow-%s-%s-%s", own,
		denied->direction == POLICY_INGRESS ? "from" : "to", other);
	if (proto != NULL)
		len += (size_t)snprintf(name + len, sizeof(name) - len, "-%s-%u", proto, denied->server_port);
	for (unsigned i = 2; store_get(b->store, OBJECT_NETWORK_POLICY, self->ns, name) != NULL; i++)
		snprintf(name + len, sizeof(name) - len, "-%u", i);
	return strdup(name);
}

/* --- the rule */

static bool
fill_peer(const struct policy_builder *b, struct policy_advice *a, struct policy_peer *out,
	const struct peer *peer)
{
	if (peer->pod == NULL) {
		out->block = calloc(1, sizeof(*out->block));
		if (out->block == NULL)
			return false;
		out->block->cidr = (struct ip_prefix){ .addr = peer->addr, .len = 128 };
		if (peer->node != NULL)
			add_note(a,
				"The address is node %s's, which stands for all that comes by way of that "
				"node.",
				peer->node->object.name);
		return true;
	}
	out->pods = calloc(1, sizeof(*out->pods));
	out->namespaces = calloc(1, sizeof(*out->namespaces));
	if (out->pods == NULL || out->namespaces == NULL)
		return false;
	out->namespaces->match_labels.items = calloc(1, sizeof(struct label));
	if (out->namespaces->match_labels.items == NULL ||
		!add_label(&out->namespaces->match_labels, NAMESPACE_NAME_LABEL, peer->pod->object.ns) ||
		!select_by_labels(out->pods, &peer->pod->labels, false))
		return false;
	if (selector_is_empty(out->pods))
		add_note(a, "The peer, pod %s/%s, has no labels: all pods of its namespace are allowed.",
			peer->pod->object.ns, peer->pod->object.name);
	else
		note_others(b, a, out->pods, peer->pod->object.ns, "The peer's");
	return true;
}

static bool
fill_port(struct policy_advice *a, struct policy_rule *rule, const struct policy_denied *denied)
{
	if (proto_word(denied->proto) == NULL) {
		add_note(a,
			"Only rules without ports match what is neither TCP nor UDP nor SCTP, such as ICMP: "
			"all ports of all protocols are allowed with it.");
		return true;
	}
	rule->ports = calloc(1, sizeof(*rule->ports));
	if (rule->ports == NULL)
		return false;
	rule->n_ports = 1;
	rule->ports[0] = (struct policy_port){ .proto = denied->proto,
		.first = denied->server_port,
		.last = denied->server_port == 0 ? UINT16_MAX : denied->server_port };
	if (denied->server_port == 0)
		add_note(a, "Port 0 cannot be written: all of the protocol's are allowed.");
	return true;
}

static bool
fill_rule(const struct policy_builder *b, struct policy_advice *a, const struct peer *peer,
	const struct policy_denied *denied)
{
	struct policy_rule *rule = calloc(1, sizeof(*rule));

	if (rule == NULL)
		return false;
	a->policy->isolates[denied->direction] = true;
	a->policy->rules[denied->direction] = rule;
	a->policy->n_rules[denied->direction] = 1;
	rule->peers = calloc(1, sizeof(*rule->peers));
	if (rule->peers == NULL)
		return false;
	rule->n_peers = 1;
	return fill_peer(b, a, &rule->peers[0], peer) && fill_port(a, rule, denied);
}

/* By the workload's labels; by all if these select somebody who is not isolated yet. */
static bool
fill_subject(const struct policy_builder *b, struct policy_advice *a, const struct local_pod *self,
	enum policy_direction direction)
{
	const struct pod_object *pod = pod_named(b, self->ns, self->name);

	if (pod != NULL && !pod_uid_is(pod->uid, pod->static_uid, self->uid))
		pod = NULL; /* a former one's of this name */
	if (pod == NULL)
		add_note(a,
			"No Pod object tells the pod's labels: only policies of all pods of its namespace "
			"concern it.");
	else if (!select_by_labels(&a->policy->pods, &pod->labels, false))
		return false;
	a->n_isolated = count_newly_isolated(b, a->policy, direction);
	if (a->n_isolated != 0 && pod != NULL) {
		if (!select_by_labels(&a->policy->pods, &pod->labels, true))
			return false;
		a->n_isolated = count_newly_isolated(b, a->policy, direction);
	}
	if (a->n_isolated != 0)
		add_note(a,
			"Its podSelector selects %zu %s besides that no policy isolates for %s now: they "
			"would be "
			"isolated. Give the pod a label that they do not have, and select by that.",
			a->n_isolated, a->n_isolated == 1 ? "pod" : "pods",
			direction == POLICY_INGRESS ? "ingress" : "egress");
	else if (pod != NULL && selector_is_empty(&a->policy->pods))
		add_note(a, "The pod has no labels: all pods of its namespace are concerned.");
	else if (pod != NULL)
		note_others(b, a, &a->policy->pods, self->ns, "The pod's");
	return true;
}

static const struct local_pod *
find_self(const struct policy_builder *b, uint16_t port)
{
	for (size_t i = 0; i < b->n_locals; i++)
		if (b->locals[i].pod.port == port && *b->locals[i].pod.ns != '\0')
			return &b->locals[i].pod;
	return NULL;
}

int
policy_builder_advise(
	const struct policy_builder *b, const struct policy_denied *denied, struct policy_advice *out)
{
	const struct local_pod *self = find_self(b, denied->port);
	struct peer peer = find_peer(b, &denied->peer);

	*out = (struct policy_advice){ .is_peer_pod = peer.pod != NULL };
	if (self == NULL)
		return -ENOENT;
	out->policy = calloc(1, sizeof(*out->policy));
	if (out->policy == NULL)
		return -ENOMEM;
	out->policy->object = (struct object){
		.kind = OBJECT_NETWORK_POLICY, .ns = strdup(self->ns), .name = name_of(b, self, &peer, denied)
	};
	if (out->policy->object.ns != NULL && out->policy->object.name != NULL &&
		fill_rule(b, out, &peer, denied) && fill_subject(b, out, self, denied->direction))
		return 0;
	object_free(&out->policy->object);
	out->policy = NULL;
	return -ENOMEM;
}
