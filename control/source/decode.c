#include "control/source/decode.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "control/model/network_policy.h"

#define NAME_MAX_LEN 253 /* RFC 1123 subdomain */
#define LABEL_MAX_LEN 63

struct kind {
	const char *name;
	const char *api_versions[2];
	enum object_kind kind;
	bool has_namespace;
	size_t size;
	bool (*decode)(const struct field *root, void *object);
};

#define DECODES(kind)                                                     \
	static bool decode_##kind(const struct field *root, void *object) \
	{                                                                 \
		return kind##_decode(root, object);                       \
	}
DECODES(node)
DECODES(namespace)
DECODES(pod)
DECODES(service)
DECODES(slice)
DECODES(policy)
DECODES(service_cidr)

static const struct kind kinds[] = {
	{ "Node", { "v1" }, OBJECT_NODE, false, sizeof(struct node_object), decode_node },
	{ "Namespace", { "v1" }, OBJECT_NAMESPACE, false, sizeof(struct namespace_object), decode_namespace },
	{ "Pod", { "v1" }, OBJECT_POD, true, sizeof(struct pod_object), decode_pod },
	{ "Service", { "v1" }, OBJECT_SERVICE, true, sizeof(struct service_object), decode_service },
	{ "EndpointSlice", { "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1" }, OBJECT_ENDPOINT_SLICE, true,
		sizeof(struct slice_object), decode_slice },
	{ "NetworkPolicy", { "networking.k8s.io/v1" }, OBJECT_NETWORK_POLICY, true,
		sizeof(struct network_policy_object), decode_policy },
	{ "ServiceCIDR", { "networking.k8s.io/v1", "networking.k8s.io/v1beta1" }, OBJECT_SERVICE_CIDR, false,
		sizeof(struct service_cidr_object), decode_service_cidr },
};

void
labels_decode(const struct field *mapping, struct labels *out)
{
	const char *key;
	json_t *value;

	if (mapping->value == NULL)
		return;
	if (!json_is_object(mapping->value)) {
		field_fail(mapping, "must be a mapping");
		return;
	}
	out->items = field_alloc(mapping, json_object_size(mapping->value), sizeof(*out->items));
	if (out->items == NULL)
		return;
	json_object_foreach (mapping->value, key, value) {
		struct field item = field_member(mapping, key);
		struct label *label = &out->items[out->n++];

		label->key = strdup(key);
		label->value = field_text(&item, "");
		if (label->key == NULL)
			field_fail(&item, "out of memory");
	}
}

static void
check_name(const struct field *f, const char *name, size_t max_len, bool takes_dots)
{
	size_t len = strlen(name);
	bool is_good = len >= 1 && isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[len - 1]);

	for (size_t i = 0; i < len; i++)
		is_good &= islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) ||
			   name[i] == '-' || (takes_dots && name[i] == '.');
	if (!is_good || len > max_len)
		field_fail(f,
			"\"%.80s\" is not a name: at most %zu of a-z, 0-9, '-'%s, a letter or digit at both "
			"ends",
			name, max_len, takes_dots ? " and '.'" : "");
}

static void
decode_metadata(const struct field *root, const struct kind *kind, struct object *object)
{
	struct field metadata = field_member(root, "metadata");
	struct field name = field_member(&metadata, "name");
	struct field ns = field_member(&metadata, "namespace");
	struct field created = field_member(&metadata, "creationTimestamp");
	struct field uid = field_member(&metadata, "uid");

	object->name = field_text(&name, NULL);
	if (object->name != NULL)
		check_name(&name, object->name, NAME_MAX_LEN, true);
	object->ns = kind->has_namespace ? field_text(&ns, "default") : strdup("");
	if (kind->has_namespace && object->ns != NULL)
		check_name(&ns, object->ns, LABEL_MAX_LEN, false);
	if (object->ns == NULL)
		field_fail(&ns, "out of memory");
	object->created_s = field_time(&created);
	object_uid_parse(field_peek(&uid), object->uid);
}

/* What would be taken for a kind without use here, and silently leave out what it holds or means. */
static void
refuse_look_alikes(const struct field *root, const char *name, const char *version)
{
	struct field kind = field_member(root, "kind"), api_version = field_member(root, "apiVersion");
	struct field items = field_member(root, "items");

	if (strcmp(name, "NetworkPolicy") == 0)
		field_fail(&api_version,
			"\"%.80s\" is not read: only networking.k8s.io/v1 is, and pods would be open without "
			"what this one means",
			version);
	else if (strcmp(name, "NetworkPolicyList") == 0)
		field_fail(&kind,
			"is not read; write \"kind: List\", with apiVersion and kind in each of its items");
	else if (strcmp(name, "List") == 0)
		field_fail(&items,
			json_is_array(items.value) ? "are not read: a List within a List" : "must be a list");
}

static const struct kind *
find_kind(const struct field *root)
{
	struct field api_version = field_member(root, "apiVersion");
	struct field kind = field_member(root, "kind");
	const char *name = field_peek(&kind), *version = field_peek(&api_version);

	if (*name == '\0')
		field_fail(&kind, "is missing: this is not a Kubernetes object");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i];

		if (strcmp(name, k->name) != 0)
			continue;
		if (*version == '\0')
			field_fail(&api_version, "is missing; for a %s it is %s", name, k->api_versions[0]);
		for (size_t j = 0; j < 2 && k->api_versions[j] != NULL; j++)
			if (strcmp(version, k->api_versions[j]) == 0)
				return k;
	}
	refuse_look_alikes(root, name, version);
	return NULL;
}

static int
decode(struct decoder *d, json_t *value, unsigned line, const char *origin, struct object **out,
	const char **ignored)
{
	struct field root = field_root(d, value, line);
	const struct kind *kind;
	struct object *object;
	bool is_of_use;

	*out = NULL;
	*ignored = NULL;
	if (!json_is_object(value)) {
		field_fail(&root, "must be a mapping: a Kubernetes object");
		return -EINVAL;
	}
	kind = find_kind(&root);
	if (kind == NULL) {
		*ignored = json_string_value(json_object_get(value, "kind"));
		return d->has_failed ? -EINVAL : 0;
	}
	object = field_alloc(&root, 1, kind->size);
	if (object == NULL)
		return -EINVAL;
	object->kind = kind->kind;
	object->origin = origin == NULL ? NULL : strdup(origin);
	decode_metadata(&root, kind, object);
	is_of_use = kind->decode(&root, object);
	if (d->has_failed || !is_of_use) {
		object_free(object);
		*ignored = kind->name;
		return d->has_failed ? -EINVAL : 0;
	}
	*out = object;
	return 0;
}

int
object_decode(const struct yaml_file *file, json_t *value, unsigned line, const char *origin,
	struct object **out, const char **ignored, struct decode_error *error)
{
	struct decoder d = { .file = file, .error = error };

	return decode(&d, value, line, origin, out, ignored);
}

int
object_decode_draft(const struct yaml_file *file, json_t *value, unsigned line, const char *origin,
	struct object **out, const char **ignored, struct decode_error *error)
{
	struct decoder d = { .file = file, .error = error, .is_draft = true };

	return decode(&d, value, line, origin, out, ignored);
}
