#include "tests/support/policy_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/model/network_policy.h"

#define N_NAMESPACES 4
#define N_PODS 24
#define N_NODES 3

static const char *const keys[] = { "app", "tier", "x" };
static const char *const values[] = { "web", "db", "" };
static const char *const port_names[] = { "web", "dns", "s" };
static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };
static const uint16_t ports[] = { 53, 80, 81, 443, 8080, 65535 };
static const char *const networks[] = { "0.0.0.0/0", "10.244.0.0/16", "10.244.2.0/24", "10.244.2.8/30",
	"10.244.3.12/32", "192.0.2.0/24", "192.0.2.1/32", "192.0.2.128/25", "::/0", "fd00:10:244::/48",
	"fd00:10:244:2::/64", "fd00:10:244:2::10/124", "2001:db8::/32", "2001:db8::1/128" };
static const char *const strangers[] = { "192.0.2.1", "192.0.2.2", "192.0.2.200", "198.51.100.7",
	"10.244.2.17", "10.244.1.200", "2001:db8::1", "2001:db8::2", "fd00:10:244:2::1f", "fd00:10:244:9::1",
	"2001:db9::1" };

#define N(array) ((uint32_t)(sizeof(array) / sizeof(array[0])))
#define ANY_OF(w, array) array[policy_world_draw(w, N(array))]

uint32_t
policy_world_draw(struct policy_world *w, uint32_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((w->seed >> 32) * below >> 32);
}

static bool
chance(struct policy_world *w, uint32_t one_in)
{
	return policy_world_draw(w, one_in) == 0;
}

static void *
zeroed(size_t n, size_t size)
{
	void *memory = calloc(n == 0 ? 1 : n, size);

	if (memory == NULL)
		abort();
	return memory;
}

static char *__attribute__((format(printf, 1, 2))) text(const char *format, ...)
{
	va_list args;
	char *out;

	va_start(args, format);
	if (vasprintf(&out, format, args) < 0)
		abort();
	va_end(args);
	return out;
}

static void *
object(size_t size, enum object_kind kind, const char *ns, char *name)
{
	struct object *o = zeroed(1, size);

	*o = (struct object){ .kind = kind, .ns = text("%s", ns), .name = name };
	return o;
}

static void
put(struct policy_world *w, struct object *o)
{
	if (store_put(w->store, o) < 0)
		abort();
}

static struct ip_addr
addr(const char *string)
{
	struct ip_addr a;

	if (!ip_addr_parse(string, &a))
		abort();
	return a;
}

static struct ip_prefix
prefix(const char *string)
{
	struct ip_prefix p;

	if (!ip_prefix_parse(string, &p))
		abort();
	return p;
}

/* The i-th pod address of the cluster, in either family: some in each node's range. */
static struct ip_addr
pod_addr(uint32_t i, bool is_v4)
{
	char string[32];

	snprintf(string, sizeof(string), is_v4 ? "10.244.%u.%u" : "fd00:10:244:%u::%u", 1 + i % N_NODES,
		10 + i / N_NODES);
	return addr(string);
}

static struct labels
random_labels(struct policy_world *w)
{
	struct labels labels = { .items = zeroed(N(keys), sizeof(struct label)) };

	for (uint32_t i = 0; i < N(keys); i++)
		if (!chance(w, 3))
			labels.items[labels.n++] =
				(struct label){ text("%s", keys[i]), text("%s", ANY_OF(w, values)) };
	return labels;
}

/* --- objects */

static void
change_namespace(struct policy_world *w)
{
	char *name = text("ns%u", policy_world_draw(w, N_NAMESPACES));
	struct namespace_object *o;

	if (chance(w, 3)) {
		store_remove(w->store, OBJECT_NAMESPACE, "", name);
		free(name);
		return;
	}
	o = object(sizeof(*o), OBJECT_NAMESPACE, "", name);
	o->labels = random_labels(w);
	o->labels.items = realloc(o->labels.items, (o->labels.n + 1) * sizeof(struct label));
	o->labels.items[o->labels.n++] = (struct label){ text(NAMESPACE_NAME_LABEL), text("%s", name) };
	o->has_policy_mode = chance(w, 3);
	o->policy_mode = chance(w, 2) ? POLICY_MODE_AUDIT : POLICY_MODE_ENFORCE;
	put(w, &o->object);
}

static void
change_node(struct policy_world *w)
{
	uint32_t n = policy_world_draw(w, N_NODES);
	struct node_object *o = object(sizeof(*o), OBJECT_NODE, "", text("node%u", n));
	char string[32];

	o->addrs = zeroed(2, sizeof(*o->addrs));
	o->pod_cidrs = zeroed(2, sizeof(*o->pod_cidrs));
	snprintf(string, sizeof(string), "192.0.2.%u", 1 + n * 64);
	if (!chance(w, 4))
		o->addrs[o->n_addrs++] = addr(string);
	snprintf(string, sizeof(string), "2001:db8::%u", 1 + n);
	if (!chance(w, 2))
		o->addrs[o->n_addrs++] = addr(string);
	snprintf(string, sizeof(string), "10.244.%u.0/24", 1 + n);
	o->pod_cidrs[o->n_pod_cidrs++] = prefix(string);
	snprintf(string, sizeof(string), "fd00:10:244:%u::/64", 1 + n);
	o->pod_cidrs[o->n_pod_cidrs++] = prefix(string);
	put(w, &o->object);
}

static void
fill_pod(struct policy_world *w, struct pod_object *o, uint32_t i)
{
	o->node = text("node%u", i % N_NODES);
	o->labels = random_labels(w);
	o->host_network = chance(w, 12);
	o->has_ended = chance(w, 12);
	o->addrs = zeroed(2, sizeof(*o->addrs));
	/* now and then another's address, as when a pod's status lags behind */
	for (unsigned f = 0; f < 2 && !o->has_ended; f++)
		if (!chance(w, 6))
			o->addrs[o->n_addrs++] =
				pod_addr(chance(w, 10) ? policy_world_draw(w, N_PODS) : i, f == 0);
	o->ports = zeroed(N(port_names), sizeof(*o->ports));
	for (uint32_t p = 0; p < N(port_names); p++)
		if (chance(w, 2))
			o->ports[o->n_ports++] = (struct container_port){
				.name = text("%s", chance(w, 5) ? "" : port_names[p]),
				.proto = protos[p],
				.port = ANY_OF(w, ports)
			};
}

static void
change_pod(struct policy_world *w)
{
	uint32_t i = policy_world_draw(w, N_PODS);
	char ns[16], *name = text("pod%u", i);
	struct pod_object *o;

	snprintf(ns, sizeof(ns), "ns%u", i % N_NAMESPACES);
	if (chance(w, 16)) {
		store_remove(w->store, OBJECT_POD, ns, name);
		free(name);
		return;
	}
	o = object(sizeof(*o), OBJECT_POD, ns, name);
	fill_pod(w, o, i);
	put(w, &o->object);
}

struct local_pod
policy_world_pod(struct policy_world *w, size_t at, uint32_t i)
{
	snprintf(w->names[at][0], sizeof(w->names[0][0]), "ns%u", i % N_NAMESPACES);
	snprintf(w->names[at][1], sizeof(w->names[0][1]), "pod%u", i);
	return (struct local_pod){ .port = (uint16_t)at,
		.addrs = { [V4] = pod_addr(i, true), [V6] = pod_addr(i, false) },
		.ns = w->names[at][0],
		.name = w->names[at][1] };
}

/* An attachment comes, goes, or gets another place in the list. */
static void
change_local(struct policy_world *w)
{
	uint32_t i = policy_world_draw(w, N_PODS);

	if (w->are_locals_fixed)
		return;
	if (w->n_locals == WORLD_LOCALS || (w->n_locals > 3 && chance(w, 2))) {
		uint32_t gone = policy_world_draw(w, (uint32_t)w->n_locals), last = (uint32_t)--w->n_locals;
		uint16_t port = w->locals[gone].port;

		memmove(w->names[gone], w->names[last], sizeof(w->names[0]));
		w->locals[gone] = w->locals[last];
		w->locals[gone].port = port;
		w->locals[gone].ns = w->names[gone][0];
		w->locals[gone].name = w->names[gone][1];
		return;
	}
	for (size_t k = 0; k < w->n_locals; k++)
		if ((unsigned)atoi(w->locals[k].name + 3) == i)
			return;
	w->locals[w->n_locals] = policy_world_pod(w, w->n_locals, i);
	if (chance(w, 4))
		w->locals[w->n_locals].addrs[V6] = (struct ip_addr){ 0 };
	w->n_locals++;
}

/* --- policies */

static void
fill_selector(struct policy_world *w, struct selector *s)
{
	s->match_labels.items = zeroed(N(keys), sizeof(struct label));
	s->expressions = zeroed(2, sizeof(*s->expressions));
	if (chance(w, 3))
		return; /* everything */
	for (uint32_t i = 0; i < N(keys); i++)
		if (chance(w, 3))
			s->match_labels.items[s->match_labels.n++] =
				(struct label){ text("%s", keys[i]), text("%s", ANY_OF(w, values)) };
	while (s->n_expressions < 2 && chance(w, 2)) {
		struct selector_expression *e = &s->expressions[s->n_expressions++];

		e->op = (enum selector_operator)policy_world_draw(w, 4);
		e->key = text("%s", chance(w, 8) ? NAMESPACE_NAME_LABEL : ANY_OF(w, keys));
		e->values = zeroed(2, sizeof(char *));
		while (e->op <= SELECTOR_NOT_IN && e->n_values < 1 + policy_world_draw(w, 2))
			e->values[e->n_values++] = chance(w, 4)
							   ? text("ns%u", policy_world_draw(w, N_NAMESPACES))
							   : text("%s", ANY_OF(w, values));
	}
}

static struct selector *
random_selector(struct policy_world *w)
{
	struct selector *s = zeroed(1, sizeof(*s));

	fill_selector(w, s);
	return s;
}

static struct ip_block *
random_block(struct policy_world *w)
{
	struct ip_block *block = zeroed(1, sizeof(*block));

	block->cidr = prefix(ANY_OF(w, networks));
	block->excepts = zeroed(N(networks), sizeof(*block->excepts));
	for (uint32_t i = 0; i < N(networks); i++) {
		struct ip_prefix except = prefix(networks[i]);

		if (except.len > block->cidr.len && ip_prefix_contains(&block->cidr, &except.addr) &&
			chance(w, 3))
			block->excepts[block->n_excepts++] = except;
	}
	return block;
}

static void
fill_peer(struct policy_world *w, struct policy_peer *peer)
{
	switch (policy_world_draw(w, 4)) {
	case 0:
		peer->pods = random_selector(w);
		break;
	case 1:
		peer->namespaces = random_selector(w);
		break;
	case 2:
		peer->pods = random_selector(w);
		peer->namespaces = random_selector(w);
		break;
	default:
		peer->block = random_block(w);
		break;
	}
}

static void
fill_port(struct policy_world *w, struct policy_port *port)
{
	port->proto = ANY_OF(w, protos);
	switch (policy_world_draw(w, 4)) {
	case 0: /* all of the protocol */
		port->last = UINT16_MAX;
		break;
	case 1:
		port->name = text("%s", ANY_OF(w, port_names));
		break;
	case 2:
		port->first = port->last = ANY_OF(w, ports);
		break;
	default:
		port->first = ANY_OF(w, ports);
		port->last = ANY_OF(w, ports);
		if (port->last < port->first)
			port->last = port->first;
		break;
	}
}

static void
fill_rule(struct policy_world *w, struct policy_rule *rule)
{
	rule->peers = zeroed(3, sizeof(*rule->peers));
	rule->ports = zeroed(3, sizeof(*rule->ports));
	if (!chance(w, 3))
		for (uint32_t n = 1 + policy_world_draw(w, 3); rule->n_peers < n;)
			fill_peer(w, &rule->peers[rule->n_peers++]);
	if (!chance(w, 2))
		for (uint32_t n = 1 + policy_world_draw(w, 3); rule->n_ports < n;)
			fill_port(w, &rule->ports[rule->n_ports++]);
}

static void
change_policy(struct policy_world *w)
{
	uint32_t i = policy_world_draw(w, w->policies_max);
	char ns[16], *name = text("np%u", i);
	struct network_policy_object *o;

	snprintf(ns, sizeof(ns), "ns%u", i % N_NAMESPACES);
	if (chance(w, 3)) {
		store_remove(w->store, OBJECT_NETWORK_POLICY, ns, name);
		free(name);
		return;
	}
	o = object(sizeof(*o), OBJECT_NETWORK_POLICY, ns, name);
	fill_selector(w, &o->pods);
	for (unsigned d = 0; d < N_POLICY_DIRECTIONS; d++) {
		o->isolates[d] = !chance(w, 3);
		o->rules[d] = zeroed(4, sizeof(*o->rules[d]));
		for (uint32_t n = policy_world_draw(w, 5); o->n_rules[d] < n;)
			fill_rule(w, &o->rules[d][o->n_rules[d]++]);
	}
	put(w, &o->object);
}

/* --- the whole */

void
policy_world_change(struct policy_world *w)
{
	switch (policy_world_draw(w, 12)) {
	case 0:
		change_namespace(w);
		break;
	case 1:
		change_node(w);
		break;
	case 2:
	case 3:
		change_local(w);
		break;
	case 4:
	case 5:
	case 6:
		change_policy(w);
		break;
	default:
		change_pod(w);
		break;
	}
}

void
policy_world_init(struct policy_world *w, uint64_t seed, unsigned policies_max)
{
	*w = (struct policy_world){ .seed = seed, .store = store_new(), .policies_max = policies_max };
	if (w->store == NULL)
		abort();
}

void
policy_world_fini(struct policy_world *w)
{
	store_free(w->store);
}

bool
policy_world_ask(struct policy_world *w, struct policy_question *out)
{
	bool is_v4 = chance(w, 2);

	if (w->n_locals == 0)
		return false;
	*out = (struct policy_question){
		.pod = &w->locals[policy_world_draw(w, (uint32_t)w->n_locals)],
		.direction = (enum policy_direction)policy_world_draw(w, N_POLICY_DIRECTIONS),
		.proto = chance(w, 6) ? (is_v4 ? PROTO_ICMP : PROTO_ICMPV6) : ANY_OF(w, protos),
	};
	if (out->proto != PROTO_ICMP && out->proto != PROTO_ICMPV6)
		out->port = (uint16_t)(ANY_OF(w, ports) + (chance(w, 4) ? policy_world_draw(w, 3) - 1 : 0));
	switch (policy_world_draw(w, 4)) {
	case 0:
		out->remote = addr(ANY_OF(w, strangers));
		break;
	case 1: {
		char string[32];

		snprintf(string, sizeof(string), is_v4 ? "10.244.%u.%u" : "fd00:10:244:%u::%u",
			1 + policy_world_draw(w, N_NODES), policy_world_draw(w, 8));
		out->remote = addr(string);
		break;
	}
	default:
		out->remote = pod_addr(policy_world_draw(w, N_PODS), is_v4);
		break;
	}
	return true;
}
