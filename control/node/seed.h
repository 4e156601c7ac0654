/* Tells workers which ports of this node's pods are declared server ports (container ports, endpoints of services), before
 * any packet could teach them: what arrives there is the pod's own, and never a service's reply (service/roles.h).
 * Bits are only added: one that is no longer declared does no harm but to make a client flow an exception.
 * Control thread only. */
#ifndef RINGWAY_NODE_SEED_H
#define RINGWAY_NODE_SEED_H

struct attach;
struct engine;
struct seeder;
struct store;

/* All are the caller's. NULL if out of memory. */
struct seeder *seeder_new(struct store *store, const struct attach *attach, struct engine *engine);
void seeder_free(struct seeder *s);

/* Looks for new declarations in the Pods and EndpointSlices that changed since the last time, or in all when attachments did,
 * and has the owners' workers note them. 0 or -ENOMEM, with nothing noted; the next run tries again. */
int seeder_run(struct seeder *s);

#endif
