#include <stdio.h>
#include <stdlib.h>

#include "control/source/decode.h"

#define TUNNEL_MAC "ringway.io/tunnel-mac"

/* "0a:52:0a:00:00:01": a unicast address. */
static void
decode_mac(const struct field *f, struct mac_addr *out)
{
	const char *text = field_peek(f);
	unsigned b[6];
	int end = 0;

	if (f->value == NULL)
		return;
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 ||
		text[end] != '\0' || (b[0] & 1) != 0 || (b[0] | b[1] | b[2] | b[3] | b[4] | b[5]) == 0) {
		field_fail(f, "\"%.60s\" is not an interface's MAC address, such as 0a:52:0a:00:00:01", text);
		return;
	}
	for (int i = 0; i < 6; i++)
		out->b[i] = (uint8_t)b[i];
}

static void
decode_pod_cidrs(const struct field *spec, struct node_object *node)
{
	struct field list = field_member(spec, "podCIDRs");
	struct field single = field_member(spec, "podCIDR");
	size_t n = field_count(&list);

	node->pod_cidrs = field_alloc(&list, n + 1, sizeof(*node->pod_cidrs));
	if (node->pod_cidrs == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		struct field f = field_element(&list, i);

		node->pod_cidrs[node->n_pod_cidrs++] = field_prefix(&f);
	}
	if (n == 0 && *field_peek(&single) != '\0')
		node->pod_cidrs[node->n_pod_cidrs++] = field_prefix(&single);
}

/* Whether an entry is of a type; a hostname that is an address is one by which the outside may know the node, and what other
 * hostnames and types are is nothing to us. */
static bool
is_wanted(const struct field *type, const struct field *address, const char *wanted)
{
	struct ip_addr ignored;

	if (strcmp(field_peek(type), "Hostname") == 0)
		return strcmp(wanted, "ExternalIP") == 0 && ip_addr_parse(field_peek(address), &ignored);
	return strcmp(field_peek(type), wanted) == 0;
}

static void
decode_addresses(const struct field *addresses, const char *wanted, struct ip_addr **addrs, size_t *n_addrs)
{
	size_t n = field_count(addresses);

	*addrs = field_alloc(addresses, n, sizeof(**addrs));
	for (size_t i = 0; *addrs != NULL && i < n; i++) {
		struct field entry = field_element(addresses, i);
		struct field type = field_member(&entry, "type"), address = field_member(&entry, "address");

		if (is_wanted(&type, &address, wanted))
			(*addrs)[(*n_addrs)++] = field_addr(&address);
	}
}

bool
node_decode(const struct field *root, struct node_object *node)
{
	struct field metadata = field_member(root, "metadata"), spec = field_member(root, "spec");
	struct field status = field_member(root, "status"), addresses = field_member(&status, "addresses");
	struct field annotations = field_member(&metadata, "annotations");
	struct field mac = field_member(&annotations, TUNNEL_MAC);
	struct field labels = field_member(&metadata, "labels");

	decode_mac(&mac, &node->tunnel_mac);
	decode_pod_cidrs(&spec, node);
	decode_addresses(&addresses, "InternalIP", &node->addrs, &node->n_addrs);
	decode_addresses(&addresses, "ExternalIP", &node->external_addrs, &node->n_external_addrs);
	labels_decode(&labels, &node->labels);
	return true;
}

/* As the API server does it, whatever the manifest says: policies select namespaces by their names with it. */
static void
label_with_name(const struct field *labels, const char *name, struct labels *out)
{
	struct label *items = reallocarray(out->items, out->n + 1, sizeof(*items)), *label = NULL;

	if (items == NULL) {
		field_fail(labels, "out of memory");
		return;
	}
	out->items = items;
	for (size_t i = 0; i < out->n; i++)
		if (strcmp(items[i].key, NAMESPACE_NAME_LABEL) == 0)
			label = &items[i];
	if (label == NULL) {
		label = &items[out->n++];
		*label = (struct label){ .key = strdup(NAMESPACE_NAME_LABEL) };
	}
	free(label->value);
	label->value = strdup(name);
	if (label->key == NULL || label->value == NULL)
		field_fail(labels, "out of memory");
}

static void
decode_policy_mode(const struct field *f, struct namespace_object *namespace)
{
	static const char *const modes[N_POLICY_MODES] = {
		[POLICY_MODE_ENFORCE] = "enforce", [POLICY_MODE_AUDIT] = "audit"
	};
	const char *text = field_peek(f);

	if (f->value == NULL)
		return;
	for (enum policy_mode mode = 0; mode < N_POLICY_MODES && !namespace->has_policy_mode; mode++)
		if (strcmp(text, modes[mode]) == 0) {
			namespace->has_policy_mode = true;
			namespace->policy_mode = mode;
		}
	if (!namespace->has_policy_mode)
		field_fail(f, "\"%.60s\" is neither audit nor enforce", text);
}

bool
namespace_decode(const struct field *root, struct namespace_object *namespace)
{
	struct field metadata = field_member(root, "metadata");
	struct field labels = field_member(&metadata, "labels");
	struct field annotations = field_member(&metadata, "annotations");
	struct field mode = field_member(&annotations, POLICY_MODE_ANNOTATION);

	labels_decode(&labels, &namespace->labels);
	label_with_name(&labels, namespace->object.name, &namespace->labels);
	decode_policy_mode(&mode, namespace);
	return true;
}
