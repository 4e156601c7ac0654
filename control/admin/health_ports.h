/* healthCheckNodePort: for each load balancer service with externalTrafficPolicy Local a small HTTP server, where whoever
 * balances load asks whether this node has endpoints of it. Any request is answered as by kube-proxy: 200, or 503 without
 * a ready local endpoint, with
 *
 *   {"service": {"namespace": NS, "name": NAME}, "localEndpoints": N, "serviceProxyHealthy": BOOL}
 *
 * A port is open from when the tables with its service are in force until its service goes; one that cannot be opened is
 * tried again every few seconds, and told. Control thread only. */
#ifndef RINGWAY_ADMIN_HEALTH_PORTS_H
#define RINGWAY_ADMIN_HEALTH_PORTS_H

#include <stdbool.h>

struct health_ports;
struct loop;
struct store;

struct health_ports_config {
	struct loop *loop;
	struct store *store; /* outlives this */
	const char *node_name;

	bool (*is_healthy)(void *arg); /* whether this node serves at all; a 503 if not */
	void *arg;
};

/* The config's pointers are the caller's and stay. 0 or -errno. */
int health_ports_new(struct health_ports **out, const struct health_ports_config *config);
void health_ports_free(struct health_ports *h); /* closes all ports; NULL is fine */

/* Services or endpoints changed. Acts at the end of the loop's round; NULL is fine. */
void health_ports_changed(struct health_ports *h);

/* Which ports cannot be served, and why. NULL is fine. */
void health_ports_each_warning(
	const struct health_ports *h, void (*fn)(const char *text, void *arg), void *arg);

#endif
