/* The service table, from Services, EndpointSlices and what is known of this node. A build looks at the services that changed
 * and makes a version which shares all the rest with the one before.
 *
 * What a version answers depends on nothing but the objects and facts, whatever came before, with two exceptions: slots
 * (control/build/slots.h) must not change under flows, and buckets that move do so in steps (moves.h). Which frontends a service has: wanted.h; which endpoints they use:
 * endpoint_select.h. Host ports of pods are like services (host_ports.h). When two services claim one
 * address, port and protocol, the older one has it (service_claims.h).
 *
 * frontend.service is a number of the service, which it keeps while it exists. Control thread only. */
#ifndef RINGWAY_BUILD_SERVICE_BUILD_H
#define RINGWAY_BUILD_SERVICE_BUILD_H

#include "control/build/moves.h"
#include "control/build/slots.h"
#include "control/build/wanted.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/piece_pool.h"
#include "dataplane/service/service_table.h"

struct service_builder;

/* A frontend that one service wants and another one has. */
struct lost_claim {
	const struct wanted_frontend *frontend; /* of the service that wants it */
	const char *ns, *name;                  /* whose it is; of host ports, "pod/<name>" */
	bool is_by_age;                         /* it is older; else their names decide */
};

/* Store and slots are the caller's and outlive it. NULL if out of memory. */
struct service_builder *service_builder_new(struct store *store, struct slots *slots);

/* All versions must have been released. NULL is fine. */
void service_builder_free(struct service_builder *b);

/* Whether a build would find nothing to do: neither has the store changed in what services are made of, nor are there settled
 * buckets to flip, nor news of pods while buckets move. */
bool service_builder_is_idle(const struct service_builder *b);

/* A new version in *out, or NULL when the last one is still right; the first build, and one after the last version was
 * released, always makes one. now_ns: for the rest of released slots; see slots_begin(). 0; -ENOMEM, with the last version as
 * it was, and the next call tries again. */
int service_builder_build(struct service_builder *b, const struct build_facts *facts, uint64_t now_ns,
	struct service_table **out);

/* Gives a version up, after its grace period. NULL is fine. */
void service_builder_release(struct service_builder *b, struct service_table *t);

/* The name of a number in frontend.service; of host ports, "pod/<name>". False: no service has it. Valid until the next build. */
bool service_builder_name(
	const struct service_builder *b, uint32_t service, const char **ns, const char **name);

/* The addresses of a service that get no frontend, and why: *n of them. Valid until the next build. */
const struct refused_addr *service_builder_refused(
	const struct service_builder *b, const char *ns, const char *name, size_t *n);

/* Calls fn for each frontend that a service wants and another one has, in the newest version. The claim is valid in fn. */
void service_builder_each_lost(const struct service_builder *b, const char *ns, const char *name,
	void (*fn)(const struct lost_claim *claim, void *arg), void *arg);

/* What moves. Between builds, for listings; then service_builder_go_on() has the next build flip what they settled. */
struct moves *service_builder_moves(struct service_builder *b);
void service_builder_go_on(struct service_builder *b);

/* Backends that are no more, since the last call: *n of them. What is pinned to them is to be deleted. Valid until the next call
 * of any kind. */
const struct backend_end *service_builder_ends(struct service_builder *b, size_t *n);

/* Memory of all versions that were not released. */
struct piece_pool_books service_builder_books(const struct service_builder *b);

#endif
