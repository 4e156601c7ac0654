/* Whose pods are watched: this node's, or those of all nodes while a policy may need them, which is one with pods as peers in a
 * namespace of which a pod runs here. It becomes all at once, and this node's only when none has been needed for a while, since
 * each change lists pods anew: a Deployment that is rolled out must not change it. Pure, on the caller's clock. */
#ifndef RINGWAY_SOURCE_API_SCOPE_H
#define RINGWAY_SOURCE_API_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

struct store;

struct api_scope {
	bool is_wide;
	uint64_t unneeded_ns; /* since when nobody needs all pods; 0: somebody does */
};

enum api_scope_step {
	API_SCOPE_STAY,
	API_SCOPE_WIDEN,
	API_SCOPE_NARROW,
};

/* What is to be done now, and noted as done. */
enum api_scope_step api_scope_look(struct api_scope *s, bool needs_all, uint64_t now_ns, uint64_t grace_ns);

/* Whether the store's policies need pods of other nodes than this one. Takes time in proportion to policies and pods. */
bool api_scope_needs_all(const struct store *store, const char *node);

#endif
