#include "cni/netconf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const cni_versions[] = { "0.3.1", "0.4.0", "1.0.0", "1.1.0", NULL };

#define OLDEST_VERSION "0.3.1"

static const struct {
	const char *name;
	bool needs_container, needs_netns;
	const char *since; /* version that has it */
} commands[] = {
	[CNI_ADD] = { "ADD", true, true, "0.3.1" },
	[CNI_DEL] = { "DEL", true, false, "0.3.1" },
	[CNI_CHECK] = { "CHECK", true, true, "0.4.0" },
	[CNI_STATUS] = { "STATUS", false, false, "1.1.0" },
	[CNI_GC] = { "GC", false, false, "1.1.0" },
	[CNI_VERSION] = { "VERSION", false, false, "0.3.1" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum cni_code
cni_fail(struct cni_error *e, enum cni_code code, const char *details, const char *format, ...)
{
	va_list args;

	e->code = code;
	va_start(args, format);
	vsnprintf(e->msg, sizeof(e->msg), format, args);
	va_end(args);
	snprintf(e->details, sizeof(e->details), "%s", details == NULL ? "" : details);
	return code;
}

static int
version_index(const char *version)
{
	for (int i = 0; cni_versions[i] != NULL; i++)
		if (strcmp(cni_versions[i], version) == 0)
			return i;
	return -1;
}

bool
cni_version_is_at_least(const char *version, const char *that)
{
	return version_index(version) >= version_index(that);
}

/* Copies a value; false when it is too long. */
static bool
copy(char *out, size_t size, const char *value)
{
	return (size_t)snprintf(out, size, "%s", value) < size;
}

/* Specification, section 2: starts with an alphanumeric character, then those and '_', '.', '-'. */
static bool
is_container_id(const char *id)
{
	if (!isalnum((unsigned char)id[0]))
		return false;
	for (; *id != '\0'; id++)
		if (!isalnum((unsigned char)*id) && strchr("_.-", *id) == NULL)
			return false;
	return true;
}

/* As the kernel's dev_valid_name(). */
static bool
is_ifname(const char *name)
{
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name != '\0'; name++)
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
			return false;
	return true;
}

static enum cni_code
command_parse(struct netconf *n, const char *text, struct cni_error *e)
{
	if (text == NULL || text[0] == '\0')
		return cni_fail(e, CNI_BAD_ENVIRONMENT,
			"This program is started by a container runtime, not by hand.",
			"CNI_COMMAND is not set");
	for (unsigned i = 0; i < N_COMMANDS; i++)
		if (strcmp(text, commands[i].name) == 0) {
			n->command = (enum cni_command)i;
			return CNI_OK;
		}
	return cni_fail(e, CNI_BAD_ENVIRONMENT, "Known are ADD, DEL, CHECK, STATUS, GC and VERSION.",
		"CNI_COMMAND \"%.32s\" is not supported", text);
}

/* CNI_ARGS: "KEY=VALUE;KEY=VALUE". Keys that we do not know are other plugins'. */
static enum cni_code
args_parse(struct netconf *n, const char *text, struct cni_error *e)
{
	const struct {
		const char *key;
		char *out;
		size_t size;
	} known[] = {
		{ "K8S_POD_NAMESPACE", n->pod_ns, sizeof(n->pod_ns) },
		{ "K8S_POD_NAME", n->pod, sizeof(n->pod) },
		{ "K8S_POD_UID", n->pod_uid, sizeof(n->pod_uid) },
	};

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ";");
		const char *equals = memchr(text, '=', len);

		if (len > 0 && equals == NULL)
			return cni_fail(e, CNI_BAD_ENVIRONMENT, "It reads KEY=VALUE;KEY=VALUE.",
				"CNI_ARGS: \"%.*s\" has no value", (int)(len < 64 ? len : 64), text);
		for (unsigned i = 0; len > 0 && i < sizeof(known) / sizeof(known[0]); i++) {
			size_t value_len = len - (size_t)(equals + 1 - text);

			if (strlen(known[i].key) != (size_t)(equals - text) ||
				memcmp(text, known[i].key, (size_t)(equals - text)) != 0)
				continue;
			if (value_len >= known[i].size)
				return cni_fail(e, CNI_BAD_ENVIRONMENT, NULL,
					"CNI_ARGS: %s is longer than %zu characters", known[i].key,
					known[i].size - 1);
			memcpy(known[i].out, equals + 1, value_len);
			known[i].out[value_len] = '\0';
		}
		text += len + (text[len] == ';');
	}
	return CNI_OK;
}

static enum cni_code
environment_parse(struct netconf *n, const char *(*lookup)(const char *name), struct cni_error *e)
{
	const char *container = lookup("CNI_CONTAINERID"), *ifname = lookup("CNI_IFNAME"),
		   *netns = lookup("CNI_NETNS");

	if (!commands[n->command].needs_container)
		return CNI_OK;
	if (container == NULL || container[0] == '\0')
		return cni_fail(e, CNI_BAD_ENVIRONMENT, NULL, "CNI_CONTAINERID is not set");
	if (!is_container_id(container) || !copy(n->container_id, sizeof(n->container_id), container))
		return cni_fail(e, CNI_BAD_ENVIRONMENT,
			"It starts with a letter or digit, goes on with those, '_', '.' and '-', up to 128 "
			"characters.",
			"CNI_CONTAINERID \"%.64s\" is not a container id", container);
	if (ifname == NULL || ifname[0] == '\0')
		return cni_fail(e, CNI_BAD_ENVIRONMENT, NULL, "CNI_IFNAME is not set");
	if (!is_ifname(ifname) || !copy(n->ifname, sizeof(n->ifname), ifname))
		return cni_fail(e, CNI_BAD_ENVIRONMENT, "At most 15 characters, without '/', ':' and spaces.",
			"CNI_IFNAME \"%.64s\" is not an interface name", ifname);
	if (netns == NULL)
		netns = "";
	if (netns[0] == '\0' && commands[n->command].needs_netns)
		return cni_fail(e, CNI_BAD_ENVIRONMENT, NULL, "CNI_NETNS is not set");
	if (!copy(n->netns, sizeof(n->netns), netns))
		return cni_fail(e, CNI_BAD_ENVIRONMENT, NULL, "CNI_NETNS is longer than %zu characters",
			sizeof(n->netns) - 1);
	return args_parse(n, lookup("CNI_ARGS"), e);
}

/* A string of the configuration; NULL when it is absent. */
static enum cni_code
string_get(const json_t *config, const char *key, const char **out, struct cni_error *e)
{
	const json_t *value = json_object_get(config, key);

	*out = json_string_value(value);
	if (value != NULL && *out == NULL)
		return cni_fail(
			e, CNI_BAD_CONFIG, NULL, "network configuration: \"%s\" is not a string", key);
	return CNI_OK;
}

static enum cni_code
config_parse(struct netconf *n, const char *text, size_t size, struct cni_error *e)
{
	json_error_t where;
	const char *version, *name, *socket, *state_dir;
	enum cni_code code;

	if (size == 0 && n->command == CNI_VERSION)
		return CNI_OK;
	n->config = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (n->config == NULL)
		return cni_fail(e, CNI_DECODE_FAILURE, NULL, "network configuration on stdin: line %d: %s",
			where.line, where.text);
	if (!json_is_object(n->config))
		return cni_fail(e, CNI_BAD_CONFIG, NULL, "network configuration on stdin is not an object");
	code = string_get(n->config, "cniVersion", &version, e);
	if (code != CNI_OK)
		return code;
	if (n->command == CNI_VERSION) {
		/* answered in the version asked, were it one that we do not speak */
		if (version != NULL)
			copy(n->version, sizeof(n->version), version);
		return CNI_OK;
	}
	if (version == NULL || version_index(version) < 0)
		return cni_fail(e, CNI_VERSION_UNSUPPORTED, "Supported are 0.3.1, 0.4.0, 1.0.0 and 1.1.0.",
			"cniVersion %.16s is not supported", version == NULL ? "(none)" : version);
	copy(n->version, sizeof(n->version), version);
	if (!cni_version_is_at_least(version, commands[n->command].since))
		return cni_fail(e, CNI_VERSION_UNSUPPORTED, NULL,
			"%s came with cniVersion %s, the configuration says %s", commands[n->command].name,
			commands[n->command].since, version);
	if ((code = string_get(n->config, "name", &name, e)) != CNI_OK ||
		(code = string_get(n->config, "socket", &socket, e)) != CNI_OK ||
		(code = string_get(n->config, "stateDir", &state_dir, e)) != CNI_OK)
		return code;
	if (name == NULL || name[0] == '\0')
		return cni_fail(e, CNI_BAD_CONFIG, NULL, "network configuration: \"name\" is missing");
	if (socket != NULL && (socket[0] != '/' || !copy(n->socket, sizeof(n->socket), socket)))
		return cni_fail(e, CNI_BAD_CONFIG, "It is run.dir of ringway.yaml and ringway.sock.",
			"network configuration: \"socket\" is not an absolute path of at most %zu characters",
			sizeof(n->socket) - 1);
	if (state_dir != NULL &&
		(state_dir[0] != '/' || !copy(n->state_dir, sizeof(n->state_dir), state_dir)))
		return cni_fail(e, CNI_BAD_CONFIG, "It is state.dir of ringway.yaml.",
			"network configuration: \"stateDir\" is not an absolute path of at most %zu "
			"characters",
			sizeof(n->state_dir) - 1);
	n->prev_result = json_object_get(n->config, "prevResult");
	if (n->prev_result != NULL && !json_is_object(n->prev_result))
		return cni_fail(
			e, CNI_BAD_CONFIG, NULL, "network configuration: \"prevResult\" is not an object");
	if (n->command == CNI_CHECK && n->prev_result == NULL)
		return cni_fail(e, CNI_BAD_CONFIG, NULL, "network configuration: CHECK needs \"prevResult\"");
	return CNI_OK;
}

enum cni_code
netconf_parse(struct netconf *n, const char *(*lookup)(const char *name), const char *text, size_t size,
	struct cni_error *e)
{
	enum cni_code code;

	*n = (struct netconf){
		.version = OLDEST_VERSION, .socket = DEFAULT_SOCKET, .state_dir = DEFAULT_STATE_DIR
	};
	if ((code = command_parse(n, lookup("CNI_COMMAND"), e)) != CNI_OK)
		return code;
	/* the configuration first: errors are reported in its version */
	if ((code = config_parse(n, text, size, e)) != CNI_OK)
		return code;
	return environment_parse(n, lookup, e);
}

void
netconf_fini(struct netconf *n)
{
	json_decref(n->config);
	n->config = NULL;
}
