#include <stdlib.h>
#include <strings.h>

#include "control/source/decode.h"

/* The API's default and maximum of sessionAffinityConfig.clientIP.timeoutSeconds. */
#define AFFINITY_TIMEOUT_DEFAULT_S 10800
#define AFFINITY_TIMEOUT_MAX_S 86400

static void
check_twin(const struct field *entry, const struct service_object *s, const struct service_port *port)
{
	for (const struct service_port *p = s->ports; p < port; p++) {
		if (p->port == port->port && p->proto == port->proto)
			field_fail(entry, "port %u is given twice for this protocol", port->port);
		else if (p->name != NULL && port->name != NULL && strcmp(p->name, port->name) == 0)
			field_fail(entry,
				"the name \"%.60s\" is given twice; with several ports each needs its own",
				port->name);
	}
}

/* A number, or the name of a container's port. */
static void
decode_target_port(const struct field *entry, struct service_port *port)
{
	struct field f = field_member(entry, "targetPort");

	if (json_is_string(f.value))
		port->target_name = field_text(&f, NULL);
	else
		port->target_port = (uint16_t)field_number_or(&f, port->port, 1, 65535);
}

static void
decode_node_port(const struct field *entry, const struct service_object *s, struct service_port *port)
{
	struct field f = field_member(entry, "nodePort");

	port->node_port = (uint16_t)field_number_or(&f, 0, 0, 65535);
	if (port->node_port != 0 && s->type != SERVICE_NODE_PORT && s->type != SERVICE_LOAD_BALANCER)
		field_fail(&f, "is %u, but the service is of type %s", port->node_port,
			service_type_name(s->type));
	else if (port->node_port == 0 && s->type == SERVICE_NODE_PORT && !f.decoder->is_draft)
		field_fail(&f, "is missing: nothing assigns node ports to services of a file");
	for (const struct service_port *p = s->ports; p < port; p++)
		if (p->node_port != 0 && p->node_port == port->node_port && p->proto == port->proto)
			field_fail(&f, "%u is given twice for this protocol", port->node_port);
}

static void
decode_ports(const struct field *spec, struct service_object *s)
{
	struct field list = field_member(spec, "ports");
	size_t n = field_count(&list);

	if (n == 0 && !s->headless && s->type != SERVICE_EXTERNAL_NAME)
		field_fail(&list, "is missing: a service needs a port");
	s->ports = field_alloc(&list, n, sizeof(*s->ports));
	for (size_t i = 0; s->ports != NULL && i < n; i++) {
		struct field entry = field_element(&list, i);
		struct field name = field_member(&entry, "name"), number = field_member(&entry, "port");
		struct field proto = field_member(&entry, "protocol");
		struct service_port *port = &s->ports[s->n_ports++];

		port->name = field_text(&name, "");
		port->port = (uint16_t)field_number(&number, 1, 65535);
		port->proto = field_proto(&proto);
		decode_target_port(&entry, port);
		decode_node_port(&entry, s, port);
		check_twin(&entry, s, port);
	}
}

static void
decode_cluster_ips(const struct field *spec, struct service_object *s)
{
	struct field list = field_member(spec, "clusterIPs"), single = field_member(spec, "clusterIP");
	const char *first = field_peek(&single);
	size_t n = field_count(&list);

	if (n != 0) {
		struct field f = field_element(&list, 0);

		if (*first != '\0' && strcmp(first, field_peek(&f)) != 0)
			field_fail(&f, "must be clusterIP, %.60s", first);
		first = field_peek(&f);
	}
	s->cluster_ips = field_alloc(&list, n + 1, sizeof(*s->cluster_ips));
	if (s->cluster_ips == NULL)
		return;
	if (*first == '\0') {
		if (!spec->decoder->is_draft)
			field_fail(&single,
				"is missing: nothing assigns addresses to services of a file; give one, "
				"or None for a headless "
				"service");
	} else if (strcmp(first, "None") == 0) {
		s->headless = true;
		if (s->type != SERVICE_CLUSTER_IP)
			field_fail(&single, "is None, which a service of type %s cannot be",
				service_type_name(s->type));
		if (n > 1)
			field_fail(&list, "has None and an address");
	} else if (n == 0) {
		s->cluster_ips[s->n_cluster_ips++] = field_addr(&single);
	} else {
		for (size_t i = 0; i < n; i++) {
			struct field f = field_element(&list, i);

			s->cluster_ips[s->n_cluster_ips++] = field_addr(&f);
		}
	}
	if (s->n_cluster_ips > 2 || (s->n_cluster_ips == 2 && ip_addr_is_v4(&s->cluster_ips[0]) ==
								      ip_addr_is_v4(&s->cluster_ips[1])))
		field_fail(&list, "must hold at most one address of each family");
}

/* All that follows from policies, and from the wish to be near. */
static void
decode_policies(const struct field *metadata, const struct field *spec, struct service_object *s)
{
	static const char *const policies[] = { "Cluster", "Local" };
	static const char *const distributions[] = { "", "PreferSameZone", "PreferClose", "PreferSameNode" };
	static const enum traffic_distribution meanings[] = { TRAFFIC_ANYWHERE, TRAFFIC_SAME_ZONE,
		TRAFFIC_SAME_ZONE, TRAFFIC_SAME_NODE };
	struct field internal = field_member(spec, "internalTrafficPolicy");
	struct field external = field_member(spec, "externalTrafficPolicy");
	struct field distribution = field_member(spec, "trafficDistribution");
	struct field annotations = field_member(metadata, "annotations");
	struct field mode = field_member(&annotations, "service.kubernetes.io/topology-mode");
	struct field not_ready = field_member(spec, "publishNotReadyAddresses");

	s->internal_local = field_choice(&internal, policies, 2) == 1;
	s->external_local = field_choice(&external, policies, 2) == 1;
	s->distribution = meanings[field_choice(&distribution, distributions, 4)];
	/* the annotation's values are the controller's affair: only this one asks for hints */
	s->topology_auto = strcasecmp(field_peek(&mode), "auto") == 0;
	s->publish_not_ready = field_flag(&not_ready, false);
}

static void
decode_affinity(const struct field *spec, struct service_object *s)
{
	static const char *const choices[] = { "None", "ClientIP" };
	struct field affinity = field_member(spec, "sessionAffinity");
	struct field config = field_member(spec, "sessionAffinityConfig");
	struct field client_ip = field_member(&config, "clientIP");
	struct field timeout = field_member(&client_ip, "timeoutSeconds");
	uint32_t timeout_s = field_number_or(&timeout, AFFINITY_TIMEOUT_DEFAULT_S, 1, AFFINITY_TIMEOUT_MAX_S);

	if (field_choice(&affinity, choices, 2) == 1)
		s->affinity_timeout_s = timeout_s;
}

bool
service_decode(const struct field *root, struct service_object *s)
{
	static const char *const types[] = { "ClusterIP", "NodePort", "LoadBalancer", "ExternalName" };
	struct field metadata = field_member(root, "metadata"), labels = field_member(&metadata, "labels");
	struct field foreign = field_member(&labels, "service.kubernetes.io/service-proxy-name");
	struct field spec = field_member(root, "spec"), type = field_member(&spec, "type");
	struct field selector = field_member(&spec, "selector");

	if (spec.value == NULL)
		field_fail(&spec, "is missing");
	s->type = (enum service_type)field_choice(&type, types, 4);
	s->is_foreign = foreign.value != NULL;
	if (s->type != SERVICE_EXTERNAL_NAME)
		decode_cluster_ips(&spec, s);
	decode_ports(&spec, s);
	labels_decode(&selector, &s->selector);
	decode_policies(&metadata, &spec, s);
	decode_affinity(&spec, s);
	exposure_decode(root, s);
	return true;
}

bool
service_cidr_decode(const struct field *root, struct service_cidr_object *object)
{
	struct field spec = field_member(root, "spec"), list = field_member(&spec, "cidrs");
	size_t n = field_count(&list);

	if (n == 0)
		field_fail(&list, "is missing or empty");
	object->cidrs = field_alloc(&list, n, sizeof(*object->cidrs));
	for (size_t i = 0; object->cidrs != NULL && i < n; i++) {
		struct field f = field_element(&list, i);

		object->cidrs[object->n_cidrs++] = field_prefix(&f);
	}
	return true;
}
