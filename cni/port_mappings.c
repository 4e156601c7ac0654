#include "cni/port_mappings.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* A member under either of its names: runtimes that serialise Go structures without tags (containerd) write HostPort,
 * others hostPort. */
static const json_t *
get(const json_t *object, const char *name, const char *go_name)
{
	const json_t *value = json_object_get(object, name);

	return value == NULL ? json_object_get(object, go_name) : value;
}

/* A number up to 65535; absent: 0. */
static bool
port_get(const json_t *value, int *out)
{
	json_int_t port = json_integer_value(value);

	*out = (int)port;
	return value == NULL || (json_is_integer(value) && port >= 0 && port <= 65535);
}

/* The name in lower case, or NULL. Absent or "": TCP. */
static const char *
protocol_get(const json_t *value)
{
	static const char *const names[] = { "tcp", "udp", "sctp" };
	const char *text = value == NULL ? "" : json_string_value(value);

	if (text == NULL)
		return NULL;
	for (unsigned i = 0; i < 3; i++)
		if (strcasecmp(text[0] == '\0' ? "tcp" : text, names[i]) == 0)
			return names[i];
	return NULL;
}

/* "" for any address of the node; NULL when it is none at all. */
static const char *
address_get(const json_t *value)
{
	const char *text = value == NULL ? "" : json_string_value(value);
	struct in6_addr addr;

	if (text == NULL || text[0] == '\0' || strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0)
		return text == NULL ? NULL : "";
	return inet_pton(AF_INET, text, &addr) == 1 || inet_pton(AF_INET6, text, &addr) == 1 ? text : NULL;
}

static enum cni_code
mapping_parse(const json_t *entry, json_t *list, struct cni_error *e)
{
	const char *protocol = protocol_get(get(entry, "protocol", "Protocol"));
	const char *address = address_get(get(entry, "hostIP", "HostIP"));
	int host_port, pod_port;

	if (!json_is_object(entry))
		return cni_fail(e, CNI_BAD_CONFIG, NULL, "portMappings: an entry is not an object");
	if (!port_get(get(entry, "hostPort", "HostPort"), &host_port))
		return cni_fail(e, CNI_BAD_CONFIG, NULL, "portMappings: \"hostPort\" is not a port");
	if (host_port == 0)
		return CNI_OK; /* a container's port that is not the node's, too */
	if (!port_get(get(entry, "containerPort", "ContainerPort"), &pod_port) || pod_port == 0)
		return cni_fail(e, CNI_BAD_CONFIG, NULL, "portMappings: \"containerPort\" is not a port");
	if (protocol == NULL)
		return cni_fail(e, CNI_BAD_CONFIG, "Known are tcp, udp and sctp.",
			"portMappings: the \"protocol\" of host port %d is not known", host_port);
	if (address == NULL)
		return cni_fail(e, CNI_BAD_CONFIG, NULL,
			"portMappings: the \"hostIP\" of host port %d is not an IP address", host_port);
	json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s}", "hostAddress", address, "hostPort",
					    host_port, "podPort", pod_port, "protocol", protocol));
	return CNI_OK;
}

enum cni_code
port_mappings_parse(const json_t *config, json_t **out, struct cni_error *e)
{
	const json_t *mappings =
		get(json_object_get(config, "runtimeConfig"), "portMappings", "PortMappings");
	json_t *list = json_array();
	const json_t *entry;
	size_t i;

	if (mappings != NULL && !json_is_null(mappings) && !json_is_array(mappings))
		cni_fail(e, CNI_BAD_CONFIG, NULL, "runtimeConfig: \"portMappings\" is not a list");
	json_array_foreach (mappings, i, entry)
		if (e->code == CNI_OK)
			mapping_parse(entry, list, e);
	if (e->code != CNI_OK)
		json_decref(list);
	else
		*out = list;
	return e->code;
}
