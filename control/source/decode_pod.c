#include <stdlib.h>

#include "control/source/decode.h"

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
		struct container_port *port = &pod->ports[pod->n_ports++];

		port->name = field_text(&name, "");
		port->port = (uint16_t)field_number(&number, 1, 65535);
		port->proto = field_proto(&proto);
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

bool
pod_decode(const struct field *root, struct pod_object *pod)
{
	struct field metadata = field_member(root, "metadata"), labels = field_member(&metadata, "labels");
	struct field spec = field_member(root, "spec"), status = field_member(root, "status");
	struct field node = field_member(&spec, "nodeName"),
		     host_network = field_member(&spec, "hostNetwork");
	struct field phase = field_member(&status, "phase");
	bool has_ended;

	labels_decode(&labels, &pod->labels);
	pod->node = field_text(&node, "");
	pod->host_network = field_bool(&host_network, false);
	decode_containers(&spec, pod);
	decode_addrs(&status, pod);
	/* its addresses may be another pod's by now, although its status still names them */
	has_ended = strcmp(field_peek(&phase), "Succeeded") == 0 || strcmp(field_peek(&phase), "Failed") == 0;
	if (has_ended)
		pod->n_addrs = 0;
	return true;
}
