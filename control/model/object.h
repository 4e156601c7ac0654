/* The cluster's objects as plain structs, whatever source they came from. They know no JSON, no HTTP and no threads, and are
 * immutable once they are in a store (store.h). */
#ifndef RINGWAY_MODEL_OBJECT_H
#define RINGWAY_MODEL_OBJECT_H

#include <stddef.h>

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

enum object_kind {
	OBJECT_NODE,
	OBJECT_NAMESPACE,
	OBJECT_POD,
	OBJECT_SERVICE,
	OBJECT_ENDPOINT_SLICE,
	OBJECT_NETWORK_POLICY, /* struct network_policy_object: network_policy.h */
	OBJECT_SERVICE_CIDR,
	OBJECT_UNREAD_POLICY, /* struct unread_policy_object: likewise; no kind of Kubernetes */
	N_OBJECT_KINDS,
};

/* First member of every object. 'ns' is "" for cluster-wide kinds. */
struct object {
	enum object_kind kind;
	char *ns;
	char *name;
	char *origin;      /* where it was read ("web.yaml:12"), for messages; may be NULL */
	int64_t created_s; /* metadata.creationTimestamp, seconds since 1970; 0: not known */
	uint8_t uid[16];   /* metadata.uid (RFC 9562); all zero: not known, or of another form */
	/* Its source's own, who may change them in the store; all others read nothing from them. */
	uint64_t digest;  /* of what it was made from */
	uint32_t listing; /* the last list that it was in */
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
	size_t n_external_addrs;
	struct ip_addr *external_addrs; /* ExternalIP, and Hostname where that is an address */
	struct labels labels;
	size_t n_pod_cidrs;
	struct ip_prefix *pod_cidrs;
	struct mac_addr tunnel_mac; /* annotation ringway.io/tunnel-mac; all zero: the default, derived from
				       the address */
};

/* What the API server labels each namespace with: its name. */
#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

/* What becomes of what policies deny; as policy.mode has its choices. */
enum policy_mode {
	POLICY_MODE_ENFORCE,
	POLICY_MODE_AUDIT, /* it passes, and is counted */
	N_POLICY_MODES,
};

/* Says it for a namespace's pods, whatever policy.mode says. */
#define POLICY_MODE_ANNOTATION "ringway.io/policy-mode"

struct namespace_object {
	struct object object;
	struct labels labels; /* with that one */
	bool has_policy_mode; /* it says one */
	enum policy_mode policy_mode;
};

struct container_port {
	char *name; /* "" when unnamed */
	uint16_t port;
	uint8_t proto;          /* IANA number */
	uint16_t host_port;     /* 0: none */
	struct ip_addr host_ip; /* none: any of the node's */
};

struct pod_object {
	struct object object;
	struct labels labels;
	/* pod_uid_digest() of metadata.uid, and of the UID that the kubelet has for it, when it is one of its static pods: the
	 * object in the cluster is a mirror, with a UID of its own */
	uint64_t uid, static_uid;
	char *node; /* spec.nodeName, "" when not scheduled */
	bool host_network;
	bool has_ended; /* Succeeded or Failed: its addresses may be another pod's, so it has none here */
	bool is_terminating; /* has a deletionTimestamp */
	bool is_ready;       /* condition Ready */
	char *hostname,
		*subdomain; /* NULL when not said: its name in DNS, and the service below which it has that */
	size_t n_addrs;
	struct ip_addr *addrs; /* status.podIPs */
	size_t n_ports;
	struct container_port *ports;
};

/* What tells a pod from its namesakes before and after it; 0 of "" alone. */
uint64_t pod_uid_digest(const char *uid);

/* Whether an object with these digests is of the pod that has this one, as far as both are known. */
static inline bool
pod_uid_is(uint64_t uid, uint64_t static_uid, uint64_t wanted)
{
	return uid == 0 || wanted == 0 || wanted == uid || wanted == static_uid;
}

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME, /* a name in DNS: no addresses, no endpoints */
};

/* What the service asked the controller that writes the hints for. Which endpoints are used follows from the hints alone. */
enum traffic_distribution {
	TRAFFIC_ANYWHERE,
	TRAFFIC_SAME_ZONE, /* PreferSameZone, and its older name PreferClose */
	TRAFFIC_SAME_NODE,
};

struct service_port {
	char *name; /* "" when unnamed */
	uint16_t port;
	uint8_t proto;
	uint16_t node_port;   /* 0: none */
	uint16_t target_port; /* for messages: what counts is in the slices. 0: not given as a number */
	char *target_name;    /* NULL: not given as a name */
};

/* An entry of status.loadBalancer.ingress that has an address. */
struct ingress_addr {
	struct ip_addr addr;
	bool is_proxy; /* ipMode Proxy: what comes from inside must go there, not to the endpoints */
};

struct service_object {
	struct object object;
	enum service_type type;
	char *external_name;    /* of that type; NULL otherwise */
	struct labels selector; /* n == 0: endpoints are made by hand */
	bool headless;          /* clusterIP: None */
	bool is_foreign;        /* label service.kubernetes.io/service-proxy-name: another proxy's business */
	bool publish_not_ready;
	bool internal_local, external_local; /* traffic policies */
	bool topology_auto;                  /* annotation service.kubernetes.io/topology-mode */
	enum traffic_distribution distribution;
	uint32_t affinity_timeout_s;     /* 0: no session affinity */
	uint16_t health_check_node_port; /* 0: none; only of load balancers whose external policy is Local */
	char *lb_class;                  /* NULL: the default; whoever owns the class sets status */
	size_t n_cluster_ips;
	struct ip_addr *cluster_ips;
	size_t n_external_ips;
	struct ip_addr *external_ips; /* as asked for: which of them are served is decided elsewhere */
	size_t n_ingress;
	struct ingress_addr *ingress;
	size_t n_source_ranges;
	struct ip_prefix *source_ranges; /* loadBalancerSourceRanges; none: everybody */
	size_t n_ports;
	struct service_port *ports;
};

struct slice_port {
	char *name;
	uint16_t port;
	uint8_t proto;
};

/* For whom an endpoint is meant. */
struct endpoint_hints {
	size_t n_zones, n_nodes;
	char **zones, **nodes;
};

struct slice_endpoint {
	size_t n_addrs;
	struct ip_addr *addrs;
	bool ready, serving, terminating; /* nil conditions already resolved: nil ready is true */
	char *node;                       /* "" when not said */
	char *pod;                        /* name of the targetRef when it is a Pod, "" otherwise */
	uint32_t pod_uid;                 /* digest of the targetRef's uid, never 0; 0 when not said */
	char *zone;                       /* NULL when not said */
	char *hostname;                   /* its name in DNS; NULL when not said */
	struct endpoint_hints *hints;     /* NULL: none */
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

/* A network from which the API server gives services their addresses. */
struct service_cidr_object {
	struct object object;
	size_t n_cidrs;
	struct ip_prefix *cidrs; /* one, or one of each family */
};

/* Frees an object that was not put into a store; NULL is fine. */
void object_free(struct object *object);

/* "Service", "EndpointSlice": as in manifests. */
const char *object_kind_name(enum object_kind kind);

/* "ClusterIP", "LoadBalancer": as in manifests. */
const char *service_type_name(enum service_type type);

/* The node's zone by its label topology.kubernetes.io/zone; "" when it has none. */
const char *node_zone(const struct node_object *node);

/* "2c5ea7e0-..." of an object, as metadata.uid has it; "" when it is not known. Returns buf. */
#define OBJECT_UID_SIZE 37
const char *object_uid_format(const struct object *object, char buf[static OBJECT_UID_SIZE]);

/* The other way; false when the text has another form. */
bool object_uid_parse(const char *text, uint8_t uid[static 16]);

/* A label's value, or NULL. */
const char *labels_get(const struct labels *labels, const char *key);

#endif
