/* What is written to the own Node object, and when: the condition RingwayReady, and the removal of the taint
 * ringway.io/not-ready. Pure, on the caller's clocks.
 *
 * The condition is merged into the others by its type (strategic merge), so kubelet's stay as they are. It is written when it
 * changes or somebody removed it, and is no heartbeat: thousands of nodes would write for nobody. Not being ready is told once
 * it has lasted: a start and an upgrade, which take less, must not show, and therefore nothing is written at the end of the process
 * either, which cannot know whether another one follows. */
#ifndef RINGWAY_REPORT_NODE_WRITE_H
#define RINGWAY_REPORT_NODE_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/source/api/api_own_node.h"

struct view;

#define NOT_READY_TAINT "ringway.io/not-ready"

#define UNREADY_GRACE_NS UINT64_C(20000000000)  /* not being ready for less is not told */
#define READY_AGAIN_NS UINT64_C(10000000000)    /* nor is being ready again after that */
#define CONDITION_REST_NS UINT64_C(30000000000) /* between two writes of the same status with another text */
#define CONDITION_ECHO_NS UINT64_C(3000000000)  /* what was written comes back by the watch within */

struct readiness {
	bool is_ready;
	const char *reason; /* one word: "Ready", "UplinkDown" */
	const char *message;
};

/* What is so. A node that works with objects as they were saved may be far behind, and gets no pods for that. cni_trouble: NULL
 * when container runtimes take our configuration. The message is one of the arguments' or static. */
struct readiness readiness_of(const struct view *v, const char *cni_trouble);

struct condition_keeper {
	bool is_ready;
	uint64_t since_ns; /* it is that, or is not, CLOCK_MONOTONIC; 0: nobody asked yet */
	uint64_t told_ns;  /* when it was written last; 0: never */
	uint64_t told_n_seen;
	struct node_condition told;
};

/* Whether the condition is to be written now. To be asked every few seconds. What was written is not written again before the
 * Node was seen anew: when watches fail, the server shall not hear from all nodes every few seconds. */
bool condition_is_due(struct condition_keeper *k, const struct readiness *now,
	const struct api_own_node *node, uint64_t now_ns);

/* It was written; told_n_seen: by then the Node had been seen so often. */
void condition_told(
	struct condition_keeper *k, const struct readiness *told, uint64_t told_n_seen, uint64_t now_ns);

/* Whether its status is another one than that which is there. */
bool condition_is_transition(const struct readiness *now, const struct api_own_node *node);

/* The strategic merge patch of the Node's status, for the caller to free; NULL if out of memory. now_s: CLOCK_REALTIME seconds. */
char *condition_patch(const struct readiness *now, const struct api_own_node *node, int64_t now_s);

/* Whether the taint is there, with whatever effect. */
bool taint_is_there(const struct api_own_node *node);

/* The merge patch of the Node without it, which is refused (409) if the Node has changed since it was seen; for the caller
 * to free. NULL: out of memory. */
char *taint_patch(const struct api_own_node *node);

/* RFC 3339 in UTC, as the API server has it: "2026-11-21T22:15:00Z". */
#define STAMP_SIZE 40
const char *stamp_print(int64_t seconds, char buf[static STAMP_SIZE]);

#endif
