/* Which endpoints of its service a frontend uses: a pure function, by the rules that users of kube-proxy know.
 *
 *   ready        An endpoint counts when it is ready (or the service publishes those that are not), has an address of the
 *                frontend's family, and its slice has a port with the service port's name and protocol. Where pods differ in a
 *                named targetPort, slices differ in that port's number: each endpoint has its own slice's.
 *   terminating  Where no ready one is left to choose, those that terminate but still serve take its place. This is decided for
 *                inside and outside traffic each for itself.
 *   inside       Traffic from pods and the node's processes. A ClusterIP of a service with internalTrafficPolicy Local uses
 *                endpoints of this node alone; everything else may use all, hints permitting. That includes exposed
 *                frontends, whatever the policies say: who is inside never needs the way around through another node.
 *   outside      Traffic that came from elsewhere to an exposed frontend: with externalTrafficPolicy Local, endpoints of this node
 *                alone (the hints do not matter then); otherwise as inside.
 *   hints        Node hints narrow the choice when every ready endpoint has one and some name this node; else zone hints
 *                do, under the same condition for the zone; else they are all ignored.
 *   nobody       A Local policy without an endpoint of this node, while there are endpoints elsewhere: the packet is dropped,
 *                since another node may well answer. Without endpoints anywhere the client is refused.
 *
 * Any thread; allocates nothing. */
#ifndef RINGWAY_BUILD_ENDPOINT_SELECT_H
#define RINGWAY_BUILD_ENDPOINT_SELECT_H

#include "control/model/store.h"

enum selected_flag {
	SELECTED_INSIDE = 1 << 0,  /* for inside traffic */
	SELECTED_OUTSIDE = 1 << 1, /* for outside traffic; only of exposed frontends */
	SELECTED_LOCAL = 1 << 2,   /* on this node */
	SELECTED_DRAINING =
		1 << 3, /* not ready: it serves its last clients, and new ones for want of others */
};

struct selected_endpoint {
	struct ip_addr addr;
	uint16_t port;
	uint8_t flags; /* SELECTED_*: at least one of INSIDE and OUTSIDE */
	const struct slice_endpoint *endpoint;
};

/* All frontends of one service port with the same answers to these questions have the same endpoints. */
struct endpoint_question {
	const struct service_object *service;
	const struct service_port *port;
	const struct slice_object *const *slices; /* the service's, of both families */
	size_t n_slices;
	bool is_v4;
	bool is_exposed;         /* NodePort, load balancer, external address; false: ClusterIP */
	const char *node, *zone; /* of this node; zone "" when it has none */
};

enum endpoint_hint_use { HINTS_UNUSED, HINTS_ZONE, HINTS_NODE };

struct endpoint_selection {
	uint32_t n;                   /* entries in the array */
	uint32_t n_inside, n_outside; /* of them */
	bool is_local;    /* FRONTEND_LOCAL: outside traffic keeps to this node, and its client's address */
	bool drops_empty; /* FRONTEND_DROP_EMPTY: one of the two sets is empty because of a Local policy */
	enum endpoint_hint_use hints;
};

/* False: nobody asks us to serve this service (headless, a name for something else, or another proxy's). */
bool service_is_served(const struct service_object *service);

/* How many entries an answer may have. */
size_t endpoint_select_room(const struct endpoint_question *q);

/* Fills out[endpoint_select_room()] with the endpoints in use, sorted by address and port, each once. The entries behind the
 * answer's n are scratch. */
struct endpoint_selection endpoint_select(const struct endpoint_question *q, struct selected_endpoint *out);

/* The slice's port that belongs to the service's, or NULL. */
const struct slice_port *endpoint_select_port(
	const struct slice_object *slice, const struct service_port *port);

#endif
