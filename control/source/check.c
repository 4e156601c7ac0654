#include <errno.h>
#include <string.h>

#include "control/log.h"
#include "control/model/store.h"
#include "control/source/api/api_source.h"
#include "control/source/files.h"
#include "control/source/source.h"

static void
print_error(const char *text, int64_t since_s, void *arg)
{
	fprintf(arg, "%s\n", text);
}

/* Errors are printed once, by print_error(). */
static void
drop_line(enum log_level level, const char *line, void *arg)
{
}

/* Whether the node's range is part of a network that the configuration names, if it names one of that family. */
static bool
is_configured(const struct config *config, const struct ip_prefix *range)
{
	const struct string_list *list = &config->cluster.pod_cidrs;
	bool has_family = false;
	struct ip_prefix network;

	for (size_t i = 0; i < list->n; i++) {
		if (!ip_prefix_parse(list->items[i], &network) ||
			ip_addr_is_v4(&network.addr) != ip_addr_is_v4(&range->addr))
			continue;
		if (network.len <= range->len && ip_prefix_contains(&network, &range->addr))
			return true;
		has_family = true;
	}
	return !has_family;
}

static size_t
check_ranges(const struct config *config, const struct node_object *node, FILE *out)
{
	char text[IP_PREFIX_STRLEN];
	size_t n = 0;

	for (size_t i = 0; i < node->n_pod_cidrs; i++) {
		if (is_configured(config, &node->pod_cidrs[i]))
			continue;
		fprintf(out, "%s: Node %s has the pod CIDR %s, which is in none of cluster.podCIDRs\n",
			node->object.origin, config->node.name, ip_prefix_format(&node->pod_cidrs[i], text));
		n++;
	}
	return n;
}

/* What would only show at run time: manifests that do not mention the node they are for. */
static size_t
check_node(const struct config *config, const struct store *store, FILE *out)
{
	const struct node_object *node =
		(const struct node_object *)store_get(store, OBJECT_NODE, "", config->node.name);

	if (node == NULL)
		fprintf(out, "cluster.manifests: there is no Node %s; add it, or set node.name\n",
			config->node.name);
	else if (node->n_addrs == 0)
		fprintf(out, "%s: Node %s has no InternalIP in status.addresses\n", node->object.origin,
			config->node.name);
	else if (node->n_pod_cidrs == 0)
		fprintf(out, "%s: Node %s has no spec.podCIDRs, so no pod can get an address\n",
			node->object.origin, config->node.name);
	else
		return check_ranges(config, node, out);
	return 1;
}

size_t
source_check(const struct config *config, FILE *out)
{
	struct source_config source_config = { .dir = config->cluster.manifests };
	struct source *source;
	size_t n_errors;
	int result;

	if (config_has_api_server(config))
		return api_source_check(config, out);
	if (*source_config.dir == '\0') {
		fputs("cluster.manifests is not set: name the directory with the cluster's manifests, or set "
		      "cluster.apiServer or cluster.kubeconfig\n",
			out);
		return 1;
	}
	source_config.store = store_new();
	log_set_sink(drop_line, NULL);
	result = source_config.store == NULL ? -ENOMEM : source_new(&source, &source_config);
	log_set_sink(NULL, NULL);
	if (result < 0) {
		fprintf(out, "%s: %s\n", source_config.dir, strerror(-result));
		store_free(source_config.store);
		return 1;
	}
	source_each_error(source, print_error, out);
	n_errors = source_n_errors(source);
	if (n_errors == 0)
		n_errors = check_node(config, source_config.store, out);
	fprintf(out, "%zu file%s", source_n_files(source), source_n_files(source) == 1 ? "" : "s");
	for (int kind = 0; kind < N_OBJECT_KINDS; kind++)
		if (kind != OBJECT_UNREAD_POLICY) /* there is an error for each */
			fprintf(out, ", %zu %s", store_count(source_config.store, kind),
				object_kind_name(kind));
	fprintf(out, ": %zu error%s\n", n_errors, n_errors == 1 ? "" : "s");
	source_free(source);
	store_free(source_config.store);
	return n_errors;
}
