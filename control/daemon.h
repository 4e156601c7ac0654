/* ringwayd's parts, in the order in which main.c starts them and, backwards, stops them. One thread, the
 * control thread, runs all of it from one event loop; workers and the resolver are the only other threads. */
#ifndef RINGWAY_DAEMON_H
#define RINGWAY_DAEMON_H

#include "control/config.h"
#include "dataplane/tables.h"
#include "dataplane/worker.h"

struct loop;         /* loop.h: descriptors, timers, signals, deferred work */
struct store;        /* model/store.h: the cluster's objects */
struct state;        /* node/state.h: what must survive, in SQLite */
struct ipam;         /* node/ipam.h: addresses of this node's pod CIDRs */
struct attach;       /* node/attach.h: pods and the host's stack, as ports */
struct spool;        /* node/spool.h: DELs that came while there was no daemon */
struct underlay;     /* node/underlay.h: the uplink, its neighbours and routes, by netlink */
struct arena;        /* dataplane/io/arena.h: roles and exceptions, shared memory that outlives the process */
struct engine;       /* dataplane/engine.h: workers, shards, ports */
struct xdp;          /* xdp/loader.h: programs, maps and links in the instance's bpffs */
struct publisher;    /* build/publish.h: store and facts to a snapshot, when something changed */
struct follow;       /* follow.h: what follows from a change */
struct snapshot;     /* dataplane/snapshot.h: the tables in force */
struct dns_rings;    /* dataplane/dns/dns_ring.h: what workers ask the resolver, and its answers */
struct dns_cache;    /* dataplane/dns/dns_cache.h: answers of others */
struct resolver;     /* resolve/resolver.h: asks them, on a thread of its own */
struct fd_store;     /* dataplane/io/fd_store.h: descriptors that outlive the process */
struct source;       /* source/files.h: fills the store from manifests */
struct api_source;   /* source/api/api_source.h: fills the store from an API server */
struct admin;        /* admin/admin.h: HTTP on the unix socket, and metrics */
struct health_ports; /* admin/health_ports.h: what load balancers ask */
struct cni_conf;     /* node/cni_conf.h: has container runtimes use us */
struct events;       /* dataplane/events.h */
struct denied_dns;   /* denied_dns.h: whom policies do not let ask for names */
struct dns_watch;    /* dns_watch.h: who asks for which names */
struct event_book;   /* report/event_book.h: events for the API server; NULL without one */
struct report;       /* report/report.h: what is written to the API server */
struct slots;        /* build/slots.h: slot numbers of (backend, frontend) pairs */

struct daemon {
	struct config config;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	int holder_socket;   /* for fd_store_open() */
	int nice;            /* as we were started with */
	struct fd_store *fds;
	struct loop *loop;
	struct store *store;
	struct state *state;
	struct slots *slots;
	struct arena *arena;
	struct snapshot *snapshot;
	struct dns_rings *dns_rings; /* these three: NULL when DNS is off */
	struct dns_cache *dns_cache;
	struct resolver *resolver;
	int dns_fd;                             /* readable when workers ask */
	struct worker_flows flows[WORKERS_MAX]; /* in the arena; each its worker's */
	struct events *events[WORKERS_MAX];     /* each from its worker */
	int event_fd;                           /* readable when there are such */
	struct engine *engine;
	struct xdp *xdp;
	struct ipam *ipam;
	struct attach *attach;
	struct spool *spool;
	struct underlay *underlay;
	struct publisher *publisher;
	struct follow *follow;
	struct source *source;         /* either this */
	struct api_source *api_source; /* or that; the other is NULL */
	struct admin *admin;
	struct loop_fd *admin_fd;
	struct loop_timer *admin_timer;
	struct health_ports *health_ports;
	struct cni_conf *cni_conf;
	struct loop_timer *cni_conf_timer; /* until it has settled */
	struct loop_timer *end_timer;      /* after the answer to an uninstallation */
	bool is_uninstalled, keeps_shim;   /* admin/uninstall.h, at the end */
	struct denied_dns *denied_dns;
	struct dns_watch *dns_watch;
	struct event_book *event_book;
	struct report *report;
};

#endif
