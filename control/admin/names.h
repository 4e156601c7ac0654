/* From addresses and port ids back to what people call them. Control thread only. */
#ifndef RINGWAY_ADMIN_NAMES_H
#define RINGWAY_ADMIN_NAMES_H

#include "control/admin/view.h"

#define NAME_TEXT_SIZE (POD_NS_SIZE + POD_NAME_SIZE + 32)

struct service_builder;

/* Where names come from; all the caller's. */
struct names {
	const struct store *store;
	const struct view *view;
	const struct tables *tables;           /* NULL: none are in force yet */
	const struct service_builder *builder; /* names the services of the tables; may be NULL */
	/* NULL: the store is looked through, which is too slow for a hundred thousand names */
	const struct pod_object *(*pod_of_addr)(const struct ip_addr *addr, void *arg);
	void *arg;
};

/* "tcp", "udp", "sctp", "icmp" (of both families) or "other", of an IANA number. */
const char *proto_name(uint8_t proto);

/* "pod default/web-0", "service default/web", "node b", "this node", "the gateway"; false, and "", for an address that
 * nobody has. */
bool names_of_addr(const struct names *n, const struct ip_addr *addr, char buf[static NAME_TEXT_SIZE]);

/* "pod default/web-0", "the host's stack", "the uplink"; "" for an unknown port. */
const char *names_of_port(const struct names *n, uint16_t port, char buf[static NAME_TEXT_SIZE]);

/* The node whose tunnel ends there, or "". */
const char *names_of_vtep(const struct names *n, uint32_t vtep, char buf[static NAME_TEXT_SIZE]);

/* Copies a text and puts the name behind each address, "port N" and "service N" in it that has one: "to 10.244.2.3 (pod
 * default/web-0)". Cut to the size when there is not enough room. */
void names_annotate(const struct names *n, const char *text, char *out, size_t size);

/* The pod that has this address, or NULL; likewise the service, and the node by one of its own addresses. */
const struct pod_object *names_find_pod(const struct names *n, const struct ip_addr *addr);
const struct service_object *names_find_service(const struct names *n, const struct ip_addr *addr);
const struct node_object *names_find_node(const struct names *n, const struct ip_addr *addr);

#endif
