/* Desired state: the cluster's objects as plain structs, whatever source they came from, and what changed
 * since the last build. Objects are immutable once put: a change is a new object under the same key. Knows no
 * JSON, no HTTP and no threads; control thread only (or a benchmark's). The store owns what
 * is put into it. */
#ifndef RINGWAY_MODEL_STORE_H
#define RINGWAY_MODEL_STORE_H

#include <stddef.h>

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

enum object_kind {
	OBJECT_NODE,
	OBJECT_NAMESPACE,
	OBJECT_POD,
	OBJECT_SERVICE,
	OBJECT_ENDPOINT_SLICE,
	N_OBJECT_KINDS,
};

/* First member of every object. 'ns' is "" for cluster-wide kinds. */
struct object {
	enum object_kind kind;
	char *ns;
	char *name;
	char *origin; /* where it was read ("web.yaml:12"), for messages; may be NULL */
};

struct label {
	char *key, *value;
};

struct labels {
	size_t n;
	struct label *items;
};

struct node_object {
	struct object object;
	size_t n_addrs;
	struct ip_addr *addrs; /* InternalIP, in the order given */
	size_t n_pod_cidrs;
	struct ip_prefix *pod_cidrs;
	struct mac_addr tunnel_mac; /* annotation ringway.io/tunnel-mac; all zero: the default, derived from
				       the address */
};

struct namespace_object {
	struct object object;
	struct labels labels;
};

struct container_port {
	char *name; /* "" when unnamed */
	uint16_t port;
	uint8_t proto; /* IANA number */
};

struct pod_object {
	struct object object;
	struct labels labels;
	char *node; /* spec.nodeName, "" when not scheduled */
	bool host_network;
	size_t n_addrs;
	struct ip_addr *addrs; /* status.podIPs */
	size_t n_ports;
	struct container_port *ports;
};

struct service_port {
	char *name; /* "" when unnamed */
	uint16_t port;
	uint8_t proto;
};

struct service_object {
	struct object object;
	struct labels selector; /* n == 0: endpoints are made by hand */
	bool headless;          /* clusterIP: None */
	bool publish_not_ready;
	size_t n_cluster_ips;
	struct ip_addr *cluster_ips;
	size_t n_ports;
	struct service_port *ports;
};

struct slice_port {
	char *name;
	uint16_t port;
	uint8_t proto;
};

struct slice_endpoint {
	size_t n_addrs;
	struct ip_addr *addrs;
	bool ready, serving, terminating; /* nil conditions already resolved: nil ready is true */
	char *node;                       /* "" when not said */
	char *pod;                        /* name of the targetRef when it is a Pod, "" otherwise */
};

struct slice_object {
	struct object object;
	char *service;  /* label kubernetes.io/service-name */
	uint8_t family; /* 4 or 6 */
	size_t n_ports;
	struct slice_port *ports;
	size_t n_endpoints;
	struct slice_endpoint *endpoints;
};

struct store;

struct store *store_new(void);
void store_free(struct store *s);

/* Puts an object in place of the one with its kind, namespace and name, and takes it over. 0 or -ENOMEM (the
 * object is freed then). */
int store_put(struct store *s, struct object *object);

/* Removes an object; false when there is none. */
bool store_remove(struct store *s, enum object_kind kind, const char *ns, const char *name);

/* NULL when there is none. Valid until the next change of that key. */
const struct object *store_get(
	const struct store *s, enum object_kind kind, const char *ns, const char *name);

/* Calls fn for each object of a kind, ordered by namespace and name. */
void store_each(const struct store *s, enum object_kind kind,
	void (*fn)(const struct object *object, void *arg), void *arg);

size_t store_count(const struct store *s, enum object_kind kind);

/* Grows by one with every change of an object of this kind: builders compare it with the
 * one they built from. */
uint64_t store_generation(const struct store *s, enum object_kind kind);

/* Frees an object that was not put into a store; NULL is fine. */
void object_free(struct object *object);

/* "Service", "EndpointSlice": as in manifests. */
const char *object_kind_name(enum object_kind kind);

/* A label's value, or NULL. */
const char *labels_get(const struct labels *labels, const char *key);

#endif
