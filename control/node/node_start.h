/* This node's own parts of the daemon, for the list in main.c: each starts from struct daemon's config and the parts before
 * it, logs why it cannot, and stops what it started, also after half a start. Control thread only. */
#ifndef RINGWAY_NODE_NODE_START_H
#define RINGWAY_NODE_NODE_START_H

struct daemon;

/* d->state, in state.dir. After config. */
int node_state_start(struct daemon *d);
void node_state_stop(struct daemon *d);

/* d->ipam and d->attach, with what was attached before. After state, engine, xdp and arena; publishes through d->follow, which
 * starts after it. */
int node_attach_start(struct daemon *d);
void node_attach_stop(struct daemon *d);

/* d->spool, in state.dir, worked off. After d->follow and the source, before the admin server. */
int node_spool_start(struct daemon *d);
void node_spool_stop(struct daemon *d);

/* d->admin, in run.dir. After all of the above, since it serves as soon as it is there. */
int node_admin_start(struct daemon *d);
void node_admin_stop(struct daemon *d);

/* d->health_ports. Likewise. */
int node_health_start(struct daemon *d);
void node_health_stop(struct daemon *d);

/* d->cni_conf. After all of the above: it waits until pods can be attached. */
int node_cni_conf_start(struct daemon *d);
void node_cni_conf_stop(struct daemon *d);

#endif
