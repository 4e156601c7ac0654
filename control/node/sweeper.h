/* Sweeps (sweep.h) every half a minute, a step per round of the loop: the kernel of each entry's client, a pod or the host, is
 * asked for its socket. What stays keeps its slot from being another's. Control thread only. */
#ifndef RINGWAY_NODE_SWEEPER_H
#define RINGWAY_NODE_SWEEPER_H

struct attach;
struct engine;
struct loop;
struct slots;
struct sweeper;

struct sweeper_config {
	struct loop *loop;
	struct engine *engine;
	struct attach *attach;
	struct slots *slots;
};

/* What the config names is the caller's and outlives it. NULL if out of memory. */
struct sweeper *sweeper_new(const struct sweeper_config *config);
void sweeper_free(struct sweeper *s); /* NULL is fine */

#endif
