/* The cluster of a directory of manifests, on a node that does not exist: the tables that control's builders make of it, and
 * a worker to run packets on. Neither sockets nor privileges are needed, as no packet leaves.
 *
 * A node has ports for WORLD_PODS pods, so a larger cluster is looked at in rounds: in each so many pods are the node's own,
 * and all others are somewhere behind the tunnel, as is every address that nobody has. What a pod may send is to be asked in
 * the round in which it is at home, and what may reach it likewise. One thread. */
#ifndef RINGWAY_OFFLINE_WORLD_H
#define RINGWAY_OFFLINE_WORLD_H

#include "control/admin/explain.h"
#include "control/offline/census.h"

#define WORLD_PORT_HOST 0
#define WORLD_PORT_UPLINK 1
#define WORLD_PORT_PODS 2 /* the first pod's */
#define WORLD_PODS (PORTS_MAX - WORLD_PORT_PODS)

struct world;

/* Completes the store (complete.h), which is the caller's, outlives the world and must not change. 0, or -errno as
 * manifests_complete(). */
int world_new(struct world **out, struct store *store);
void world_free(struct world *w); /* NULL is fine */

/* Of the completed store. */
const struct census *world_census(const struct world *w);

static inline size_t
world_round_of(size_t pod)
{
	return pod / WORLD_PODS;
}

size_t world_n_rounds(const struct world *w); /* at least one */

/* Builds the tables of a round; the last round's are gone. 0, or -errno with the error in words: there are more kinds of
 * peers or rules than tables can hold, or out of memory. */
#define WORLD_ERROR_SIZE 640
int world_enter(struct world *w, size_t round, char error[static WORLD_ERROR_SIZE]);

/* Of the round. Its tables, names and policies; for explain's functions. */
const struct explain_context *world_context(const struct world *w);

/* Where a packet comes from: fills in sender, port, worker, MAC addresses and tunnel. The addresses are in the probe; the
 * host's source is filled in, too. A pod is one of this round. */
void world_from_pod(const struct world *w, size_t pod, struct explain_packet *packet);
void world_from_host(const struct world *w, struct explain_packet *packet);
void world_from_elsewhere(const struct world *w, struct explain_packet *packet);

/* Runs the packet through the pipeline. 0 or -EMSGSIZE. */
int world_run(struct world *w, const struct explain_packet *packet, struct explain_output *out);

#endif
