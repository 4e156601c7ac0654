/* Which frontends a service is to have on this node, and which addresses it asks for in vain. Pure. */
#ifndef RINGWAY_BUILD_WANTED_H
#define RINGWAY_BUILD_WANTED_H

#include "control/model/store.h"
#include "dataplane/service/service_table.h"

struct build_facts;

/* The key and the kind of a frontend, and the service's port behind it. */
struct wanted_frontend {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
	uint8_t kind;          /* enum frontend_kind */
	uint32_t service_port; /* index into the service's ports; of host ports, into the facts' */
};

/* Why a service's external or load balancer address gets no frontend: such an address would draw in traffic that is
 * somebody else's (CVE-2020-8554). */
enum refusal {
	REFUSED_NONE,
	REFUSED_POD_RANGE,
	REFUSED_SERVICE_RANGE,
	REFUSED_NODE_ADDRESS,
	REFUSED_SPECIAL,    /* wanted_is_special() */
	REFUSED_NOT_LISTED, /* an external address outside the ranges that the configuration allows */
	N_REFUSALS,
};

struct refused_addr {
	struct ip_addr addr;
	enum refusal why;
};

struct wanted {
	size_t n, room;
	struct wanted_frontend *frontends; /* without doubles, cluster addresses first */
	size_t n_refused, refused_room;
	struct refused_addr *refused;
};

/* What service's frontends depend on besides the service. */
struct wanted_context {
	const struct build_facts *facts;
	const struct store *store; /* for nodes */
};

/* Fills an empty *out. 0 or -ENOMEM; wanted_fini() in either case. */
int wanted_collect(
	struct wanted *out, const struct wanted_context *context, const struct service_object *service);
void wanted_fini(struct wanted *w);

/* Adds a frontend unless there is one with its key. 0 or -ENOMEM. */
int wanted_add(struct wanted *w, const struct wanted_frontend *f);

/* Whether an address is link-local (where metadata services are), loopback or multicast. */
bool wanted_is_special(const struct ip_addr *addr);

/* Whether what Nodes say has a part in it: it has external or load balancer addresses. */
bool wanted_needs_nodes(const struct service_object *service);

/* "is in a range of pods' addresses"; static storage. */
const char *refusal_text(enum refusal why);

#endif
