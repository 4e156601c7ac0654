/* What the daemon shows of itself, gathered from its parts once per request, so that status, drops, pods and
 * metrics tell the same story, and can be tested without a daemon. Control thread only. */
#ifndef RINGWAY_ADMIN_VIEW_H
#define RINGWAY_ADMIN_VIEW_H

#include <stdbool.h>

#include "control/model/store.h"
#include "control/node/attachment.h"
#include "control/source/api/api_kind.h"
#include "dataplane/counters.h"
#include "dataplane/io/port.h"
#include "dataplane/io/xsk.h"
#include "dataplane/tables.h"

struct daemon;
struct dns_view;
struct policy_builder;

struct worker_view {
	unsigned id;
	int cpu;          /* -1: not pinned */
	bool is_alive;    /* it made progress lately, or slept as it may */
	unsigned n_ports; /* that it polls */
	double cpu_s;     /* processor time since it started */
	struct counters counters;
	/* the last that were refused a flow since they have as many as one may have, and how long ago; none: nobody was */
	struct ip_addr greedy_client, greedy_pod; /* outside; going out */
	double greedy_client_s, greedy_pod_s;
};

enum port_kind {
	PORT_KIND_POD,
	PORT_KIND_HOST,
	PORT_KIND_UPLINK,
	N_PORT_KINDS,
};

struct port_view {
	uint16_t id;
	enum port_kind kind;
	unsigned worker;
	const char *ns, *name; /* of the pod; "" of the others, and where the runtime did not say */
	const char *link;      /* interface, the node's end; "" when not known */
	struct port_stats stats;
	struct xsk_drops kernel; /* lost before the socket */
};

struct address_range_view {
	char cidr[IP_PREFIX_STRLEN];
	uint32_t size, used;
};

/* The way to the other nodes. */
struct uplink_view {
	const char *interface; /* "": none is known */
	bool is_up;
	uint16_t mtu;
	struct mac_addr mac;
	const char *xdp; /* how the steering program is attached; "" when it is not */
};

/* Pods of this node that the same policies isolate in a direction. */
struct denial_view {
	bool is_egress;
	bool is_audit;    /* what they deny passes */
	char *policies;   /* "shop/a, shop/b" */
	char *pods;       /* the same of pods */
	uint64_t packets; /* that no rule allowed */
};

/* One kind's watch of an API server. */
struct watch_view {
	const char *kind, *state; /* "EndpointSlice", "watching" */
	bool is_synced;           /* all that there is was here once */
	size_t n_objects;
	const char *resource_version; /* "": none yet */
	const char *problem;          /* "": none */
	double problem_s;             /* for how long */
	double event_age_s;           /* since the last event, bookmarks included; below 0: there was none */
	uint64_t n_lists, n_restarts, n_bytes;
};

/* What of a kind is written to an API server. */
struct write_view {
	const char *kind, *what; /* "condition", "the node's condition RingwayReady" */
	uint64_t n_done, n_stale, n_failed;
	const char *problem; /* "": none */
	double problem_s;    /* for how long */
};

struct view {
	const char *node;
	double uptime_s;
	bool is_ready;
	char not_ready[320];        /* why, "" when ready */
	const char *not_ready_word; /* the same for machines: "UplinkDown"; "Ready" when ready */
	uint64_t tables_version;    /* 0: none yet */
	double tables_age_s;
	size_t n_objects[N_OBJECT_KINDS];
	const char *api_server; /* the cluster's state comes from; "": from manifests */
	bool awaits_source;     /* all that there is was not here once yet: workers do not run before */
	double saved_s; /* objects are as they were saved so long ago; below 0: all have been told since the start */
	bool has_all_pods; /* pods of all nodes are watched there, not only this node's */
	unsigned n_watches;
	struct watch_view watches[N_API_KINDS];
	unsigned n_writes; /* 0: nothing is written, since there is no API server */
	struct write_view writes[N_API_WRITES];
	uint64_t n_events_lost;       /* that could not be told the API server */
	enum policy_mode policy_mode; /* of the cluster */
	size_t n_audit_namespaces;    /* that say it themselves */
	size_t n_source_errors, n_build_errors;
	char build_error[256]; /* why the last build failed; "" when it did not */
	struct uplink_view uplink;
	bool has_cni_conf;            /* the container runtime's configuration is our business */
	bool is_cni_conf_first;       /* and it takes ours */
	unsigned n_cni_conf_restored; /* times that others' changes were undone */
	size_t n_unmanaged;           /* pods that another network attached; for metrics */
	size_t n_pods;                /* attached */
	struct address_range_view ranges[N_FAMILIES]; /* size 0: the node has none of this family */

	unsigned n_workers, n_ports;
	struct worker_view *workers;
	struct port_view *ports; /* by id */

	size_t n_denials;
	struct denial_view *denials; /* by direction, audit and policies, each once */
	struct dns_view *dns;        /* NULL: not gathered; for metrics */
};

/* NULL if out of memory. Strings belong to the daemon: valid until the control thread does something else. */
struct view *view_new(struct daemon *d);
void view_free(struct view *v);

/* Fills in the denials, for a view that has its ports. False: out of memory. */
bool view_gather_denials(struct view *v, const struct policy_builder *policies);

/* "pod", "host", "uplink"; static storage. */
const char *port_kind_name(enum port_kind kind);

/* "default/web-0" of a pod, "host", "uplink", or the interface of a pod without a
 * name; in the caller's buffer. */
#define PORT_NAME_SIZE (POD_NS_SIZE + POD_NAME_SIZE)
const char *port_view_name(const struct port_view *p, char buf[static PORT_NAME_SIZE]);

#endif
