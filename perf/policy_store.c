#include "perf/policy_store.h"

#include <stdio.h>

#include "control/model/network_policy.h"
#include "perf/must.h"

static void *
object(size_t size, enum object_kind kind, char *ns, char *name)
{
	struct object *o = must_alloc(1, size);

	*o = (struct object){ .kind = kind, .ns = ns, .name = name };
	return o;
}

static struct label
label(const char *key, char *value)
{
	return (struct label){ must_text("%s", key), value };
}

static struct ip_addr
pod_addr(unsigned i, unsigned version)
{
	return ip_addr_v4(be32_from(0x0a000000 | (version & 1) << 23 | (i / 200) << 8 | (10 + i % 200)));
}

struct object *
policy_store_namespace(const struct policy_shape *shape, unsigned i, unsigned version)
{
	struct namespace_object *o = object(
		sizeof(*o), OBJECT_NAMESPACE, must_alloc(1, 1), must_text("ns-%u", i % shape->n_namespaces));

	o->labels = (struct labels){ 2, must_alloc(2, sizeof(struct label)) };
	o->labels.items[0] = label(NAMESPACE_NAME_LABEL, must_text("%s", o->object.name));
	o->labels.items[1] = label("team", must_text("t%u", (i + version) % 7));
	return &o->object;
}

/* Its labels are those of its app and of its own: a StatefulSet's pods each have their name for a label. */
static struct object *
make_pod(const struct policy_shape *shape, unsigned i, unsigned app, unsigned addr_version)
{
	struct pod_object *o = object(sizeof(*o), OBJECT_POD, must_text("ns-%u", i % shape->n_namespaces),
		must_text("pod-%u", i / shape->n_namespaces));

	o->node = must_text("node-%u", i < shape->n_locals ? 0 : 1 + i % 100);
	o->labels = (struct labels){ 3, must_alloc(3, sizeof(struct label)) };
	o->labels.items[0] = label("app", must_text("a%u", app % POLICY_APPS));
	o->labels.items[1] = label("pod-template-hash", must_text("%u", app % POLICY_APPS * 1234567));
	o->labels.items[2] = label("statefulset.kubernetes.io/pod", must_text("%s", o->object.name));
	o->n_addrs = 1;
	o->addrs = must_alloc(1, sizeof(*o->addrs));
	o->addrs[0] = pod_addr(i, addr_version);
	o->n_ports = 1;
	o->ports = must_alloc(1, sizeof(*o->ports));
	o->ports[0] = (struct container_port){
		.name = must_text("web"), .port = (uint16_t)(8080 + i % 3), .proto = PROTO_TCP
	};
	return &o->object;
}

static unsigned
app_of(const struct policy_shape *shape, unsigned i)
{
	return i / shape->n_namespaces;
}

struct object *
policy_store_pod_labels(const struct policy_shape *shape, unsigned i, unsigned version)
{
	return make_pod(shape, i, app_of(shape, i) + version, 0);
}

struct object *
policy_store_pod_addr(const struct policy_shape *shape, unsigned i, unsigned version)
{
	return make_pod(shape, i, app_of(shape, i), version);
}

static struct selector *
selecting(const char *key, char *value)
{
	struct selector *s = must_alloc(1, sizeof(*s));

	s->match_labels = (struct labels){ 1, must_alloc(1, sizeof(struct label)) };
	s->match_labels.items[0] = label(key, value);
	return s;
}

static struct policy_port
number(uint16_t first, uint16_t last)
{
	return (struct policy_port){ .proto = PROTO_TCP, .first = first, .last = last };
}

/* Two peers each, and ports. */
static void
fill_rules(struct network_policy_object *o, unsigned d, unsigned seed)
{
	struct policy_rule *rules = must_alloc(2, sizeof(*rules));
	struct ip_block *block = must_alloc(1, sizeof(*block));

	*block = (struct ip_block){ .excepts = must_alloc(1, sizeof(*block->excepts)), .n_excepts = 1 };
	block->cidr.addr = ip_addr_v4(be32_from(0xc0000000 | (seed % 64) << 16));
	block->cidr.len = 96 + 16;
	block->excepts[0] =
		(struct ip_prefix){ ip_addr_v4(be32_from(0xc0000100 | (seed % 64) << 16)), 96 + 24 };
	for (unsigned i = 0; i < 2; i++) {
		rules[i].n_peers = 2;
		rules[i].peers = must_alloc(2, sizeof(struct policy_peer));
		rules[i].n_ports = 2;
		rules[i].ports = must_alloc(2, sizeof(struct policy_port));
		rules[i].ports[0] = number((uint16_t)(1000 + seed % 50), (uint16_t)(1000 + seed % 50));
		rules[i].ports[1] = number(8080, (uint16_t)(8080 + seed % 100));
	}
	rules[0].peers[0].pods = selecting("app", must_text("a%u", (seed + 1) % POLICY_APPS));
	rules[0].peers[1].pods = selecting("app", must_text("a%u", (seed + 2) % POLICY_APPS));
	rules[1].peers[0].namespaces = selecting("team", must_text("t%u", seed % 7));
	rules[1].peers[0].pods = selecting("app", must_text("a%u", seed % POLICY_APPS));
	rules[1].peers[1].block = block;
	o->isolates[d] = true;
	o->n_rules[d] = 2;
	o->rules[d] = rules;
}

struct object *
policy_store_policy(const struct policy_shape *shape, unsigned i, unsigned version)
{
	struct network_policy_object *o = object(sizeof(*o), OBJECT_NETWORK_POLICY,
		must_text("ns-%u", i % shape->n_namespaces), must_text("np-%u", i / shape->n_namespaces));
	struct selector *pods = selecting("app", must_text("a%u", i / shape->n_namespaces % POLICY_APPS));

	o->pods = *pods;
	free(pods);
	fill_rules(o, 0, i + version);
	fill_rules(o, 1, i + version);
	return &o->object;
}

struct store *
policy_store_new(const struct policy_shape *shape)
{
	struct store *s = store_new();
	bool ok = s != NULL && shape->n_namespaces != 0;

	for (unsigned i = 0; ok && i < shape->n_namespaces; i++)
		ok = store_put(s, policy_store_namespace(shape, i, 0)) == 0;
	for (unsigned i = 0; ok && i < shape->n_pods; i++)
		ok = store_put(s, policy_store_pod_labels(shape, i, 0)) == 0;
	for (unsigned i = 0; ok && i < shape->n_policies; i++)
		ok = store_put(s, policy_store_policy(shape, i, 0)) == 0;
	if (ok)
		return s;
	store_free(s);
	return NULL;
}

struct local_pod
policy_store_local(const struct policy_shape *shape, unsigned i, char names[static 2][24])
{
	snprintf(names[0], 24, "ns-%u", i % shape->n_namespaces);
	snprintf(names[1], 24, "pod-%u", i / shape->n_namespaces);
	return (struct local_pod){
		.port = (uint16_t)i, .addrs = { [V4] = pod_addr(i, 0) }, .ns = names[0], .name = names[1]
	};
}
