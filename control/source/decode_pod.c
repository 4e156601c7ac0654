#include <stdlib.h>

#include "control/source/decode.h"

/* Any address of the node's may be meant, loopback too; the unspecified ones and "" mean all of them. */
static struct ip_addr
decode_host_ip(const struct field *f)
{
	struct ip_addr addr = { 0 };
	const char *text = field_peek(f);

	if (*text == '\0' || strcmp(text, "0.0.0.0") == 0)
		return addr;
	if (!ip_addr_parse(text, &addr))
		field_fail(f, "\"%.60s\" is not an IP address", text);
	return addr;
}

/* Adds a container's ports; room was made for all. */
static void
decode_container(const struct field *container, struct pod_object *pod)
{
	struct field ports = field_member(container, "ports");
	size_t n = field_count(&ports);

	for (size_t i = 0; i < n; i++) {
		struct field entry = field_element(&ports, i);
		struct field name = field_member(&entry, "name"),
			     number = field_member(&entry, "containerPort");
		struct field proto = field_member(&entry, "protocol");
		struct field host_port = field_member(&entry, "hostPort"),
			     host_ip = field_member(&entry, "hostIP");
		struct container_port *port = &pod->ports[pod->n_ports++];

		port->name = field_text(&name, "");
		port->port = (uint16_t)field_number(&number, 1, 65535);
		port->proto = field_proto(&proto);
		port->host_port = (uint16_t)field_number_or(&host_port, 0, 0, 65535);
		port->host_ip = decode_host_ip(&host_ip);
	}
}

static size_t
count_ports(const struct field *containers)
{
	size_t n = field_count(containers), n_ports = 0;

	for (size_t i = 0; i < n; i++) {
		struct field container = field_element(containers, i);
		struct field ports = field_member(&container, "ports");

		n_ports += field_count(&ports);
	}
	return n_ports;
}

/* Init containers count: those that keep running (sidecars) have ports, and the others' ports are as much the pod's. */
static void
decode_containers(const struct field *spec, struct pod_object *pod)
{
	struct field lists[2] = { field_member(spec, "containers"), field_member(spec, "initContainers") };

	pod->ports = field_alloc(spec, count_ports(&lists[0]) + count_ports(&lists[1]), sizeof(*pod->ports));
	for (int l = 0; pod->ports != NULL && l < 2; l++) {
		size_t n = field_count(&lists[l]);

		for (size_t i = 0; i < n; i++) {
			struct field container = field_element(&lists[l], i);

			decode_container(&container, pod);
		}
	}
}

static void
decode_addrs(const struct field *status, struct pod_object *pod)
{
	struct field list = field_member(status, "podIPs"), single = field_member(status, "podIP");
	size_t n = field_count(&list);

	pod->addrs = field_alloc(status, n + 1, sizeof(*pod->addrs));
	if (pod->addrs == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		struct field entry = field_element(&list, i);
		struct field ip = field_member(&entry, "ip");

		pod->addrs[pod->n_addrs++] = field_addr(&ip);
	}
	if (n == 0 && *field_peek(&single) != '\0')
		pod->addrs[pod->n_addrs++] = field_addr(&single);
}

static bool
decode_readiness(const struct field *status)
{
	struct field list = field_member(status, "conditions");
	size_t n = field_count(&list);

	for (size_t i = 0; i < n; i++) {
		struct field entry = field_element(&list, i);
		struct field type = field_member(&entry, "type"), value = field_member(&entry, "status");

		if (strcmp(field_peek(&type), "Ready") == 0)
			return strcmp(field_peek(&value), "True") == 0;
	}
	return false;
}

static void
decode_uids(const struct field *metadata, struct pod_object *pod)
{
	struct field annotations = field_member(metadata, "annotations");
	struct field uid = field_member(metadata, "uid"),
		     config = field_member(&annotations, "kubernetes.io/config.hash"),
		     mirror = field_member(&annotations, "kubernetes.io/config.mirror");

	pod->uid = pod_uid_digest(field_peek(&uid));
	pod->static_uid = pod_uid_digest(field_peek(*field_peek(&config) != '\0' ? &config : &mirror));
}

bool
pod_decode(const struct field *root, struct pod_object *pod)
{
	struct field metadata = field_member(root, "metadata"), labels = field_member(&metadata, "labels");
	struct field spec = field_member(root, "spec"), status = field_member(root, "status");
	struct field node = field_member(&spec, "nodeName"),
		     host_network = field_member(&spec, "hostNetwork");
	struct field phase = field_member(&status, "phase");
	struct field hostname = field_member(&spec, "hostname"), subdomain = field_member(&spec, "subdomain");
	struct field deletion = field_member(&metadata, "deletionTimestamp");

	labels_decode(&labels, &pod->labels);
	decode_uids(&metadata, pod);
	pod->node = field_text(&node, "");
	pod->host_network = field_flag(&host_network, false);
	if (*field_peek(&hostname) != '\0')
		pod->hostname = field_text(&hostname, NULL);
	if (*field_peek(&subdomain) != '\0')
		pod->subdomain = field_text(&subdomain, NULL);
	decode_containers(&spec, pod);
	decode_addrs(&status, pod);
	pod->is_terminating = *field_peek(&deletion) != '\0';
	pod->is_ready = decode_readiness(&status);
	/* its addresses may be another pod's by now, although its status still names them */
	pod->has_ended =
		strcmp(field_peek(&phase), "Succeeded") == 0 || strcmp(field_peek(&phase), "Failed") == 0;
	if (pod->has_ended)
		pod->n_addrs = 0;
	return true;
}
