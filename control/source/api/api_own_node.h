/* This node's own Node object as the API server last told it, as far as something of it is written: neither the store nor the
 * builders know of it, since heartbeats would have tables built. Control thread only. */
#ifndef RINGWAY_SOURCE_API_OWN_NODE_H
#define RINGWAY_SOURCE_API_OWN_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define NODE_CONDITION_TYPE "RingwayReady"

struct node_condition {
	char status[16]; /* "True", "False", "Unknown"; "": there is none */
	char reason[64];
	char message[512];
	char since[40]; /* lastTransitionTime */
};

struct api_own_node {
	uint64_t n_seen; /* how often it was told; 0: never */
	char resource_version[64], uid[64];
	json_t *taints; /* spec.taints; NULL: none */
	struct node_condition condition;
};

/* Of any node's object: takes over what there is to know, if it is this one, and says whether it is. */
bool api_own_node_note(struct api_own_node *o, const char *name, const json_t *node);
void api_own_node_fini(struct api_own_node *o);

#endif
